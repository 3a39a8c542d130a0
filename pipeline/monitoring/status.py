"""How far a run is, from its state file alone: read once, or again and again until the run ends."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.state.lock import is_held
from pipeline.state.reader import read_state
from pipeline.text import duration, printable, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from pipeline.state.history import Sample

_WINDOW_SECONDS = 600
_BLOCKS = "▁▂▃▄▅▆▇█"
_COLUMNS = 40
_BAR_WIDTH = 40
_RECENT_SECONDS = 60.0
_WORTH_TELLING = 0.1
_SHARE_OF_READING = 10  # a big state file is read for a tenth of the time at most


class StatusReport(msgspec.Struct, frozen=True):
    """The facts of a state file; counts of recordings.

    `rate` is per second over the last `rate_seconds`: ten minutes, or since the last run began.
    """

    source: str
    state: str
    pending: int
    in_flight: int
    written: int
    failed: int
    skipped: dict[str, int]
    failures: dict[str, int]
    rate: float
    rate_seconds: float
    oldest_in_flight_seconds: float | None

    @property
    def left(self) -> int:
        """How many recordings are not settled yet."""
        return self.pending + self.in_flight

    @property
    def settled(self) -> int:
        """How many recordings are written or failed."""
        return self.written + self.failed


class StatusReading(NamedTuple):
    """What was read at one moment; `exit_code` is that of the last run, None where it gave none."""

    report: StatusReport
    samples: Sequence[Sample]
    runs: bool
    exit_code: int | None


def status(path: Path, *, json: bool) -> str:
    """The status as text for people, or as one line of JSON.

    Raises:
        StateUnusable: there is no such state file.
    """
    report = read_report(path, time.time())
    return _json(report) if json else "\n".join(lines(report))


def follow(path: Path, seconds: float, say: Callable[[str], None], *, json: bool) -> None:
    """Show the run until it ends: live on a terminal, else a line or JSON every so many seconds.

    Raises:
        StateUnusable: there is no such state file.
    """
    readings = _readings(path, seconds)
    if not json and sys.stdout.isatty():
        _live(readings)
        return
    for reading in readings:
        say(_json(reading.report) if json else one_line(reading))
    if not json:
        say(end_of(reading))


def read_report(path: Path, now: float) -> StatusReport:
    """Read the facts; `now` is in seconds since the epoch.

    Raises:
        StateUnusable: there is no such state file.
    """
    with read_state(path) as state:
        counts = state.recordings.counts()
        oldest = state.recordings.oldest_in_flight()
        failures = state.failures.by_reason()
        begun = float(state.facts.value("begun") or now)
        window = max(1.0, min(_WINDOW_SECONDS, now - begun))
        return StatusReport(
            source=state.facts.value("source") or "",
            state=str(path),
            pending=counts.pending,
            in_flight=counts.in_flight,
            written=counts.written,
            failed=sum(failures.values()),
            skipped=state.facts.skipped(),
            failures=failures,
            rate=round(state.recordings.written_since(now - window) / window, 3),
            rate_seconds=round(window, 1),
            oldest_in_flight_seconds=None if oldest is None else round(now - oldest, 1),
        )


def _json(report: StatusReport) -> str:
    return msgspec.json.encode(report).decode()


def _readings(path: Path, seconds: float) -> Iterator[StatusReading]:
    while True:
        begun = time.monotonic()
        reading = _read(path)
        yield reading
        if not reading.runs:
            return
        time.sleep(max(seconds, _SHARE_OF_READING * (time.monotonic() - begun)))


def _read(path: Path) -> StatusReading:
    runs = is_held(path)  # first: what is read after the end is the end
    report = read_report(path, time.time())
    with read_state(path) as state:
        last = next(reversed(state.history.past_runs()), None)
        taken = state.history.samples(last.number) if last else []
    return StatusReading(report, taken, runs, last.exit_code if last else None)


# What people read


def lines(report: StatusReport) -> Iterator[str]:
    """The report as people read it."""
    yield f"Source:    {printable(report.source)}"
    yield (
        f"Tasks:     {report.written:,} written, {report.in_flight:,} in flight, "
        f"{report.pending:,} pending, {report.failed:,} failed"
    )
    yield f"Rate:      {report.rate:.1f}/s over the last {duration(report.rate_seconds)}"
    if report.oldest_in_flight_seconds is not None:
        yield f"Oldest:    in flight for {duration(report.oldest_in_flight_seconds)}"
    for title, counts in (("Skipped:", report.skipped), ("Failed:", report.failures)):
        if counts:
            yield f"{title:<10} {tally(counts)}"


def head(reading: StatusReading) -> str:
    """How much of what is known is settled, and how long the rest takes."""
    report = reading.report
    known = report.settled + report.left
    share = report.settled / known if known else 0.0
    timed = reading.runs and report.left and report.rate
    more = f", {duration(report.left / report.rate)} left" if timed else ""
    return f"{share:.0%} of {known:,} recordings{more}"


def one_line(reading: StatusReading) -> str:
    """A reading as a line for a log."""
    report = reading.report
    parts = [
        f"{report.written:,} written",
        f"{report.rate:.1f}/s",
        head(reading),
        f"{report.failed:,} failed",
        f"{report.in_flight:,} in flight",
        f"{report.pending:,} pending",
    ]
    return " · ".join(parts)


def end_of(reading: StatusReading) -> str:
    """How the last run ended, where none works with the file now."""
    if reading.exit_code is None:
        return "Ended:     without a word, as when it was killed; the same command goes on."
    return f"Ended:     with exit code {reading.exit_code}"


def run_lines(taken: Sequence[Sample]) -> Iterator[str]:
    """What the run itself has noted: its pace over time, its slots, and what holds it back."""
    if len(taken) <= 1:
        return
    last = taken[-1]
    yield f"Pace:      {sparkline(taken)}"
    yield f"Slots:     {last.in_flight:,} jobs in flight, {last.slots_found:,} slots found"
    recent = next(each for each in taken if last.at - each.at <= _RECENT_SECONDS)
    seconds = last.at - recent.at
    grown = {limit: total - recent.waits.get(limit, 0.0) for limit, total in last.waits.items()}
    limit = max(grown, key=grown.__getitem__, default="")
    if seconds and grown and grown[limit] >= _WORTH_TELLING * seconds:
        share = min(1.0, grown[limit] / seconds)
        yield f"Limit:     {limit}, for {share:.0%} of the last {duration(seconds)}"


def sparkline(taken: Sequence[Sample]) -> str:
    """Recordings written per stretch of time since the run began, the most as a whole block.

    The stretches are alike, however the samples lie, and long enough for three of them each.
    """
    columns = max(1, min(_COLUMNS, len(taken) // 3))
    begin = taken[0].at
    width = (taken[-1].at - begin) / columns or 1.0
    written = [0] * columns
    for before, after in pairwise(taken):
        column = int((after.at - begin) / width)  # anywhere, where the clock was set back
        column = max(0, min(columns - 1, column))
        written[column] += after.written - before.written
    most = max(written) or 1
    return "".join(_BLOCKS[round(each / most * (len(_BLOCKS) - 1))] for each in written)


# The live view of a terminal


def _live(readings: Iterator[StatusReading]) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for reading in readings:
            live.update(view(reading), refresh=True)


def view(reading: StatusReading) -> RenderableType:
    """A bar, and below it a line for each fact, cut where the terminal ends."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    report = reading.report
    known = max(1, report.settled + report.left)
    line = Table.grid()  # a bar alone ends no line
    line.add_row(ProgressBar(total=known, completed=report.settled, width=_BAR_WIDTH))
    shown = [head(reading), *lines(report), *run_lines(reading.samples)]
    if not reading.runs:
        shown.append(end_of(reading))
    return Group(line, *(Text(each, no_wrap=True, overflow="ellipsis") for each in shown))
