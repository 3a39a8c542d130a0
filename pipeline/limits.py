"""The brakes as arithmetic: how fast one operation may be called, how many jobs may run.

Both take the clock's reading (seconds, monotonic) as an argument, so that tests own the time.
The asyncio side is in `brakes.py`.
"""

from __future__ import annotations

import math

_SLOWER = 0.7
_RECOVERY_SECONDS = 60.0
_LOWEST_RATE = 0.1
_PROBE_SECONDS = 10.0


class Pace:
    """Calls per second of one operation, spaced evenly.

    The ceiling is what the user allows. A throttled call lowers the rate by a third at most once
    a second (the calls already under way say nothing new), and it climbs back to the ceiling
    within a minute (additive increase, multiplicative decrease).
    """

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._next_turn = -math.inf
        self._recovered_at = -math.inf
        self._lowered_at = -math.inf

    def reserve(self, now: float) -> float:
        """Take the next turn and return how many seconds it is away (0 when it is now)."""
        self._recover(now)
        turn = max(now, self._next_turn)
        self._next_turn = turn + 1 / self.rate
        return turn - now

    def throttled(self, now: float) -> None:
        """The service said that the last call came too soon."""
        if now - self._lowered_at >= 1:
            self._recover(now)
            self.rate = max(min(_LOWEST_RATE, self.ceiling), self.rate * _SLOWER)
            self._lowered_at = now

    def _recover(self, now: float) -> None:
        if self.rate < self.ceiling:
            gained = self.ceiling / _RECOVERY_SECONDS * (now - self._recovered_at)
            self.rate = min(self.ceiling, self.rate + gained)
        self._recovered_at = now


class Slots:
    """How many jobs may be in flight at once.

    The ceiling is what the user allows; the account may have fewer, and others use them too. A
    refused start sets the limit to what is really running, so the next start waits for one of our
    jobs to end, or for ten seconds where none of ours runs. Every ten seconds without a refusal
    the limit is raised by 1, 2, 4, ... to find slots that have become free.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self.held = 0
        self._step = 1
        self._probe_at = math.inf

    def take(self, now: float) -> bool:
        """Hold one more slot if the limit allows it."""
        self._probe(now)
        if self.held >= self.limit:
            return False
        self.held += 1
        return True

    def take_anyway(self) -> None:
        """Count a job that already runs at the service, whatever the limit says."""
        self.held += 1

    def give_back(self) -> None:
        """A job has ended, or was not started after all."""
        self.held -= 1

    def refused(self, now: float) -> None:
        """The service has no free slot; the slot held for the refused start is given back."""
        self.give_back()
        self.limit = min(self.limit, self.held)
        self._step = 1
        self._probe_at = now + _PROBE_SECONDS

    def patience(self, now: float) -> float:
        """Seconds until the limit may have grown by itself (infinite when it is the ceiling)."""
        return max(0.0, self._probe_at - now)

    def _probe(self, now: float) -> None:
        if now < self._probe_at:
            return
        self.limit = min(self.ceiling, self.limit + self._step)
        self._step *= 2
        self._probe_at = math.inf if self.limit == self.ceiling else now + _PROBE_SECONDS
