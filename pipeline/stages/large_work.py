"""Work on an hour's transcript beside the event loop, which it would hold up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class LargeWork:
    """Does large work in a thread, one piece at a time: several would only wait for one another."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def do(self, work: Callable[[], T], *, large: bool) -> T:
        """What the work returns; a thread costs more than a small one takes."""
        if not large:
            return work()
        async with self._turn:
            return await asyncio.to_thread(work)
