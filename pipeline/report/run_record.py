"""One run as the state file remembers it, read once, beside the run or after it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import BadSettings, StateUnusable
from pipeline.monitoring.summary import OVER_BUDGET, Balance, Failure, Summary
from pipeline.state.history import past_runs, samples
from pipeline.state.statistics import (
    Totals,
    confidences,
    job_quantiles,
    job_seconds,
    totals,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.state.history import PastRun, Sample
    from pipeline.state.reader import StateReader
    from pipeline.state.statistics import Worst

BANDS = 50
"""Bands of confidence, each 0.02 wide."""

MOST_WORST = 20
_EXAMPLES = 3
_WIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200)
_MOST_BARS = 30
_SILENCE_SECONDS = 90.0
"""A run has a sample a minute at least, until its eighth hour; then it gets more patience."""


class Outcome(StrEnum):
    """How a run ended, or that it has not."""

    COMPLETE = "Complete"
    SOME_FAILED = "Some failed"
    OVER_BUDGET = "Budget used up"
    INTERRUPTED = "Interrupted"
    CANNOT_RUN = "Could not go on"
    UNDER_WAY = "Under way"
    KILLED = "Ended without a word"


class Durations(msgspec.Struct, frozen=True):
    """How long jobs took: `counts` in bands of `width` seconds, the last one with all longer ones.

    `quantiles` are seconds by the share of jobs that had ended within them.
    """

    width: float
    counts: list[int]
    quantiles: Mapping[float, float]
    longest: float


class Told(msgspec.Struct, frozen=True):
    """Of a summary what stands in the list of runs, whichever version wrote it."""

    exit_code: int = 0
    written: int = 0
    failed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report tells. `moment` is when it was read (seconds since the epoch)."""

    past: PastRun
    outcome: Outcome
    summary: Summary
    samples: Sequence[Sample]
    totals: Totals
    confidences: Sequence[int]
    durations: Durations
    worst: Sequence[Worst]
    examples: Sequence[Failure]
    runs: Sequence[PastRun]
    moment: float


def read_night(state: StateReader, number: int | None, moment: float) -> RunRecord:
    """What is known of a run by its number, or of the last one.

    Raises:
        StateUnusable: the state file knows of no run.
        BadSettings: it knows of others.
    """
    runs = past_runs(state)
    past = _chosen(runs, number, state)
    kept, last = samples(state, past.number), past is runs[-1]
    summary = _summary(past, _so_far(state, past, kept, last=last))
    summed = totals(state, past.number)
    return RunRecord(
        past=past,
        outcome=outcome_of(past, kept, moment, last=last),
        summary=summary,
        samples=kept,
        totals=summed,
        confidences=confidences(state, past.number, BANDS),
        durations=_durations(state, past.number, summed.longest),
        worst=worst(state, past.number, MOST_WORST),
        examples=_examples(state, summary, last=last),
        runs=runs,
        moment=moment,
    )


def _chosen(runs: Sequence[PastRun], number: int | None, state: StateReader) -> PastRun:
    if not runs:
        raise StateUnusable(
            f"The state file {state.path} remembers no run: it was written by an earlier version. "
            "The next run is remembered."
        )
    found = runs[-1:] if number is None else [each for each in runs if each.number == number]
    if not found:
        raise BadSettings(
            f"The state file {state.path} remembers the runs {runs[0].number} to "
            f"{runs[-1].number}, and none of the number {number}."
        )
    return found[0]


def told(past: PastRun) -> Told | None:
    """The few facts of a run's summary that reports of other runs tell; None of one without."""
    try:
        return msgspec.json.decode(past.summary or b"", type=Told)
    except msgspec.DecodeError:
        return None


def _summary(past: PastRun, so_far: Summary) -> Summary:
    """What a run said at its end; what its version did not say is as far as is known otherwise."""
    try:
        said = msgspec.json.decode(past.summary or b"", type=dict[str, Any])
        return msgspec.convert(msgspec.to_builtins(so_far) | said, Summary)
    except msgspec.DecodeError:
        return so_far


def outcome_of(past: PastRun, kept: Sequence[Sample], moment: float, *, last: bool) -> Outcome:
    """How the run ended; one that has said nothing for long was killed."""
    ended = told(past)
    if ended is None:
        patience = _SILENCE_SECONDS
        if len(kept) > 1:
            patience += 2 * (kept[-1].at - kept[-2].at)
        heard = kept[-1].at if kept else past.begun
        alive = last and past.ended is None and moment - heard < patience
        return Outcome.UNDER_WAY if alive else Outcome.KILLED
    return {
        0: Outcome.COMPLETE,
        1: Outcome.SOME_FAILED,
        2: Outcome.CANNOT_RUN,
        OVER_BUDGET: Outcome.OVER_BUDGET,
    }.get(ended.exit_code, Outcome.INTERRUPTED)


def _so_far(state: StateReader, past: PastRun, kept: Sequence[Sample], *, last: bool) -> Summary:
    """What a run without an end would say now, as far as its last sample and the file know."""
    seen = kept[-1] if kept else None
    settings = past.settings
    counts = state.counts()
    failures = state.failures() if last else {}
    return Summary(
        run_id="",
        version=settings.version,
        begun="",
        ended="",
        source=settings.source,
        output=settings.output,
        state=str(state.path),
        listed=seen.listed if seen else 0,
        skipped=state.skipped() if last else {},
        started=seen.started if seen else 0,
        adopted=0,
        resumed=0,
        written=seen.written if seen else 0,
        silent=seen.silent if seen else 0,
        tasks=state.output_lines,
        failed=sum(failures.values()) if last else seen.failed if seen else 0,
        postponed=0,
        failures=failures,
        examples=(),
        failures_file="",
        balance=Balance(0, 0, 0, 0, 0),
        pending=counts.pending if last else 0,
        in_flight=counts.in_flight if last else 0,
        oldest_in_flight_seconds=0.0,
        seconds=seen.at - past.begun if seen else 0.0,
        stages={},
        billed_seconds=0,
        cost=seen.cost if seen else 0.0,
        currency=settings.currency,
        prices_date=settings.prices_date,
        brakes=seen.waits if seen else {},
        most_in_flight=settings.most_in_flight,
        slots_found=seen.slots if seen else settings.most_in_flight,
        start_rate=settings.start_rate,
        calls={},
        refused={},
        stopped="",
        exit_code=0,
    )


def _durations(state: StateReader, run: int, longest: float) -> Durations:
    quantiles = job_quantiles(state, run, longest)
    most = quantiles.get(0.99, 0.0)
    width = next((each for each in _WIDTHS if most / each < _MOST_BARS), _WIDTHS[-1])
    return Durations(width, job_seconds(state, run, width, _MOST_BARS), quantiles, longest)


def _examples(state: StateReader, summary: Summary, *, last: bool) -> Sequence[Failure]:
    """Some failed recordings: of each reason, or those that the run named at its end."""
    if not last:
        return summary.examples
    return [Failure(key, reason, words) for reason, key, words in state.failure_examples(_EXAMPLES)]
