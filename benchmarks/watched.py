"""The command, watched from inside: how long its event loop was blocked, its CPU, its memory.

    python -m benchmarks.watched FACTS.json run s3://audio/ ...

A timer that is due every 5 ms tells by its lateness how long nothing else could happen either.
Beside the longest lateness stands how much of it this thread spent on the CPU: on a busy machine
the rest is waiting for a core (and for the disk).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli import main, services
from pipeline.cli import run as command

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_PERIOD = 0.005


class Heartbeat:
    """Beats in the running loop; seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_cpu = 0.0
        self._loop = asyncio.get_running_loop()
        self._next()

    def _next(self) -> None:
        self._cpu = time.thread_time()
        self._due = time.perf_counter() + _PERIOD
        self._timer = self._loop.call_later(_PERIOD, self._beat)

    def _beat(self) -> None:
        late, cpu = time.perf_counter() - self._due, time.thread_time() - self._cpu
        self.longest = max(self.longest, late)
        self.longest_cpu = max(self.longest_cpu, cpu)
        self._next()

    def stop(self) -> None:
        """Beat no more."""
        self._timer.cancel()


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
    original = services.interruptible

    async def watched(work: Callable[[], Coroutine[None, None, None]]) -> int:
        heart = Heartbeat()
        try:
            return await original(work)
        finally:
            heart.stop()
            facts.update(block=heart.longest, block_cpu=heart.longest_cpu)

    setattr(command, "interruptible", watched)  # noqa: B010 # the one way every run goes
    with _facts_written(path, facts):
        main()


if __name__ == "__main__":
    place = Path(sys.argv.pop(1))
    watch(place)
