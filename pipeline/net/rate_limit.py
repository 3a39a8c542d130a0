"""The brakes as arithmetic: how fast one operation may be called, how many jobs may run.

Both find ceilings that nobody told them and follow them when they change: other users of the
account take slots and calls, quotas differ. Both take the clock's reading (seconds, monotonic) as
an argument, so that tests own the time. The asyncio side is in `brakes.py`.
"""

from __future__ import annotations

import math
from collections import deque

_SAVED_SECONDS, _PROVING_SECONDS = 0.5, 5.0
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

_LEARNING = 0.4
_SHORTEST_LOOK = 0.05
_SHORTEST_WAIT = 0.01
_FIRST_CAUTION, _LEAST_CAUTION, _MOST_CAUTION = 0.7, 0.3, 4.0
_WARIER, _BOLDER = 1.2, 0.994


class RateLimiter:
    """Calls per second of one operation, spaced evenly.

    Where the service has refused no call for the first five seconds, nor since, turns of the last
    half second that were not used are made up for at once, as its own buckets allow: slots that
    become free together are filled together.

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
        self._begun_at = math.inf
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
        self._begun_at = min(self._begun_at, now)
        proven = self._found == math.inf and now - self._begun_at > _PROVING_SECONDS
        saved = _SAVED_SECONDS if proven else 0.0
        self._next_turn = max(now - saved, self._next_turn) + 1 / self.rate(now)

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
            self._proven = self._proven or rate
            by_chance = 0.0 if self._too_many_refused() else self._proven / 2
            self._found, self._found_at = max(rate * _GENTLY, lowest, by_chance), now
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


class FreeSlotEstimator:
    """How many of our jobs have ended though no look at them has shown it yet; a cautious guess.

    Jobs end at the rate at which they did between the last looks. Of what is to be expected since
    the last one, a part of its square root is taken off, as chance has it: a part that grows by a
    fifth with each start that was refused because of the guess, and shrinks with each that was
    not, so that about three starts in a hundred are refused, whatever the jobs are like.
    """

    def __init__(self) -> None:
        self._rate = 0.0
        self._looked_at = -math.inf
        self._caution = _FIRST_CAUTION
        self._known = 0
        self._known_at = -math.inf

    def looked(self, now: float, ended: int, uncollected: int) -> None:
        """A look that began at `now` has shown that so many have ended since the last one.

        `uncollected` are these and those of earlier looks that are still counted as running.
        """
        if self._looked_at > -math.inf:
            rate = ended / max(_SHORTEST_LOOK, now - self._looked_at)
            self._rate += _LEARNING * (rate - self._rate) if self._rate else rate
        self._looked_at = self._known_at = now
        self._known = uncollected

    def told(self) -> None:
        """Ends are told when they happen: from now on none is expected, until a look shows some."""
        self._rate = 0.0

    def collected(self) -> None:
        """One of those that have ended is counted no longer."""
        self._known = max(0, self._known - 1)

    def were(self, count: int, now: float, *, guessed: bool) -> None:
        """So many had ended, as a refused start has shown; fewer than was guessed or not."""
        self._known, self._known_at = count, now
        if guessed:
            self._caution = min(_MOST_CAUTION, self._caution * _WARIER)

    def was_right(self) -> None:
        """A start was not refused."""
        self._caution = max(_LEAST_CAUTION, self._caution * _BOLDER)

    def count(self, now: float) -> int:
        """How many have ended, presumably."""
        expected = self._rate * max(0.0, now - self._known_at) if self._rate else 0.0
        return self._known + max(0, math.floor(expected - self._caution * math.sqrt(expected)))

    def until(self, count: int, now: float) -> float:
        """Seconds until so many will have ended, presumably."""
        more = count - self._known
        if more <= 0 or not self._rate:
            return 0.0 if more <= 0 else math.inf
        root = (self._caution + math.sqrt(self._caution**2 + 4 * more)) / 2
        return max(_SHORTEST_WAIT, self._known_at + root**2 / self._rate - now)


class ConcurrencyLimit:
    """How many jobs may be in flight at once.

    The ceiling is what the user allows; the account may have fewer, and others use them too. A
    refused start sets the limit to what is really running. From then on a start is made when a job
    of ours has ended, or has presumably ended: waiting for the next look at the jobs would leave a
    slot idle for half the time between two looks. After 100 accepted starts, or ten minutes, one
    more slot is tried; where that is accepted two more, then four, and so on until the next
    refusal, so that slots that others give back are taken within a few starts.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self.held = 0
        self._unseen = FreeSlotEstimator()
        self._step = 0
        self._accepted = 0
        self._refused_at = -math.inf

    def take(self, now: float) -> bool:
        """Hold one more slot if the limit allows it."""
        if self.full(now) and self._may_try(now):
            self._step = self._step * 2 or 1
            self.limit = min(self.ceiling, self.limit + self._step)
            self._accepted = 0
        if self.full(now):
            return False
        self.held += 1
        return True

    def full(self, now: float) -> bool:
        """Whether every slot of the limit is in use, presumably; of the ceiling, for certain."""
        if self.limit >= self.ceiling or self.held >= self.ceiling:
            return self.held >= self.ceiling
        return self.held - self._unseen.count(now) >= self.limit

    def take_anyway(self) -> None:
        """Count a job that already runs at the service, whatever the limit says."""
        self.held += 1

    def looked(self, now: float, ended: int, uncollected: int) -> None:
        """A look at the jobs, begun at `now`, has shown that so many have ended."""
        self._unseen.looked(now, ended, uncollected)

    def told(self) -> None:
        """Jobs are known to end when they do: none has ended unseen."""
        self._unseen.told()

    def ended(self) -> None:
        """A job has ended for certain."""
        self.held -= 1
        self._unseen.collected()

    def not_started(self) -> None:
        """The start failed for another reason than the slots."""
        self.held -= 1

    def accepted(self) -> None:
        """The service took a start."""
        self._accepted += 1
        self._unseen.was_right()

    def refused(self, now: float) -> None:
        """The service has no free slot; the slot held for the refused start is given back."""
        self.held -= 1
        guessed = self.limit < self.ceiling and self.held >= self.limit
        self.limit = min(self.limit, self.held)
        self._unseen.were(self.held - self.limit, now, guessed=guessed)
        self._step = 0
        self._accepted = 0
        self._refused_at = now

    def patience(self, now: float) -> float:
        """Seconds until one more may be tried though none is known to end; at the ceiling never."""
        if self.limit >= self.ceiling or self.held >= self.ceiling:
            return math.inf
        ended = self._unseen.until(self.held - self.limit + 1, now)
        return ended if self._step else min(ended, max(0.0, self._probe_at - now))

    @property
    def _probe_at(self) -> float:
        """When one more may be tried though no start was accepted meanwhile."""
        return self._refused_at + (_STARVED_SECONDS if self.limit <= 0 else _PROBE_SECONDS)

    def _may_try(self, now: float) -> bool:
        if self.limit >= self.ceiling:
            return False
        if self._accepted >= (self._step or _PROBE_STARTS):
            return True
        return not self._step and now >= self._probe_at
