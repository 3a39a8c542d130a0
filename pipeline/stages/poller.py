"""The third stage: one loop asks what has ended, by listing, never one Get per job.

A job that was waiting before the listing began and is no longer in it has ended, or the listing
lags: the collector finds out by reading its result. Where events tell of ends, jobs are listed
seldom, for events that were lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from pipeline.model import JobStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.model import Job
    from pipeline.stages.job_events import JobEvents
    from pipeline.stages.job_tracker import JobTracker

    Pages = Callable[[JobStatus], AsyncIterator[list[str]]]

_NO_EVENTS = (
    "Jobs end, but no event tells of it: the run goes on by listing them. `transcribe-pipeline "
    "events setup` shows what is wrong with the rule and its queue."
)


class PollTuning(msgspec.Struct, frozen=True):
    """When to look next. Measured by the makespan benchmarks, with 50 slots and jobs of 4 s and
    with 250 and 60 s: the numbers of looks cost 0.3 and 0.07 List calls a recording.
    """

    soonest: float = 0.2  # seconds between two looks, at least
    growth: float = 1.5  # of the interval while no job has ended, so that its length is unknown
    looks: int = 20  # while a job runs, where one call shows all of them
    looks_at_least: int = 6  # where a look takes many calls
    looks_at_the_end: int = 60  # when the run waits for its last jobs alone
    tick: float = 5.0  # seconds between two questions whether events suffice


_TUNING = PollTuning()


class Look(msgspec.Struct, frozen=True):
    """What one look has come to: how many List calls it took; 0 where nothing was waited for.

    `skipped` says that events made it unnecessary.
    """

    calls: int = 0
    skipped: bool = False


def next_look(
    last: float, look: Look, longest: float, typical: float | None, *, ending: bool
) -> float:
    """Seconds until the next look, so that jobs are seen to end soon after they do. Pure.

    A look costs a call for each hundred jobs, so it is taken 20 times while a job runs where one
    call is enough, and less often with more calls, but 6 times at least. When there is nothing
    left to start the run ends with the last look, so there are 60.

    Args:
        last: the seconds before the last look.
        look: what it has come to.
        longest: the longest interval allowed, in seconds.
        typical: how long a job takes, None while none has ended.
        ending: whether every recording has been started.
    """
    if look.skipped:
        return min(_TUNING.tick, longest)
    if not look.calls:
        return _TUNING.soonest
    if typical is None:
        wished = last * _TUNING.growth
    elif ending:
        wished = typical / _TUNING.looks_at_the_end
    else:
        wished = typical / max(_TUNING.looks_at_least, _TUNING.looks / look.calls)
    return max(_TUNING.soonest, min(longest, wished))


class Poller:
    """Looks at the running jobs and hands those that have ended to the collectors.

    `pages` lists the names of the account's jobs in a state, page by page. Two looks are
    `longest_interval` seconds apart, at most.
    """

    def __init__(
        self,
        tracker: JobTracker,
        pages: Pages,
        longest_interval: float,
        ended: asyncio.Queue[Job],
        events: JobEvents | None = None,
    ) -> None:
        self._tracker = tracker
        self._pages = pages
        self._longest = longest_interval
        self._ended = ended
        self._events = events

    async def poll(self) -> None:
        """Look until cancelled."""
        interval = _TUNING.soonest
        while True:
            await asyncio.sleep(interval)
            self._tracker.state.note_started()
            await self.look_at_overdue()
            look = Look(skipped=True) if self.events_suffice() else await self._look()
            typical, ending = self._tracker.clock.typical_seconds, self._tracker.pending.ending
            interval = next_look(interval, look, self._longest, typical, ending=ending)

    def events_suffice(self) -> bool:
        """Whether events tell when jobs end, so that there is no need to list them now."""
        if self._events is None:
            return False
        tracker, clock = self._tracker, self._tracker.clock
        return not self._events.listing_is_due(
            asyncio.get_running_loop().time(),
            clock.typical_seconds,
            lambda seconds: len(clock.overdue(tracker.waiting, seconds)),
            ending=tracker.pending.ending,
        )

    async def look_at_overdue(self) -> None:
        """Have each job looked at that is older than a job may get, by this machine's clock.

        A weekend, a machine that slept or a clock that was set right make a job old that has ended
        long ago: the collector asks for its result, and how old the service says it is.
        """
        clock, waiting = self._tracker.clock, self._tracker.waiting
        due = {job.name: job for job in clock.due(waiting)}
        for job in clock.overdue(due, clock.longest_seconds):
            if job.name in waiting:  # an event may have told meanwhile
                self._tracker.seems_ended(job)
                await self._ended.put(job)

    async def _look(self) -> Look:
        waiting = self._tracker.waiting
        due, begun = self._tracker.clock.due(waiting), asyncio.get_running_loop().time()
        if not due:
            self._tracker.on_poll([], begun)
            return Look()
        running, calls = await self._running()
        # Of some an event has told meanwhile.
        ended = [job for job in due if job.name not in running and job.name in waiting]
        self._tracker.on_poll(ended, begun)
        if self._events is not None and self._events.on_poll(begun, len(ended)):
            self._tracker.note(_NO_EVENTS)
        for job in ended:
            await self._ended.put(job)
        return Look(calls)

    async def _running(self) -> tuple[set[str], int]:
        """The names of our jobs that have not ended, and how many calls that took.

        QUEUED first: a job that moves on between the two listings is then in the second.
        """
        names: set[str] = set()
        calls = 0
        queued = (JobStatus.QUEUED,) if self._tracker.queueing else ()
        for status in (*queued, JobStatus.IN_PROGRESS):
            async for page in self._pages(status):
                names.update(page)
                calls += 1
        return names, calls
