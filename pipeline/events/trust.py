"""How far to rely on events, and how often to ask for them. Arithmetic with the clock passed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable


class TrustTuning(msgspec.Struct, frozen=True):
    """The constants of `EventTrust` and `pause`, in seconds but for factors; chosen, see tests."""

    first_gap: float = 15.0  # between two listings before the first event has come
    growth: float = 1.5  # by which that gap grows with each listing
    seldom_seconds: float = 300.0  # between two listings while events come
    late_gap: float = 30.0  # between two listings when a job is late: its event may be lost
    often_at_the_end: float = 15.0  # the last jobs are what the run waits for
    silent_seconds: float = 60.0  # without events for so long it is said
    pauses: int = 60  # of a job's time are between two Receive calls
    shortest_pause: float = 0.05  # that of jobs of three seconds
    longest_pause: float = 2.0  # a freed slot waits no longer than that
    first_pause: float = 0.2  # while no job has ended


_TUNING = TrustTuning()


def pause(typical: float | None) -> float:
    """Seconds between two Receive calls, so that one brings several events.

    That is a sixtieth of the `typical` time a job takes, which is None while none has ended: a slot
    stays idle for half of that at the mean.
    """
    if typical is None:
        return _TUNING.first_pause
    return max(_TUNING.shortest_pause, min(_TUNING.longest_pause, typical / _TUNING.pauses))


def late(typical: float | None) -> float:
    """Seconds after which a job is late: its event may be lost."""
    return max(_TUNING.late_gap, 3 * typical) if typical else _TUNING.seldom_seconds


class EventTrust:
    """How seldom the jobs are listed beside the events; seconds are of any one clock.

    As long as events come the jobs are listed every five minutes, for events that were lost; half a
    minute after the last time when a job is late; at the end of the night as often as a job takes,
    because the night ends with the last of them. Where a listing finds more ends than events have
    told since the one before, or the queue is gone, events are not relied on until they tell as
    many again. Before the first one the listings become rarer by and by.
    """

    def __init__(self, polled_at: float) -> None:
        self._events = 0
        self._events_before = 0
        self._reachable = True
        self._trusted = True
        self._doubted_at = polled_at
        self._silence_said = False
        self._polled_at = polled_at
        self._gap = _TUNING.first_gap

    @property
    def relied_on(self) -> bool:
        """Whether events tell when jobs end."""
        return self._reachable and self._trusted

    def on_event(self) -> None:
        """An event has come that tells of a job's end."""
        self._events += 1

    def lost(self) -> None:
        """The queue can't be read."""
        self._reachable = False

    def found(self) -> None:
        """The queue can be read."""
        self._reachable = True

    def listing_is_due(
        self, now: float, typical: float | None, overdue: Callable[[float], int], *, ending: bool
    ) -> bool:
        """Whether the jobs are to be listed now.

        Args:
            now: the present moment.
            typical: how long a job takes, None while none has ended.
            overdue: how many of the waiting jobs were started longer ago than so many seconds.
            ending: whether every recording has been started.
        """
        if not self.relied_on:
            return True
        since = now - self._polled_at
        gap = self._gap
        if ending and typical:
            gap = min(gap, max(_TUNING.often_at_the_end, typical))
        # Those that were late at the last listing were shown running by it.
        if overdue(late(typical)) > overdue(late(typical) + since):
            gap = min(gap, _TUNING.late_gap)
        return since >= gap

    def on_poll(self, begun: float, ended: int) -> bool:
        """A listing, begun then, has shown that so many jobs had ended without an event.

        Returns whether it is time to say, once, that no events come.
        """
        events = self._events - self._events_before
        trusted = events >= ended if events or ended else self._trusted
        if trusted or self._trusted:
            self._doubted_at = begun
        self._trusted = trusted
        self._events_before = self._events
        self._polled_at = begun
        self._gap = (
            _TUNING.seldom_seconds
            if self._events
            else min(_TUNING.seldom_seconds, self._gap * _TUNING.growth)
        )
        if self._trusted or self._silence_said or begun - self._doubted_at < _TUNING.silent_seconds:
            return False
        self._silence_said = True
        return True
