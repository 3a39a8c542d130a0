"""How many jobs have ended that no look has shown yet: arithmetic on the clock's reading."""

from __future__ import annotations

import math

import msgspec


class EstimateTuning(msgspec.Struct, frozen=True):
    """The constants of a `FreeSlotEstimator`; chosen with the simulated accounts of its tests."""

    learning: float = 0.4  # the last poll's weight in the rate at which jobs end
    shortest_poll: float = 0.05  # seconds: two polls closer together tell no rate
    shortest_wait: float = 0.01  # seconds: a start is tried no oftener while it waits for an end
    first_caution: float = 0.7  # in standard deviations of the jobs that are to end
    least_caution: float = 0.3  # a lucky hour does not make it careless
    most_caution: float = 4.0  # a bad hour does not stop it from guessing
    warier: float = 1.2  # factor at a refused start; with `bolder` they balance at 1.6 in 100
    bolder: float = 0.997  # factor at an accepted one


_ESTIMATE = EstimateTuning()


class FreeSlotEstimator:
    """How many of our jobs have ended though no look at them has shown it yet; a cautious guess.

    Jobs end at the rate at which they did between the last looks. Of what is to be expected since
    the last one, a part of its square root is taken off, as chance has it: a part that grows by a
    fifth with each start that was refused because of the guess, and shrinks with each that was
    not, so that three starts in two hundred are refused, whatever the jobs are like.
    """

    def __init__(self) -> None:
        self._rate = 0.0
        self._polled_at = -math.inf
        self._caution = _ESTIMATE.first_caution
        self.seen = 0
        self._known = 0
        self._known_at = -math.inf

    def on_poll(self, now: float, ended: int, uncollected: int) -> None:
        """A look that began at `now` has shown that so many have ended since the last one.

        `uncollected` are these and those of earlier looks that are still counted as running.
        """
        if self._polled_at > -math.inf:
            rate = ended / max(_ESTIMATE.shortest_poll, now - self._polled_at)
            self._rate += _ESTIMATE.learning * (rate - self._rate) if self._rate else rate
        self._polled_at = self._known_at = now
        self._known = self.seen = uncollected

    def on_event(self) -> None:
        """Ends are told when they happen: from now on none is expected, until a look shows some."""
        self._rate = 0.0

    def on_collected(self) -> None:
        """One of those that have ended is counted no longer."""
        self._known = max(0, self._known - 1)
        self.seen = max(0, self.seen - 1)

    def on_refused_start(self, count: int, now: float, *, guessed: bool) -> None:
        """So many had ended, as a refused start has shown; fewer than was guessed or not."""
        self._known, self._known_at = count, now
        if guessed:
            self._caution = min(_ESTIMATE.most_caution, self._caution * _ESTIMATE.warier)

    def on_accepted_start(self) -> None:
        """A start was not refused."""
        self._caution = max(_ESTIMATE.least_caution, self._caution * _ESTIMATE.bolder)

    def count(self, now: float, *, trying: bool = False) -> int:
        """How many have ended, presumably: on average where one more is tried, else cautiously."""
        expected = self._rate * max(0.0, now - self._known_at) if self._rate else 0.0
        caution = self._caution_when(trying=trying)
        return self._known + max(0, math.floor(expected - caution * math.sqrt(expected)))

    def average(self, now: float) -> float:
        """How many have ended on average when no start has told anything since the last look."""
        return self.seen + (self._rate * max(0.0, now - self._polled_at) if self._rate else 0.0)

    def until(self, count: int, now: float, *, trying: bool = False) -> float:
        """Seconds until so many will have ended, presumably."""
        more = count - self._known
        if more <= 0 or not self._rate:
            return 0.0 if more <= 0 else math.inf
        caution = self._caution_when(trying=trying)
        root = (caution + math.sqrt(caution**2 + 4 * more)) / 2
        return max(_ESTIMATE.shortest_wait, self._known_at + root**2 / self._rate - now)

    def _caution_when(self, *, trying: bool) -> float:
        """None where more is tried: by caution all that is tried would replace ended jobs."""
        return 0.0 if trying else self._caution
