"""What a survey means for a run: its hours, cost, time, calls and tasks. Pure."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.config.pricing import Item, cost, unknown_prices
from pipeline.config.schema import Limits
from pipeline.model import TaskKind
from pipeline.plan.job_duration import JobDuration  # noqa: TC001 # msgspec reads the annotation
from pipeline.plan.sampling import CERTAINTY, Estimate
from pipeline.plan.survey import (
    BILLED,
    DOUBT,
    REFUSED,
    SECONDS,
    WORKING,
    Found,
)
from pipeline.stages.poller import Look, next_look
from pipeline.state.recordings import Standing
from pipeline.tasks.export import MOST_BYTES, MOST_TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.pricing import Prices
    from pipeline.config.schema import Config
    from pipeline.plan.sampling import Sample
    from pipeline.plan.survey import Standings
    from pipeline.state.statistics import JobTimes

DEFAULT_SLOTS = 250
"""Jobs at once that an account has unless its quota (L-6F7AB1C9) was raised."""

_JOBS_OF_A_CALL = 100
_OF_METADATA = {"sidecar": "GetObject", "object": "HeadObject", "tags": "GetObjectTagging"}

# Bytes of a task's line: what each has, and what a second of speech adds (2.5 words a second).
# Measured on transcripts of 40 seconds to an hour, with keys of 50 characters.
_TASK_BYTES = {TaskKind.TRANSCRIPT: (450, 13), TaskKind.SEGMENTS: (700, 41)}
_ENOUGH_LINES = 20


class Earlier(NamedTuple):
    """What earlier runs have done; `state` is what that is known from.

    `standings` tells what a run would do with recordings, `job_times` how long their jobs took,
    and of their `lines` there are so many `bytes`.
    """

    state: str
    standings: Standings
    job_times: JobTimes
    lines: int = 0
    bytes: int = 0


class CountEstimate(msgspec.Struct, frozen=True):
    """About how many recordings something holds of, and of how many it was found to.

    What is rare may have been missed, so that no error of it could be told honestly.
    """

    about: int
    seen: int


class RunTime(msgspec.Struct, frozen=True):
    """How long a run takes under the quotas, and by what that is reckoned.

    It has so many `slots` at once, at most `start_rate` starts a second, in all accounts together,
    and each `job` lasts so.
    """

    seconds: Estimate
    slots: int
    start_rate: float
    job: JobDuration


class Tasks(msgspec.Struct, frozen=True):
    """What Label Studio is to take in: lines of the output, and files of `export`."""

    count: int
    bytes: int
    export_files: int


class Plan(msgspec.Struct, frozen=True):
    """What a run would do; counts are of recordings, but for `listed` and `skipped` objects,
    which are `not_audio` by extension.

    Estimates have a value and an error: 99 times in 100 (`certainty`) the truth is no further off.
    Hours, refusals and cost are those of the `to_start`, of which `probed` were probed;
    `billed_minutes` are by what is billed. `unknown_prices` are missing from the cost.
    """

    source: str
    state: str
    listed: int
    skipped: dict[str, int]
    not_audio: dict[str, int]
    recordings: int
    bytes: int
    written: int
    in_flight: int
    found: int
    failed_before: int
    to_start: int
    bytes_to_start: int
    probed: int
    exact: bool
    certainty: float
    hours: Estimate
    refused: dict[str, CountEstimate]
    over_four_hours: CountEstimate
    billed_minutes: dict[str, Estimate]
    cost: Estimate
    currency: str
    prices_date: str
    unknown_prices: list[str]
    run_time: RunTime
    calls: dict[str, int]
    tasks: Tasks


def forecast(
    survey: Found, config: Config, earlier: Earlier, listing: Mapping[str, int], source: str
) -> Plan:
    """What a run over what was surveyed would do; `listing` are the calls that listing took."""
    sample, standings, prices = survey.sample, survey.standings, config.prices
    billed = {item: sample.total(BILLED, item) for item in sample.items()}
    run_time = _run_time(survey, config.limits, len(config.cluster.lanes) or 1)
    return Plan(
        source=source,
        state=earlier.state,
        listed=survey.listed,
        skipped=dict(survey.skipped.by_reason),
        not_audio=dict(survey.skipped.not_audio),
        recordings=survey.recordings,
        bytes=survey.bytes,
        written=standings[Standing.WRITTEN],
        in_flight=standings[Standing.IN_FLIGHT],
        found=standings[Standing.FOUND],
        failed_before=standings[Standing.FAILED],
        to_start=standings[Standing.TO_START],
        bytes_to_start=survey.bytes_to_start,
        probed=sample.probed,
        exact=survey.exact,
        certainty=1.0 if survey.exact else CERTAINTY,
        hours=_scaled(sample.total(SECONDS), 3600),
        refused=_by_reason(sample),
        over_four_hours=_count(sample, DOUBT),
        billed_minutes={item.value: _scaled(each, 60) for item, each in billed.items()},
        cost=_cost(billed, prices),
        currency=prices.currency,
        prices_date=prices.prices_date,
        unknown_prices=[item.value for item in unknown_prices(billed, prices)],
        run_time=run_time,
        calls=dict(  # those that are not made are dropped by the sum
            Counter(listing)
            + _job_calls(survey, run_time, config.limits, own_bucket=bool(config.output.results))
            + _metadata_calls(survey, config.metadata.source)
        ),
        tasks=_tasks(survey, config.tasks.kind, earlier),
    )


def _by_reason(sample: Sample) -> dict[str, CountEstimate]:
    """How many recordings the service will refuse, the most frequent reason first."""
    found = {
        name.removeprefix(REFUSED): _count(sample, name)
        for name in sample.facts()
        if name.startswith(REFUSED)
    }
    return dict(sorted(found.items(), key=lambda each: -each[1].about))


def _scaled(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.value / by, estimate.error / by)


def _cost(billed: Mapping[Item, Estimate], prices: Prices) -> Estimate:
    """The cost, and what it would be more with as many more seconds of each as the error says."""
    value = cost({item: each.value for item, each in billed.items()}, prices)
    most = cost({item: each.value + each.error for item, each in billed.items()}, prices)
    return Estimate(value, most - value)


def _run_time(survey: Found, limits: Limits, accounts: int) -> RunTime:
    """No schedule is quicker than its slots, its starts and its longest job allow."""
    raised = limits.max_in_flight != Limits().max_in_flight
    slots = accounts * (limits.max_in_flight if raised else DEFAULT_SLOTS)
    start_rate = accounts * limits.start_rate
    jobs = survey.standings[Standing.TO_START]
    work = survey.sample.total(WORKING)
    typical = work.value / jobs if jobs else 0.0
    seconds = max(work.value / slots, jobs / start_rate + typical, survey.longest_job)
    share = work.error / work.value if work.value else 0.0
    return RunTime(Estimate(seconds, seconds * share), slots, start_rate, survey.job)


def _job_calls(
    survey: Found, run_time: RunTime, limits: Limits, *, own_bucket: bool
) -> Counter[str]:
    """The calls by operation that jobs take, but for those that are refused.

    A result in a bucket of one's own is found without asking for its job.
    """
    jobs = survey.standings[Standing.TO_START]
    all_jobs = jobs + survey.standings[Standing.IN_FLIGHT]
    return Counter(
        StartTranscriptionJob=jobs,
        ListTranscriptionJobs=_list_calls(all_jobs, run_time, limits),
        GetTranscriptionJob=_refused(survey) if own_bucket else all_jobs,
        GetObject=_lines(survey),
    )


def _metadata_calls(survey: Found, source: str) -> Counter[str]:
    """The calls by operation that metadata takes from this kind of source: one a line, or none."""
    operation = _OF_METADATA.get(source)
    return Counter({operation: _lines(survey)} if operation else {})


def _list_calls(jobs: int, run_time: RunTime, limits: Limits) -> int:
    """List calls of the poller in a run of so many jobs."""
    if not jobs:
        return 0
    at_once = min(jobs, run_time.slots)
    typical = run_time.seconds.value * at_once / jobs
    each = at_once // _JOBS_OF_A_CALL + 1
    interval = next_look(0.0, Look(each), limits.max_poll_seconds, typical, ending=False)
    return math.ceil(run_time.seconds.value / interval) * each


def _refused(survey: Found) -> int:
    """About how many jobs the service will refuse."""
    return sum(each.about for each in _by_reason(survey.sample).values())


def _lines(survey: Found) -> int:
    """About how many lines a run will write."""
    come = (Standing.TO_START, Standing.IN_FLIGHT, Standing.FOUND)
    return sum(survey.standings[each] for each in come) - _refused(survey)


def _count(sample: Sample, fact: str) -> CountEstimate:
    return CountEstimate(round(sample.count(fact)), round(sample.in_sample(fact)))


def _tasks(survey: Found, kind: TaskKind, earlier: Earlier) -> Tasks:
    """The lines to come, as long as those before them, or as such lines are."""
    count = _lines(survey)
    if earlier.lines >= _ENOUGH_LINES:
        size = earlier.bytes / earlier.lines * count
    else:
        base, more = _TASK_BYTES[kind]
        jobs = survey.standings[Standing.TO_START]
        seconds = survey.sample.total(SECONDS).value / max(1, jobs)
        size = count * (base + more * seconds)
    files = max(count / MOST_TASKS, size / MOST_BYTES)
    return Tasks(count, round(size), math.ceil(files))
