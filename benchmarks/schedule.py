"""How long jobs must take under an account's quotas; pure.

Two figures, as they answer two questions. `lower_bound`: no program whatever can be faster.
`list_schedule`: a program that takes the recordings in their order, not knowing how long each will
take, refills every slot the moment it is free, and needs no time for anything itself.
"""

from __future__ import annotations

import heapq
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.local import Quotas


def lower_bound(seconds: Sequence[float], quotas: Quotas) -> float:
    """Seconds in which no schedule can have ended all jobs.

    The longest of three: all work evenly on as many slots as are best, each of which is idle until
    it can have had its first start; the last start and the shortest job behind it; the longest job.
    """
    if not seconds:
        return 0.0
    earliest = list(_starts(len(seconds), quotas))
    idle = accumulate(earliest[: quotas.slots])
    evenly = min((sum(seconds) + lost) / slots for slots, lost in enumerate(idle, 1))
    return max(evenly, earliest[-1] + min(seconds), *seconds)


def list_schedule(seconds: Sequence[float], quotas: Quotas) -> float:
    """Seconds from the first start to the last end of jobs that are started in their order."""
    ends: list[float] = []
    last = 0.0
    for allowed, needed in zip(_starts(len(seconds), quotas), seconds, strict=True):
        free = heapq.heappop(ends) if len(ends) >= quotas.slots else 0.0
        end = max(allowed, free) + needed
        heapq.heappush(ends, end)
        last = max(last, end)
    return last


def _starts(count: int, quotas: Quotas) -> Iterator[float]:
    """The earliest moment of each start: a second's worth at once, then at the rate."""
    burst = max(1.0, quotas.start)
    for number in range(count):
        yield max(0.0, (number + 1 - burst) / quotas.start)
