"""How long each limit held a run back: `slots`, or the rate of an operation."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class WaitTimes:
    """Seconds during which at least one task waited, by the limit that held it back."""

    def __init__(self) -> None:
        self._waiters: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._total: dict[str, float] = {}

    @contextmanager
    def on(self, limit: str) -> Iterator[None]:
        """Count the time inside as time in which `limit` held something back."""
        now = asyncio.get_running_loop().time
        if not self._waiters.get(limit):
            self._since[limit] = now()
        self._waiters[limit] = self._waiters.get(limit, 0) + 1
        try:
            yield
        finally:
            self._waiters[limit] -= 1
            if not self._waiters[limit]:
                self._total[limit] = self._total.get(limit, 0.0) + now() - self._since[limit]

    def seconds(self) -> dict[str, float]:
        """The totals so far, those still waiting included."""
        now = asyncio.get_running_loop().time()
        still = {limit: now - self._since[limit] for limit, n in self._waiters.items() if n}
        return {
            limit: self._total.get(limit, 0.0) + still.get(limit, 0.0) for limit in self._waiters
        }
