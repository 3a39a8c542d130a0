"""What a run did, as one value: printed, remembered in the state file, and read by reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from pipeline import __version__
from pipeline.logs import moment, run_id
from pipeline.model import Cost  # noqa: TC001 # msgspec reads the annotation
from pipeline.monitoring.snapshot import NO_FREE_SLOT, take_snapshot

if TYPE_CHECKING:
    from pipeline.monitoring.snapshot import RunSnapshot
    from pipeline.run import Run
    from pipeline.state.reader import StateReader

_Number = TypeVar("_Number", int, float)
_SHOWN_FAILURES = 5
OVER_BUDGET = 3
"""The exit code of a run that a budget ended with work left."""


class Failure(msgspec.Struct, frozen=True):
    """One failed recording: its key, the class of the reason, and the service's own words."""

    key: str
    reason: str
    message: str


class Failures(msgspec.Struct, frozen=True):
    """How many recordings failed by reason, the most frequent first, and some of them."""

    reasons: dict[str, int]
    examples: tuple[Failure, ...] = ()


class Counts(msgspec.Struct, frozen=True):
    """Counts of recordings, but for `listed` and `skipped`, of objects, and `tasks`, of lines.

    `listed`, `skipped`, `deferred` and all between are of this run, but `failed`: that and
    `pending` and `in_flight` are how the recordings stand at its end. `tasks` is what the output
    holds. `not_audio` are skipped objects by extension.
    """

    listed: int = 0
    skipped: dict[str, int] = {}
    not_audio: dict[str, int] = {}
    started: int = 0
    adopted: int = 0
    resumed: int = 0
    written: int = 0
    silent: int = 0
    failed: int = 0
    deferred: int = 0
    pending: int = 0
    in_flight: int = 0
    tasks: int = 0


class Balance(msgspec.Struct, frozen=True):
    """Where the objects of a listing stand, and what the output holds; each is counted by itself.

    `pending` includes those in flight, `duplicates` are recordings that were named more than once.
    `tasks` are the lines of the output, `contents` what is written of recordings, over all runs.
    """

    listed: int
    written: int
    failed: int
    skipped: int
    pending: int
    duplicates: int = 0
    tasks: int = 0
    contents: int = 0

    @property
    def adds_up(self) -> bool:
        """Whether nothing was dropped."""
        parts = (self.written, self.failed, self.skipped, self.pending, self.duplicates)
        return self.listed == sum(parts) and self.tasks == self.contents


class Limits(msgspec.Struct, frozen=True):
    """Jobs in flight that are allowed, slots that were found, starts per second allowed."""

    max_in_flight: int
    slots_found: int
    start_rate: float


class Files(msgspec.Struct, frozen=True, omit_defaults=True):
    """Paths; `failures` is there where recordings failed."""

    output: str
    state: str
    failures: str = ""


class StageTotal(msgspec.Struct, frozen=True):
    """What `count` recordings spent in one stage, in seconds altogether."""

    count: int
    seconds: float


class RunFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a run, ended or not; what does not apply is absent.

    `stopped` is why it ended early: "interrupted", a budget, or the sentence of an error. `waits`
    are seconds by the limit that was waited for, `calls` and `refused` numbers of calls by
    operation, with starts for want of a slot as `no free slot`. A folder has no `cost`.
    """

    source: str
    seconds: float
    stopped: str = ""
    counts: Counts
    limits: Limits
    waits: dict[str, float] = {}
    calls: dict[str, int] = {}
    refused: dict[str, int] = {}
    cost: Cost | None = None
    failures: Failures | None = None
    files: Files


class RunEnd(NamedTuple):
    """How a run has ended: its exit code, why it ended early, and the facts of an error."""

    exit_code: int = 0
    stopped: str = ""
    problem: str = ""
    advice: str = ""


class Summary(RunFacts, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of a run that has ended. `begun` and `ended` are moments in UTC.

    `balance` tells where the listed objects stand at the end; its parts add up to `listed`, or
    something was dropped. `problem` and `advice` are of an error that ended the run.
    `oldest_in_flight_seconds` is the age of the oldest job in flight. `notes` are sentences about
    what went another way than was asked for.
    """

    run_id: str
    version: str
    begun: str
    ended: str
    exit_code: int
    problem: str = ""
    advice: str = ""
    balance: Balance
    stages: dict[str, StageTotal] = {}
    oldest_in_flight_seconds: float = 0.0
    notes: tuple[str, ...] = ()


def summarise(run: Run, end: RunEnd) -> Summary:
    """Gather the facts of a run that has ended; where recordings failed, exit code 0 becomes 1."""
    snapshot, config, state = take_snapshot(run), run.config, run.tracker.state.reader
    ended, failures = datetime.now(UTC), _failures(state)
    return Summary(
        run_id=run_id(),
        version=__version__,
        begun=moment(ended - timedelta(seconds=snapshot.seconds)),
        ended=moment(ended),
        source=snapshot.source,
        exit_code=end.exit_code or int(bool(failures or snapshot.deferred)),
        stopped=end.stopped,
        problem=end.problem,
        advice=end.advice,
        seconds=round(snapshot.seconds, 3),
        counts=_counts(snapshot, state),
        balance=balance(snapshot, state),
        limits=Limits(config.most_in_flight, snapshot.slots_found, config.limits.start_rate),
        waits=_not_zero(snapshot.waits),
        calls=_not_zero(snapshot.calls),
        refused=_not_zero(snapshot.refused | {NO_FREE_SLOT: snapshot.refused_starts}),
        cost=snapshot.cost,
        stages={
            stage: StageTotal(spent.count, round(spent.seconds, 3))
            for stage, spent in snapshot.stages.items()
        },
        oldest_in_flight_seconds=round(snapshot.oldest_seconds, 3),
        failures=failures,
        files=Files(
            output=config.output_name,
            state=str(config.state_path),
            failures=str(config.failures_path) if failures else "",
        ),
        notes=snapshot.notes,
    )


def with_note(summary: Summary, sentence: str, **files: str) -> Summary:
    """The summary with one more note, and other names of files."""
    return replace(summary, notes=(*summary.notes, sentence), files=replace(summary.files, **files))


def _counts(run: RunSnapshot, state: StateReader) -> Counts:
    stand = state.recordings.counts()
    return replace(
        msgspec.convert(run, Counts, from_attributes=True),
        failed=sum(state.failures.by_reason().values()),
        pending=stand.pending,
        in_flight=stand.in_flight,
        tasks=state.facts.output_lines,
    )


def _failures(state: StateReader) -> Failures | None:
    if not (reasons := state.failures.by_reason()):
        return None
    first = islice(state.failures.recordings(), _SHOWN_FAILURES)
    return Failures(
        reasons,
        tuple(Failure(job.recording.key, reason, message) for job, reason, message in first),
    )


def _not_zero(values: dict[str, _Number]) -> dict[str, _Number]:
    return {name: value for name, value in values.items() if value}


def balance(run: RunSnapshot, state: StateReader) -> Balance:
    """Where the objects of this run's listing stand, and whether each content has its task."""
    touched = state.recordings.selected()
    return Balance(
        listed=run.listed,
        written=run.unchanged + touched.written,
        failed=touched.failed,
        skipped=sum(run.skipped.values()),
        pending=touched.pending + touched.in_flight,
        duplicates=run.duplicates,
        tasks=state.facts.output_lines,
        contents=state.recordings.contents_written(),
    )
