"""An event loop whose time the test owns: a sleep takes no time and moves the clock on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class OwnedLoop(asyncio.SelectorEventLoop):
    """Where the real loop would wait for its next timer, the clock jumps to it."""

    _ready: Any
    _scheduled: Any

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()

    def time(self) -> float:
        """The seconds that have passed in this loop."""
        return self.now

    def _run_once(self) -> None:
        if not self._ready and (moment := self._next_timer()) is not None:
            self.now = max(self.now, moment)
        super()._run_once()  # type: ignore[misc] # the one step of asyncio's own loop

    def _next_timer(self) -> float | None:
        """The first moment at which something is to happen; a heap has it at its head."""
        if self._scheduled and not self._scheduled[0].cancelled():
            return float(self._scheduled[0].when())
        return min((t.when() for t in self._scheduled if not t.cancelled()), default=None)


def in_owned_time(work: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, in a loop whose clock begins at 0."""
    with asyncio.Runner(loop_factory=OwnedLoop) as runner:
        return runner.run(work)


def now() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()
