"""How many jobs may be in flight at once: a limit that finds the account's own, and its slots.

Other users of the account take slots and give them back, and quotas differ. `ConcurrencyLimit` is
arithmetic that takes the clock's reading (seconds, monotonic); `JobSlots` is what tasks wait at.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import NoFreeSlot
from pipeline.net.free_slots import FreeSlotEstimator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.net.wait_times import WaitTimes


class ProbeTuning(msgspec.Struct, frozen=True):
    """When a `ConcurrencyLimit` asks for more than it found; chosen, see its tests."""

    most_starts: int = 100  # between two tries: one start in a hundred is risked
    eagerness: int = 6  # limit² / 6 starts are enough: who has few slots asks sooner than others
    in_vain: int = 3  # so many tries in a row were refused: presumably no slot is to be had
    least_starts: int = 20  # between two tries then: with few slots one start in twenty is risked
    squeezed_seconds: float = 600.0  # who lost a slot has a neighbour, which may end any time
    squeezed_eagerness: int = 16  # so long, once a job's time at most: more would starve the least
    few: int = 20  # slots: who has fewer is presumably starved, and tries boldly though in vain
    probe_seconds: float = 600.0  # long jobs: not even a hundred starts come for hours
    starved_seconds: float = 10.0  # without any slot there is nothing to lose
    at_once: int = 3  # more slots while each is accepted: some tens a second, of which few fail
    yielded: int = 16  # part of the slots that is left to a neighbour: with 8 a fifth stay idle
    settling_seconds: float = 1.0  # starts under way at a refusal say nothing new for so long
    of_all: int = 2  # so many times more starts of all runs that share: a slot may be free for now


class Sharers(msgspec.Struct, frozen=True):
    """Runs that share the slots of an account, and know of each other.

    `slots` are the account's, as far as all have found. One of the runs tries for all whether there
    are more: for it `tries_for` is how many they are, 0 for the others.
    """

    slots: int
    tries_for: int


_PROBING = ProbeTuning()


class ConcurrencyLimit:
    """How many jobs may be in flight at once.

    The ceiling is what the user allows; the account may have fewer, and others use them too. A
    refused start sets the limit to what is really running. From then on a start is made when a job
    of ours has ended, or has presumably ended: waiting for the next look at the jobs would leave a
    slot idle for half the time between two looks.

    After as many accepted starts as a sixth of the limit's square, a hundred at most, and twenty
    at least where three tries were in vain, or after ten minutes, one more is tried. Where more are
    then running than the limit, and not just ended jobs replaced, the limit follows, and three more
    are tried at once until the next refusal: slots that others give back are taken within seconds,
    and few that are not free are asked for.

    So runs that share an account come to even shares: who has few slots asks often, and who is
    refused a slot in which a job of its own has certainly ended leaves a sixteenth of its own to
    the neighbour that took it, as AIMD does (Chiu and Jain, 1989). For ten minutes it then asks
    after a sixteenth of the square or as many starts as it has slots, whichever are more, where
    these are fewer than the sixth: the neighbour may end any time. Runs that know of each other
    are told their shares instead, and ask as seldom as one would that had all of their slots; the
    most jobs that ran at once since then are `most_running`.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = ceiling
        self.held = 0
        self.most_running = 0
        self._sharers: Sharers | None = None
        self._free = FreeSlotEstimator()
        self._ahead = 0
        self._unanswered = 0
        self._in_vain = 0
        self._rising = False
        self._accepted = 0
        self._refused_at = -math.inf
        self._squeezed_at = -math.inf

    def take(self, now: float) -> bool:
        """Hold one more slot if the limit allows it."""
        if self.full(now) and self._may_try(now):
            self._ahead = self._ahead * 2 or 1
            self._accepted = 0
        if self.full(now):
            return False
        self.held += 1
        self._unanswered += 1
        return True

    def full(self, now: float) -> bool:
        """Whether every slot of the limit is in use, presumably; of the ceiling, for certain."""
        if self.limit >= self.ceiling or self.held >= self.ceiling:
            return self.held >= self.ceiling
        return self.held - self._free.count(now, trying=self._trying) >= self.limit + self._ahead

    def on_share(self, ceiling: int, limit: int, sharers: Sharers | None) -> None:
        """The account is divided again: what this run may have, and has; None where it is alone.

        Who tries for all goes on from its new share, once the others have theirs of what it found.
        """
        self.ceiling = ceiling
        self.limit = max(0, min(limit, ceiling))
        self._sharers = sharers
        self.most_running = 0
        if self._rising and sharers:
            again = sharers.tries_for and self.held <= self.limit
            self._ahead = _PROBING.at_once if again else 0

    @property
    def found(self) -> int:
        """How many slots the account has, as far as was found."""
        return self._sharers.slots if self._sharers else self.limit

    def running(self, now: float) -> int:
        """How many jobs presumably still run."""
        return max(0, self.held - self._free.count(now))

    def take_anyway(self) -> None:
        """Count a job that already runs at the service, whatever the limit says."""
        self.held += 1

    def on_poll(self, now: float, ended: int, uncollected: int) -> None:
        """A look at the jobs, begun at `now`, has shown that so many have ended."""
        self._free.on_poll(now, ended, uncollected)

    def on_event(self) -> None:
        """Jobs are known to end when they do: none has ended unseen."""
        self._free.on_event()

    def ended(self) -> None:
        """A job has ended for certain."""
        self.held -= 1
        self._free.on_collected()

    def not_started(self) -> None:
        """The start failed for another reason than the slots."""
        self.held -= 1
        self._unanswered -= 1

    def accepted(self, now: float) -> None:
        """The service took a start."""
        self._unanswered -= 1
        self._accepted += 1
        self._free.on_accepted_start()
        running = round(self.held - self._unanswered - self._free.average(now))
        self.most_running = max(self.most_running, running)
        if self._ahead and running > self.limit:
            self.limit = min(self.ceiling, running)
            self._ahead, self._accepted = _PROBING.at_once, 0
            self._in_vain, self._rising = 0, True

    def refused(self, now: float) -> None:
        """The service has no free slot; the slot held for the refused start is given back."""
        self.held -= 1
        self._unanswered -= 1
        settled = now - self._refused_at > _PROBING.settling_seconds
        running = max(0, self.held - self._free.seen)
        if guessed := running >= self.limit:
            ended = self.held - self.limit
            self._in_vain += self._ahead > 0
        else:
            squeezed = settled and self.limit < self.ceiling
            self.limit = running - (running // _PROBING.yielded if squeezed else 0)
            if squeezed:
                self._squeezed_at = now
            ended = self._free.seen
            self._in_vain = 0
        self._free.on_refused_start(ended, now, guessed=guessed and not self._ahead)
        self._ahead = self._accepted = 0
        self._rising = False
        self._refused_at = now

    def patience(self, now: float) -> float:
        """Seconds until one more may be tried though none is known to end; at the ceiling never."""
        if self.limit >= self.ceiling or self.held >= self.ceiling:
            return math.inf
        ended = self._free.until(self.held - self.limit - self._ahead + 1, now, trying=self._trying)
        return ended if self._ahead else min(ended, max(0.0, self._probe_at - now))

    @property
    def _trying(self) -> bool:
        """Whether caution about what has ended would hide a free slot from the try under way."""
        bold = not self._in_vain or self.limit < _PROBING.few
        return self._ahead > 0 and bold and self._sharers is None

    @property
    def _probe_at(self) -> float:
        """When one more may be tried though no start was accepted meanwhile."""
        return self._refused_at + (
            _PROBING.starved_seconds if self.limit <= 0 else _PROBING.probe_seconds
        )

    def _may_try(self, now: float) -> bool:
        if self.limit >= self.ceiling:
            return False
        starts, square = self._accepted, self.found**2
        enough = square // _PROBING.eagerness
        if self._sharers:
            starts = starts * self._sharers.tries_for // _PROBING.of_all
        elif now - self._squeezed_at < _PROBING.squeezed_seconds:
            enough = min(enough, max(self.found, square // _PROBING.squeezed_eagerness))
        least = 1 if self._in_vain < _PROBING.in_vain else _PROBING.least_starts
        enough = min(_PROBING.most_starts, max(least, enough))
        return starts >= enough or (not self._ahead and now >= self._probe_at)


class JobSlots:
    """The slots for jobs in flight: `take` waits until one is free, `slot` holds it for a start."""

    def __init__(self, ceiling: int, waiting: WaitTimes) -> None:
        self.limit = ConcurrencyLimit(ceiling)
        self.refused_starts = 0
        self._waiting = waiting
        self._freed = asyncio.Event()

    async def take(self) -> None:
        """Hold a slot, after waiting for one if need be."""
        clock = asyncio.get_running_loop().time
        while not self.limit.take(clock()):
            self._freed.clear()
            with self._waiting.on("slots"):
                await _wait(self._freed, self.limit.patience(clock()))

    def on_share(self, ceiling: int, limit: int, sharers: Sharers | None) -> None:
        """The account was divided again among the runs that share it."""
        self.limit.on_share(ceiling, limit, sharers)
        self._freed.set()

    def adopt(self) -> None:
        """Count a job that already runs."""
        self.limit.take_anyway()

    def on_poll(self, begun: float, ended: int, *, uncollected: int) -> None:
        """A look at the jobs, begun then by the loop's clock, has shown that so many have ended.

        `uncollected` are all that looks have shown to have ended and that still hold their slots.
        """
        self.limit.on_poll(begun, ended, uncollected)
        self._freed.set()

    def on_event(self) -> None:
        """Events tell when jobs end: how many have ended unseen is guessed no longer."""
        self.limit.on_event()

    def give_back(self) -> None:
        """A job has ended."""
        self.limit.ended()
        self._freed.set()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """What becomes of a slot that was taken: the job keeps it unless its start fails."""
        try:
            yield
        except NoFreeSlot:
            self.refused_starts += 1
            self.limit.refused(asyncio.get_running_loop().time())
            self._freed.set()  # who waits has another time to wait now
            raise
        except BaseException:
            self.limit.not_started()
            self._freed.set()
            raise
        self.limit.accepted(asyncio.get_running_loop().time())


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds if seconds < float("inf") else None):
            await event.wait()
    except TimeoutError:
        pass
