"""What an account may do at once, and how often; arithmetic only, the time is passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Quotas:
    """Limits of one account in one region.

    The defaults are the service's documented ones (guidelines and quotas; job queueing).
    `slots` jobs are in progress at once and `queue` deferred jobs wait; `start`, `get`, `list`
    and `delete` are calls per second (`math.inf` for no limit), `vocabulary` is that of each
    operation on vocabularies (documented: 5 to 20).
    """

    slots: int = 250
    queue: int = 10_000
    start: float = 25.0
    get: float = 30.0
    list: float = 5.0
    delete: float = 5.0
    vocabulary: float = 5.0

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could ever be done."""
        if self.slots < 1 or self.queue < 0:
            raise ValueError(f"slots must be at least 1 and queue at least 0: {self}")
        if min(self.start, self.get, self.list, self.delete, self.vocabulary) <= 0:
            raise ValueError(f"every rate must be above 0 calls a second: {self}")


class TokenBucket:
    """Allows `rate` calls a second and a burst of one second's worth.

    The generic cell rate algorithm (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm):
    the only state is the time at which the bucket is full again.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 0.0 if math.isinf(rate) else 1.0 / rate
        self._tolerance = self._interval * (max(1.0, rate) - 1.0) if self._interval else 0.0
        self._full_at = -math.inf

    def take(self, now: float) -> bool:
        """Whether a call at `now` (seconds of any steady clock) is within the rate."""
        start = max(now, self._full_at)
        # A billionth of a second is forgiven: n intervals don't add up to n / rate exactly.
        if start - now > self._tolerance + 1e-9:
            return False
        self._full_at = start + self._interval
        return True
