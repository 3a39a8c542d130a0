"""How fast one operation may be called: a rate that finds the account's own ceiling. Arithmetic.

It follows the ceiling when that changes, as other users of the account take calls and quotas
differ. The clock's reading (seconds, monotonic) is an argument, so that tests own the time.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec


class RateTuning(msgspec.Struct, frozen=True):
    """The constants of a `RateLimiter`; each was chosen with the simulations of its tests."""

    saved_seconds: float = 0.5  # unused turns that are made up for: AWS's token buckets allow it
    proving_seconds: float = 5.0  # without a refusal for so long the rate allowed is believed
    window_seconds: float = 5.0  # what was accepted of late: long enough to count, short to follow
    settling_seconds: float = 1.0  # calls under way at a throttle say nothing new for so long
    pause_seconds: float = 0.3  # after a throttle: the bucket is empty for all who share it
    caution: float = 0.05  # how far under the found rate it stays: refused calls stay under 3 %
    gentle_cut: float = 0.9  # at a throttle while few calls are made, which show no ceiling
    hardly_used: int = 200  # so many times fewer calls than the rate allows are few
    plateau_seconds: float = 30.0  # back at the found rate after that: TCP CUBIC's K (RFC 9438)
    lowest_rate: float = 0.1  # calls a second: a run that is throttled always still goes on
    sporadic_share: float = 0.25  # throttles that come whatever the rate is are fewer than this
    by_chance: int = 2  # so many of them prove nothing


_TUNING = RateTuning()


class RateLimiter:
    """Calls per second of one operation, spaced evenly.

    Where the service has refused no call for the first five seconds, nor since, turns of the last
    half second that were not used are made up for at once, as its own buckets allow: slots that
    become free together are filled together.

    The ceiling is what the user allows. A throttled call sets the rate a twentieth under what the
    service accepted during the last five seconds, at most once a second (the calls already under
    way say nothing new), and the next call waits for a moment. From there it follows a cubic
    curve, as TCP CUBIC (RFC 9438) does: back at the found rate after 30 seconds, a twentieth above
    it after 60, and steeply upwards from then on. So it stays near the ceiling it found, seldom
    asks for more, and follows when there is more.

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

    def on_ceiling(self, ceiling: float) -> None:
        """Runs that know of each other have divided the rate again, and so what was found of it."""
        by = ceiling / self.ceiling
        self.ceiling = ceiling
        self._found *= by
        self._proven *= by

    def rate(self, now: float) -> float:
        """Calls per second that are made at the moment `now`."""
        bend = ((now - self._found_at) / _TUNING.plateau_seconds - 1) ** 3
        return min(self.ceiling, self._found * (1 + _TUNING.caution * bend))

    def delay(self, now: float) -> float:
        """Seconds until the next turn, 0 when it is now."""
        return max(0.0, self._next_turn - now)

    def take(self, now: float) -> None:
        """Make use of the turn."""
        self._begun_at = min(self._begun_at, now)
        proven = self._found == math.inf and now - self._begun_at > _TUNING.proving_seconds
        saved = _TUNING.saved_seconds if proven else 0.0
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
        self._next_turn = max(self._next_turn, now + _TUNING.pause_seconds)
        if now - self._found_at < _TUNING.settling_seconds:
            return
        rate = self.rate(now)
        lowest = min(_TUNING.lowest_rate, self.ceiling) / (1 - _TUNING.caution)
        if self._accepted and self._accepted_rate(now) < rate / _TUNING.hardly_used:
            self._proven = self._proven or rate
            by_chance = 0.0 if self._too_many_refused() else self._proven / 2
            self._found, self._found_at = max(rate * _TUNING.gentle_cut, lowest, by_chance), now
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
        return refused > _TUNING.by_chance + _TUNING.sporadic_share * (
            refused + len(self._accepted)
        )

    def _accepted_rate(self, now: float) -> float:
        """Calls per second that the service took of late; 0 when it took none."""
        self._forget(now)
        if not self._accepted:
            return 0.0
        return len(self._accepted) / max(_TUNING.settling_seconds, now - self._accepted[0])

    def _forget(self, now: float) -> None:
        for moments in (self._accepted, self._refused):
            while moments and now - moments[0] > _TUNING.window_seconds:
                moments.popleft()
