"""`status --watch`: a live view of a run, from its state file alone, until the run ends."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import typer

from pipeline.cli.status import StatusReport, lines, read_report
from pipeline.state.database import is_held
from pipeline.state.history import Sample, past_runs, samples
from pipeline.state.reader import read_state
from pipeline.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 40
_BAR_WIDTH = 40
_RECENT_SECONDS = 60.0
_WORTH_TELLING = 0.1
_SHARE_OF_READING = 10  # a big state file is read for a tenth of the time at most


class Seen(NamedTuple):
    """What one look has shown; `exit_code` is that of the last run, None where it gave none."""

    report: StatusReport
    samples: Sequence[Sample]
    runs: bool
    exit_code: int | None


def look(path: Path, now: float) -> Seen:
    """Look at a state file once; `now` is in seconds since the epoch.

    Raises:
        StateUnusable: there is no such state file.
    """
    runs = is_held(path)  # first: what is read after the end is the end
    report = read_report(path, now)
    with read_state(path) as state:
        last = next(reversed(past_runs(state)), None)
        taken = samples(state, last.number) if last else []
    return Seen(report, taken, runs, last.exit_code if last else None)


def follow(path: Path, seconds: float, *, json: bool) -> None:
    """Show the run until it ends: live on a terminal, else a line or JSON every so many seconds.

    Raises:
        StateUnusable: there is no such state file.
    """
    if not json and sys.stdout.isatty():
        _live(path, seconds)
        return
    for seen in _looks(path, seconds):
        line = msgspec.json.encode(seen.report).decode() if json else one_line(seen)
        typer.echo(line)
    if not json:
        typer.echo(end_of(seen))


def _looks(path: Path, seconds: float) -> Iterator[Seen]:
    while True:
        begun = time.monotonic()
        seen = look(path, time.time())
        yield seen
        if not seen.runs:
            return
        time.sleep(max(seconds, _SHARE_OF_READING * (time.monotonic() - begun)))


def _live(path: Path, seconds: float) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for seen in _looks(path, seconds):
            live.update(_view(seen), refresh=True)


def _view(seen: Seen) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    report = seen.report
    bar = ProgressBar(total=max(1, _known(report)), completed=_done(report), width=_BAR_WIDTH)
    line = Table.grid()  # a bar alone ends no line
    line.add_row(bar)
    told = [head(seen), *lines(report), *run_lines(seen.samples)]
    if not seen.runs:
        told.append(end_of(seen))
    return Group(line, *(Text(each, no_wrap=True, overflow="ellipsis") for each in told))


def head(seen: Seen) -> str:
    """How much of what is known is settled, and how long the rest takes."""
    report = seen.report
    share = _done(report) / _known(report) if _known(report) else 0.0
    left = report.pending + report.in_flight
    more = f", {duration(left / report.rate)} left" if seen.runs and left and report.rate else ""
    return f"{share:.0%} of {_known(report):,} recordings{more}"


def _done(report: StatusReport) -> int:
    return report.written + report.failed


def _known(report: StatusReport) -> int:
    return _done(report) + report.pending + report.in_flight


def run_lines(taken: Sequence[Sample]) -> Iterator[str]:
    """What the run itself has noted: its pace over time, its slots, and what holds it back."""
    if len(taken) <= 1:
        return
    last = taken[-1]
    yield f"Pace:      {sparkline(taken)}"
    yield f"Slots:     {last.in_flight:,} jobs in flight, {last.slots:,} slots found"
    recent = [each for each in taken if last.at - each.at <= _RECENT_SECONDS]
    seconds = last.at - recent[0].at
    grown = {
        brake: total - recent[0].brakes.get(brake, 0.0) for brake, total in last.brakes.items()
    }
    brake = max(grown, key=grown.__getitem__, default="")
    if seconds and grown and grown[brake] >= _WORTH_TELLING * seconds:
        share = min(1.0, grown[brake] / seconds)
        yield f"Brake:     {brake}, for {share:.0%} of the last {duration(seconds)}"


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
    return "".join(_BARS[round(each / most * (len(_BARS) - 1))] for each in written)


def one_line(seen: Seen) -> str:
    """One look as a line for a log."""
    report = seen.report
    parts = [
        f"{report.written:,} written",
        f"{report.rate:.1f}/s",
        head(seen),
        f"{report.failed:,} failed",
        f"{report.in_flight:,} in flight",
        f"{report.pending:,} pending",
    ]
    return " · ".join(parts)


def end_of(seen: Seen) -> str:
    """How the last run ended, where none works with the file now."""
    if seen.exit_code is None:
        return "Ended:     without a word, as when it was killed; the same command goes on."
    return f"Ended:     with exit code {seen.exit_code}"
