"""How far a run is: a bar on a terminal, a line every 30 seconds elsewhere; all on stderr."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.board import Board

_LINE_SECONDS = 30.0
_BAR_SECONDS = 0.5
_WINDOW_SECONDS = 60.0


class Style(StrEnum):
    """How progress is told."""

    BAR = "bar"
    LINES = "lines"
    QUIET = "quiet"


def style_for(*, quiet: bool) -> Style:
    """A bar where someone watches, lines where it goes to a log."""
    if quiet:
        return Style.QUIET
    watched = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Style.BAR if watched else Style.LINES


class Snapshot(NamedTuple):
    """A run at one moment; counts of recordings, `rate` in recordings written per second."""

    listed: int
    listing_done: bool
    skipped: int
    started: int
    in_flight: int
    written: int
    failed: int
    left: int
    rate: float

    def __str__(self) -> str:
        """The most telling first: a narrow terminal cuts the rest off."""
        parts = [f"{self.written:,} written", f"{self.rate:.1f}/s"]
        if self.rate and self.listing_done and self.left:
            parts.append(f"{duration(self.left / self.rate)} left")
        parts += [
            f"{self.failed:,} failed",
            f"{self.in_flight:,} in flight",
            f"{self.started:,} started",
            f"{self.skipped:,} skipped",
            f"{self.listed:,} listed" + ("" if self.listing_done else " so far"),
        ]
        return " · ".join(parts)


class Gauge:
    """Takes snapshots; the rate is that of the last minute."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._written: deque[tuple[float, int]] = deque()

    def read(self, now: float) -> Snapshot:
        """The run at the moment `now` (seconds, monotonic)."""
        figures = self._board.figures
        self._written.append((now, figures.written))
        while now - self._written[0][0] > _WINDOW_SECONDS:
            self._written.popleft()
        then, before = self._written[0]
        in_flight = len(self._board.waiting)
        return Snapshot(
            listed=figures.listed,
            listing_done=figures.listing_done,
            skipped=figures.skipped.total(),
            started=figures.started + figures.adopted + figures.resumed,
            in_flight=in_flight,
            written=figures.written,
            failed=figures.failed,
            left=self._board.state.pending() + in_flight,
            rate=(figures.written - before) / (now - then) if now > then else 0.0,
        )


@asynccontextmanager
async def shown(board: Board, style: Style) -> AsyncIterator[None]:
    """Show the progress of a run while the body goes on."""
    show = {Style.BAR: _bar, Style.LINES: _lines}.get(style)
    if show is None:
        yield
        return
    task = asyncio.create_task(show(Gauge(board)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _lines(gauge: Gauge) -> None:
    gauge.read(time.monotonic())
    while True:
        await asyncio.sleep(_LINE_SECONDS)
        sys.stderr.write(f"{gauge.read(time.monotonic())}\n")


async def _bar(gauge: Gauge) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=16), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=None)
        while True:
            seen = gauge.read(time.monotonic())
            done = seen.written + seen.failed
            total = done + seen.left if seen.listing_done else None
            progress.update(task, description=str(seen), completed=done, total=total, refresh=True)
            await asyncio.sleep(_BAR_SECONDS)


def duration(seconds: float) -> str:
    """A duration in words of at most two units."""
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    whole = max(0, round(seconds))
    index = next((i for i, (size, _) in enumerate(units) if whole >= size), len(units) - 1)
    parts: list[str] = []
    for size, name in units[index : index + 2]:
        count, whole = divmod(whole, size)
        if count or not parts:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def printable(text: str) -> str:
    """A key or message on one line, control characters escaped, other Unicode as it is."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
