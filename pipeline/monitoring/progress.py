"""How far a run is: a bar on a terminal, a line or event every 30 s elsewhere; all on stderr."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.logs import event
from pipeline.state.reader import read_state
from pipeline.terminal import Style
from pipeline.text import duration, printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pipeline.monitoring.snapshot import RunSnapshot, Take

_LINE_SECONDS = 30.0
_BAR_SECONDS = 0.5
_NOTE_SECONDS = 1.0
_COUNT_SECONDS = 3.0
_WINDOW_SECONDS = 60.0
_LOGGED = ("listed", "listing_done", "jobs", "in_flight", "written", "failed")


class RunProgress(NamedTuple):
    """How far a run is: recordings that are `left`, and the `rate` of those written per second."""

    run: RunSnapshot
    left: int
    rate: float

    def __str__(self) -> str:
        """The most telling first: a narrow terminal cuts the rest off."""
        run = self.run
        parts = [f"{run.written:,} written", f"{self.rate:.1f}/s"]
        if self.rate and run.listing_done and self.left:
            parts.append(f"{duration(self.left / self.rate)} left")
        parts += [
            f"{run.failed:,} failed",
            f"{run.in_flight:,} in flight",
            f"{run.jobs:,} started",
            f"{sum(run.skipped.values()):,} skipped",
            f"{run.listed:,} listed" + ("" if run.listing_done else " so far"),
        ]
        return " · ".join(parts)

    def facts(self) -> dict[str, Any]:
        """The same by name, as a log has it."""
        run = self.run
        counts = {name: getattr(run, name) for name in _LOGGED}
        skipped = sum(run.skipped.values())
        return counts | {"skipped": skipped, "left": self.left, "rate": self.rate}


class ProgressMeter:
    """Reads how far a run is; the rate is that of the last minute."""

    def __init__(self, take: Take, path: Path) -> None:
        self._take = take
        self._path = path
        self._pending = 0
        self._written: deque[tuple[float, int]] = deque()
        self._noted = 0

    def new_notes(self) -> list[str]:
        """The notes of the run that are new since the last time."""
        notes = self._take().notes[self._noted :]
        self._noted += len(notes)
        return [printable(note) for note in notes]

    async def count(self) -> None:
        """Count what is pending, in a thread: a big bucket takes a while."""
        self._pending = await asyncio.to_thread(_pending, self._path)

    def read(self, now: float) -> RunProgress:
        """The run at the moment `now` (seconds, monotonic)."""
        run = self._take()
        self._written.append((now, run.written))
        while now - self._written[0][0] > _WINDOW_SECONDS:
            self._written.popleft()
        then, before = self._written[0]
        rate = (run.written - before) / (now - then) if now > then else 0.0
        return RunProgress(run, self._pending + run.in_flight, rate)


@asynccontextmanager
async def shown(take: Take, path: Path, style: Style) -> AsyncIterator[None]:
    """Show the progress of the run with that state file while the body goes on."""
    show = {Style.BAR: _bar, Style.LINES: _lines, Style.EVENTS: _events}.get(style)
    if show is None:
        yield
        return
    meter = ProgressMeter(take, path)
    tasks = [asyncio.create_task(each) for each in (_counting(meter), show(meter))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _counting(meter: ProgressMeter) -> None:
    while True:
        await meter.count()
        await asyncio.sleep(_COUNT_SECONDS)


async def _lines(meter: ProgressMeter) -> None:
    meter.read(time.monotonic())
    while True:
        for _ in range(round(_LINE_SECONDS / _NOTE_SECONDS)):
            await asyncio.sleep(_NOTE_SECONDS)
            sys.stderr.writelines(f"{note}\n" for note in meter.new_notes())
        sys.stderr.write(f"{meter.read(time.monotonic())}\n")


async def _events(meter: ProgressMeter) -> None:
    meter.read(time.monotonic())
    while True:
        await asyncio.sleep(_LINE_SECONDS)
        seen = meter.read(time.monotonic())
        event("progress", message=str(seen), **seen.facts())


async def _bar(meter: ProgressMeter) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=16), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=None)
        while True:
            for note in meter.new_notes():
                console.print(note, markup=False, highlight=False)
            seen = meter.read(time.monotonic())
            done = seen.run.written + seen.run.failed
            total = done + seen.left if seen.run.listing_done else None
            progress.update(task, description=str(seen), completed=done, total=total, refresh=True)
            await asyncio.sleep(_BAR_SECONDS)


def _pending(path: Path) -> int:
    with read_state(path) as state:
        return state.recordings.pending()
