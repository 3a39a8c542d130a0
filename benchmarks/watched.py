"""The command, watched from inside: how long its event loop was blocked, its CPU, its memory.

    python -m benchmarks.watched FACTS.json run s3://audio/ ...

A timer that is due every 5 ms tells by its lateness how long nothing else could happen either. How
long the thread had to wait for a core meanwhile, which says something of the machine only, is known
to the kernel (Linux).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli import main
from pipeline.launch import ending, event_loop, search

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_PERIOD = 0.005


class Heartbeat:
    """Beats in the running loop; `longest` is without the time that the thread waited for a core.

    Both are seconds.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_waiting_too = 0.0
        self._loop = asyncio.get_running_loop()
        self._statistics = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._next()

    def _next(self) -> None:
        self._waited = self._waited_for_a_core()
        self._due = time.perf_counter() + _PERIOD
        self._timer = self._loop.call_later(_PERIOD, self._beat)

    def _beat(self) -> None:
        late = time.perf_counter() - self._due
        self.longest_waiting_too = max(self.longest_waiting_too, late)
        self.longest = max(self.longest, late - (self._waited_for_a_core() - self._waited))
        self._next()

    def _waited_for_a_core(self) -> float:
        return int(os.pread(self._statistics, 64, 0).split()[1]) / 1e9

    def stop(self) -> None:
        """Beat no more."""
        self._timer.cancel()
        os.close(self._statistics)


def memory_peak() -> int:
    """Bytes of memory that this process held at most (Linux).

    Not getrusage: its figure begins with that of the process which started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@contextmanager
def _facts_written(path: Path, facts: dict[str, float]) -> Iterator[None]:
    try:
        yield
    finally:
        facts |= {"cpu": time.process_time(), "peak": memory_peak()}
        path.write_text(json.dumps(facts), encoding="utf-8")


def watch(path: Path) -> None:
    """Run the command whose arguments are in `sys.argv`, and write the facts where told."""
    facts: dict[str, float] = {}
    original = event_loop.interruptible

    async def watched(work: Callable[[], Coroutine[None, None, None]]) -> int:
        heart = Heartbeat()
        try:
            return await original(work)
        finally:
            heart.stop()
            facts.update(block=heart.longest, block_waiting_too=heart.longest_waiting_too)

    for each in (ending, search):
        setattr(each, "interruptible", watched)  # noqa: B010 # the ways that commands go
    with _facts_written(path, facts):
        main()


if __name__ == "__main__":
    place = Path(sys.argv.pop(1))
    watch(place)
