"""What a run did: the facts as one value, and the same facts as text for people. Pure."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from pipeline import __version__
from pipeline.failures import advice
from pipeline.logs import RUN_ID, moment
from pipeline.stages.stage_times import StageTotal  # noqa: TC001 # msgspec reads the annotations at run time
from pipeline.text import duration, printable, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.run import Run
    from pipeline.stages.counters import Counters
    from pipeline.state.reader import Counts, StateReader

_SHOWN_FAILURES = 5
OVER_BUDGET = 3
"""The exit code of a run that a budget ended with work left."""

HOLDS_STARTS = ("slots", "StartTranscriptionJob")
"""The brakes that hold starts back: where one binds, waiting for another call costs nothing."""

_WORTH_TELLING = 0.1
_WORTH_TELLING_SECONDS = 5


class Failure(msgspec.Struct, frozen=True):
    """One failed recording: its key, the class of the reason, and the service's words."""

    key: str
    reason: str
    words: str


class Balance(msgspec.Struct, frozen=True):
    """Where the objects of a listing stand; `pending` includes those in flight."""

    listed: int
    written: int
    failed: int
    skipped: int
    pending: int

    @property
    def adds_up(self) -> bool:
        """Whether nothing was dropped."""
        return self.listed == self.written + self.failed + self.skipped + self.pending


class Summary(msgspec.Struct, frozen=True):
    """The facts of a run; counts of recordings unless another unit is named.

    `listed` counts objects of this run's listing. `written`, `failures` and `started` are of this
    run; `tasks` is the number of lines that the output holds. `brakes` are seconds by brake,
    `calls` and `refused` numbers of calls by operation. `balance` tells where the listed objects
    stand at the end; its parts add up to `listed`, or something was dropped. `stopped` is why the
    run ended early: "interrupted", a budget, or the sentence of an error; else empty.
    `begun` and `ended` are moments in UTC.
    `billed_seconds` of audio and their `cost` are those of the transcripts that this run collected.
    `notes` are sentences about what went another way than was asked for.
    """

    run_id: str
    version: str
    begun: str
    ended: str
    source: str
    output: str
    state: str
    listed: int
    skipped: dict[str, int]
    started: int
    adopted: int
    resumed: int
    written: int
    silent: int
    tasks: int
    failed: int
    postponed: int
    failures: dict[str, int]
    examples: tuple[Failure, ...]
    failures_file: str
    balance: Balance
    pending: int
    in_flight: int
    oldest_in_flight_seconds: float
    seconds: float
    stages: dict[str, StageTotal]
    billed_seconds: int
    cost: float
    currency: str
    prices_date: str
    brakes: dict[str, float]
    most_in_flight: int
    slots_found: int
    start_rate: float
    calls: dict[str, int]
    refused: dict[str, int]
    stopped: str
    exit_code: int
    notes: tuple[str, ...] = ()


def summarise(run: Run, exit_code: int, stopped: str = "") -> Summary:
    """Gather the facts of a run that has ended; where recordings failed, exit code 0 becomes 1."""
    tracker, figures, config = run.tracker, run.tracker.figures, run.config
    counts, failures = tracker.state.counts(), tracker.state.failures()
    ended = datetime.now(UTC)
    return Summary(
        run_id=RUN_ID,
        version=__version__,
        begun=moment(ended - timedelta(seconds=figures.seconds)),
        ended=moment(ended),
        source=run.source.uri,
        output=str(config.output_path),
        state=str(config.state_path),
        listed=figures.listed,
        skipped=dict(figures.skipped),
        started=figures.started,
        adopted=figures.adopted,
        resumed=figures.resumed,
        written=figures.written,
        silent=figures.silent,
        tasks=tracker.state.output_lines,
        failed=sum(failures.values()),
        postponed=figures.postponed,
        failures=failures,
        examples=_examples(tracker.state),
        failures_file=str(config.failures_path) if failures else "",
        balance=balance(figures, tracker.state.selected()),
        pending=counts.pending,
        in_flight=counts.in_flight,
        oldest_in_flight_seconds=round(tracker.oldest_seconds, 3),
        seconds=round(figures.seconds, 3),
        stages=figures.passage.spent(),
        billed_seconds=figures.billed_seconds,
        cost=round(tracker.cost, 4),
        currency=tracker.prices.currency,
        prices_date=tracker.prices.prices_date,
        brakes={brake: round(s, 3) for brake, s in tracker.braking.seconds().items()},
        most_in_flight=config.most_in_flight,
        slots_found=tracker.slots.limit.limit,
        start_rate=config.limits.start_rate,
        calls={each.name: each.calls for each in run.operations if each.calls},
        refused=_refused(run),
        stopped=stopped,
        exit_code=exit_code or int(bool(failures or figures.postponed)),
        notes=tuple(figures.notes),
    )


def _refused(run: Run) -> dict[str, int]:
    """How many calls were refused, by operation, and starts for want of a slot."""
    refused = {each.name: each.refused for each in run.operations if each.refused}
    if run.tracker.slots.refused_starts:
        refused["no free slot"] = run.tracker.slots.refused_starts
    return refused


def _examples(state: StateReader) -> tuple[Failure, ...]:
    return tuple(
        Failure(job.recording.key, reason, words)
        for job, reason, words in islice(state.failed_recordings(), _SHOWN_FAILURES)
    )


def balance(figures: Counters, touched: Counts) -> Balance:
    """Where the objects of this run's listing stand.

    Args:
        figures: of the run; what its listing did not touch was written by earlier runs.
        touched: where the recordings stand that it touched, from the state file.
    """
    skipped = figures.skipped.total()
    return Balance(
        listed=figures.listed,
        written=figures.listed - skipped - figures.touched + touched.written,
        failed=touched.failed,
        skipped=skipped,
        pending=touched.pending + touched.in_flight,
    )


def as_text(summary: Summary) -> str:
    """The summary as lines of text."""
    return "\n".join(_lines(summary))


def _lines(s: Summary) -> Iterator[str]:
    before = s.tasks - s.written
    head = {0: "Done", 1: "Done", 130: "Interrupted", 143: "Interrupted"}.get(
        s.exit_code, "Stopped"
    )
    yield (
        f"{head} in {duration(s.seconds)}: {s.written:,} written"
        + (f" ({s.silent:,} without speech)" if s.silent else "")
        + (f", {before:,} written before" if before else "")
        + f", {s.failed:,} failed, {sum(s.skipped.values()):,} skipped of {s.listed:,} listed."
    )
    if s.postponed:
        yield (
            f"Left:    {s.postponed:,} met faults at the service for too long; the next run goes "
            "on with them."
        )
    if s.skipped:
        yield "Skipped: " + tally(s.skipped)
    if s.failures:
        yield from _failure_lines(s)
    if brake := brake_sentence(s):
        yield f"Limit:   {brake}"
    if s.failures_file:
        yield f"         all of them: {s.failures_file}"
    for note in s.notes:
        yield f"Note:    {printable(note)}"
    if s.cost:
        yield (
            f"Cost:    about {s.currency} {s.cost:,.2f} for {s.billed_seconds / 60:,.1f} billed "
            f"minutes, at the prices of {s.prices_date}."
        )
    yield _balance_line(s.balance)
    yield f"Tasks:   {s.output} ({s.tasks:,} lines)"
    yield f"State:   {s.state}"
    yield f"Next:    {_next_step(s)}"


def _failure_lines(s: Summary) -> Iterator[str]:
    yield "Failed:  " + tally(s.failures)
    for each in s.examples:
        yield f"  {printable(each.key)}: {printable(each.words)}"
    if s.failed > len(s.examples):
        yield f"  and {s.failed - len(s.examples):,} more"
    for reason in s.failures:
        if step := advice(reason):
            yield f"  {reason}: {step}"


def _balance_line(b: Balance) -> str:
    parts = f"{b.written:,} written + {b.failed:,} failed + {b.skipped:,} skipped"
    if b.adds_up:
        return f"Balance: {b.listed:,} listed = {parts} + {b.pending:,} pending"
    return (
        f"Balance: {b.listed:,} listed, but {parts} + {b.pending:,} pending: something was lost. "
        "Please report this, with the state file."
    )


def brake_sentence(s: Summary) -> str:
    """Which brake bound the run and what raising it would buy; "" where none did."""
    worth_telling = max(_WORTH_TELLING_SECONDS, _WORTH_TELLING * s.seconds)
    told = {name: seconds for name, seconds in s.brakes.items() if seconds >= worth_telling}
    first = {name: seconds for name, seconds in told.items() if name in HOLDS_STARTS}
    if not told:
        return ""
    brake, seconds = max((first or told).items(), key=lambda each: each[1])
    held = f"held the run back for {duration(seconds)} of {duration(s.seconds)}"
    if brake == "slots" and s.slots_found < s.most_in_flight:
        return (
            f"the account's job slots ({s.slots_found} found) {held}; "
            "a higher quota (L-6F7AB1C9) would shorten it in proportion."
        )
    if brake == "slots":
        return (
            f"--max-in-flight {s.most_in_flight} {held}; "
            "where the account has more slots, a higher value shortens it in proportion."
        )
    if brake != "StartTranscriptionJob":
        return f"the rate of {brake} {held}."
    if brake in s.refused:
        return f"the account's start rate {held}; a higher quota would shorten it."
    return (
        f"--start-rate {s.start_rate:g} {held}; "
        "a higher one helps where the account's quota allows it."
    )


def _next_step(s: Summary) -> str:
    if s.exit_code == OVER_BUDGET:
        left = f" {s.balance.pending:,} of those listed are left." if s.balance.pending else ""
        return f"run the same command again for the rest ({s.stopped} is over).{left}"
    if s.stopped:
        return "run the same command again; it goes on where it stopped."
    if s.failed and not s.tasks:
        return "mend what is said above, then put the recordings back with " + _command("retry", s)
    if not s.tasks:
        return "check SOURCE, --include and --exclude: there is nothing to review yet."
    return f"{_command('export', s)} makes the file that Label Studio's Import button takes."


def _command(verb: str, s: Summary) -> str:
    """A command on the files of this run, as a shell takes it."""
    words = ["transcribe-pipeline", verb, "--output", s.output]
    if s.state != f"{s.output}.state":
        words += ["--state", s.state]
    return shlex.join(words)
