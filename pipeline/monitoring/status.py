"""How far a run is, from its state file alone: read once, or again and again until the run ends."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from pipeline.monitoring.run_facts import read_now, run_facts
from pipeline.monitoring.summary import RunFacts
from pipeline.recordings.selection import tally_skipped
from pipeline.state.history import PastRun, Settings
from pipeline.state.lock import is_held
from pipeline.state.reader import read_state
from pipeline.text import count_of, duration, printable, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from pipeline.state.history import Sample
    from pipeline.state.reader import StateReader

_WINDOW_SECONDS = 600
_BLOCKS = "▁▂▃▄▅▆▇█"
_COLUMNS = 40
_BAR_WIDTH = 40
_RECENT_SECONDS = 60.0
_WORTH_TELLING = 0.1
_SHARE_OF_READING = 10  # a big state file is read for a tenth of the time at most


class Recordings(msgspec.Struct, frozen=True):
    """Where the recordings of a state file stand, whichever run took them."""

    written: int = 0
    failed: int = 0
    pending: int = 0
    in_flight: int = 0

    @property
    def left(self) -> int:
        """How many are not settled yet."""
        return self.pending + self.in_flight

    @property
    def settled(self) -> int:
        """How many are written or failed."""
        return self.written + self.failed


class Rate(msgspec.Struct, frozen=True):
    """Recordings written a second over the last so many seconds."""

    per_second: float
    seconds: float


class StatusReport(RunFacts, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of the last run, and how the recordings of the state file stand now.

    `rate` is over the last ten minutes, or since the last run began. `oldest_in_flight_seconds` is
    the age of the oldest job in flight, None without any.
    """

    recordings: Recordings
    rate: Rate
    oldest_in_flight_seconds: float | None = None


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
    report = _read(path).report
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


def _reading(state: StateReader, now: float, *, runs: bool) -> StatusReading:
    last = next(reversed(state.history.past_runs()), None)
    taken = state.history.samples(last.number) if last else []
    found, oldest = read_now(state), state.recordings.oldest_in_flight()
    begun = float(state.facts.value("begun") or now)
    window = max(1.0, min(_WINDOW_SECONDS, now - begun))
    rate = state.recordings.written_since(now - window) / window
    facts = found.known_to(run_facts(state, last or _unknown(state, now), taken, found))
    named = {name: getattr(facts, name) for name in RunFacts.__struct_fields__}
    report = StatusReport(
        **named | {"files": replace(facts.files, state=str(state.path))},
        recordings=Recordings(
            found.stand.written, facts.counts.failed, found.stand.pending, found.stand.in_flight
        ),
        rate=Rate(round(rate, 3), round(window, 1)),
        oldest_in_flight_seconds=None if oldest is None else round(now - oldest, 1),
    )
    return StatusReading(report, taken, runs, last.exit_code if last else None)


def _unknown(state: StateReader, now: float) -> PastRun:
    """A run of which nothing is remembered: the state file is of before there was a history."""
    source, output = state.facts.value("source") or "", state.facts.value("output") or ""
    return PastRun(0, now, None, Settings(source=source, output=output), None)


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
    with read_state(path) as state:
        return _reading(state, time.time(), runs=runs)


# What people read


def lines(report: StatusReport) -> Iterator[str]:
    """The report as people read it."""
    stand = report.recordings
    failures = report.failures.reasons if report.failures else {}
    yield f"Source:    {printable(report.source)}"
    yield (
        f"Tasks:     {stand.written:,} written, {stand.in_flight:,} in flight, "
        f"{stand.pending:,} pending, {stand.failed:,} failed"
    )
    yield f"Rate:      {_rate(report.rate, stand.written)}"
    if report.oldest_in_flight_seconds is not None:
        yield f"Oldest:    in flight for {duration(report.oldest_in_flight_seconds)}"
    if skipped := report.counts.skipped:
        yield f"Skipped:   {tally_skipped(skipped, report.counts.not_audio)}"
    if failures:
        yield f"Failed:    {tally(failures)}"


def _rate(rate: Rate, written: int) -> str:
    window = duration(rate.seconds)
    if rate.per_second:
        return f"{rate.per_second:.1f}/s over the last {window}"
    if not written:
        return "nothing was written yet"
    whole = rate.seconds >= _WINDOW_SECONDS
    return f"nothing was written {f'in the last {window}' if whole else 'since the last run began'}"


def head(reading: StatusReading) -> str:
    """How much of what is known is settled, and how long the rest takes."""
    stand, rate = reading.report.recordings, reading.report.rate.per_second
    known = stand.settled + stand.left
    share = stand.settled / known if known else 0.0
    timed = reading.runs and stand.left and rate
    more = f", {duration(stand.left / rate)} left" if timed else ""
    return f"{share:.0%} of {count_of(known, 'recording')}{more}"


def one_line(reading: StatusReading) -> str:
    """A reading as a line for a log."""
    stand = reading.report.recordings
    parts = [
        f"{stand.written:,} written",
        f"{reading.report.rate.per_second:.1f}/s",
        head(reading),
        f"{stand.failed:,} failed",
        f"{stand.in_flight:,} in flight",
        f"{stand.pending:,} pending",
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
    jobs, slots = count_of(last.in_flight, "job"), count_of(last.slots_found, "slot")
    yield f"Slots:     {jobs} in flight, {slots} found"
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

    report, stand = reading.report, reading.report.recordings
    known = max(1, stand.settled + stand.left)
    line = Table.grid()  # a bar alone ends no line
    line.add_row(ProgressBar(total=known, completed=stand.settled, width=_BAR_WIDTH))
    shown = [head(reading), *lines(report), *run_lines(reading.samples)]
    if not reading.runs:
        shown.append(end_of(reading))
    return Group(line, *(Text(each, no_wrap=True, overflow="ellipsis") for each in shown))
