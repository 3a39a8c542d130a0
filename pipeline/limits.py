"""The brakes as arithmetic: how fast one operation may be called, how many jobs may run.

Both find ceilings that nobody told them and follow them when they change: other users of the
account take slots and calls, quotas differ. Both take the clock's reading (seconds, monotonic) as
an argument, so that tests own the time. The asyncio side is in `brakes.py`.
"""

from __future__ import annotations

import math
from collections import deque

_WINDOW_SECONDS = 5.0
_SETTLING_SECONDS = 1.0
_CAUTION = 0.05
_GENTLY = 0.9
_HARDLY_USED = 200
_PLATEAU_SECONDS = 30.0
_LOWEST_RATE = 0.1
_SPORADIC = 0.25
_BY_CHANCE = 2

_PROBE_STARTS = 100
_PROBE_SECONDS = 600.0
_STARVED_SECONDS = 10.0


class Pace:
    """Calls per second of one operation, spaced evenly.

    The ceiling is what the user allows. A throttled call sets the rate a twentieth under what the
    service accepted during the last five seconds, at most once a second (the calls already under
    way say nothing new). From there it follows a cubic curve, as TCP CUBIC (RFC 9438) does: back at
    the found rate after 30 seconds, a twentieth above it after 60, and steeply upwards from then
    on. So it stays near the ceiling it found, seldom asks for more, and follows when there is more.

    Throttles that come now and then whatever the rate is (less than a quarter of the calls) would
    so bring it down to nothing. They bring it down to half of what was found first.
    """

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self._found = math.inf
        self._found_at = -math.inf
        self._next_turn = -math.inf
        self._accepted: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._proven = 0.0

    def rate(self, now: float) -> float:
        """Calls per second that are made at the moment `now`."""
        bend = ((now - self._found_at) / _PLATEAU_SECONDS - 1) ** 3
        return min(self.ceiling, self._found * (1 + _CAUTION * bend))

    def delay(self, now: float) -> float:
        """Seconds until the next turn, 0 when it is now."""
        return max(0.0, self._next_turn - now)

    def take(self, now: float) -> None:
        """Make use of the turn."""
        self._next_turn = max(now, self._next_turn) + 1 / self.rate(now)

    def accepted(self, now: float) -> None:
        """The service took a call."""
        self._accepted.append(now)
        self._forget(now)

    def throttled(self, now: float) -> None:
        """The service said that a call came too soon.

        Where calls are far fewer than the rate allows, what the service accepted shows the demand
        and not the quota: the rate is lowered by a tenth only.
        """
        self._refused.append(now)
        if now - self._found_at < _SETTLING_SECONDS:
            return
        rate = self.rate(now)
        lowest = min(_LOWEST_RATE, self.ceiling) / (1 - _CAUTION)
        if self._accepted and self._accepted_rate(now) < rate / _HARDLY_USED:
            self._found, self._found_at = max(rate * _GENTLY, lowest), now
            return
        found = min(rate, self._accepted_rate(now)) or rate / 2
        if not self._proven or self._too_many_refused():
            self._proven = found
        self._found = max(lowest, found, self._proven / 2)
        self._proven = max(self._proven, self._found)
        self._found_at = now

    def _too_many_refused(self) -> bool:
        """Whether so many calls were refused of late that the rate must be the reason."""
        refused = len(self._refused)
        return refused > _BY_CHANCE + _SPORADIC * (refused + len(self._accepted))

    def _accepted_rate(self, now: float) -> float:
        """Calls per second that the service took of late; 0 when it took none."""
        self._forget(now)
        if not self._accepted:
            return 0.0
        return len(self._accepted) / max(_SETTLING_SECONDS, now - self._accepted[0])

    def _forget(self, now: float) -> None:
        for moments in (self._accepted, self._refused):
            while moments and now - moments[0] > _WINDOW_SECONDS:
                moments.popleft()


class Slots:
    """How many jobs may be in flight at once.

    The ceiling is what the user allows; the account may have fewer, and others use them too. A
    refused start sets the limit to what is really running: the next one waits for one of our jobs
    to end. After 100 accepted starts, or ten minutes, one more slot is tried; where that is
    accepted two more, then four, and so on until the next refusal. So refusals are about one start
    in a hundred, and slots that others give back are taken within a few starts.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self.held = 0
        self._step = 0
        self._accepted = 0
        self._refused_at = -math.inf

    def take(self, now: float) -> bool:
        """Hold one more slot if the limit allows it."""
        if self.full and self._may_try(now):
            self._step = self._step * 2 or 1
            self.limit = min(self.ceiling, self.held + self._step)
            self._accepted = 0
        if self.full:
            return False
        self.held += 1
        return True

    @property
    def full(self) -> bool:
        """Whether every slot of the limit is held."""
        return self.held >= self.limit

    def take_anyway(self) -> None:
        """Count a job that already runs at the service, whatever the limit says."""
        self.held += 1

    def give_back(self) -> None:
        """A job has ended, or was not started after all."""
        self.held -= 1

    def accepted(self) -> None:
        """The service took a start."""
        self._accepted += 1

    def refused(self, now: float) -> None:
        """The service has no free slot; the slot held for the refused start is given back."""
        self.give_back()
        self.limit = min(self.limit, self.held)
        self._step = 0
        self._accepted = 0
        self._refused_at = now

    def patience(self, now: float) -> float:
        """Seconds until one more may be tried though none of ours ends; infinite while growing."""
        if self._step or self.limit >= self.ceiling:
            return math.inf
        wait = _STARVED_SECONDS if self.limit <= 0 else _PROBE_SECONDS
        return max(0.0, self._refused_at + wait - now)

    def _may_try(self, now: float) -> bool:
        if self.limit >= self.ceiling:
            return False
        return self._accepted >= (self._step or _PROBE_STARTS) or self.patience(now) == 0
