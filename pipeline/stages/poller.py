"""The third stage: one loop asks what has finished, by listing, never one Get per job.

A job that was waiting before the listing began and is no longer in it has finished, or the listing
lags: the collector finds out by reading its result. Where events tell of ends, jobs are listed
seldom, for events that were lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.events.message import late
from pipeline.failures import NEVER_ENDED
from pipeline.model import JobStatus
from pipeline.text import duration

if TYPE_CHECKING:
    from pipeline.aws.session import Transcriber
    from pipeline.config.schema import Limits
    from pipeline.model import Job
    from pipeline.stages.job_tracker import JobTracker

_SOONEST = 0.2
_GROWTH = 1.5
_LOOKS = 20
_LOOKS_AT_LEAST = 6
_LOOKS_AT_THE_END = 60
_TICK = 5.0
_SILENCE = (
    "Jobs end, but no event tells of it: the run goes on by listing them. `transcribe-pipeline "
    "events setup` shows what is wrong with the rule and its queue."
)


def next_interval(last: float, calls: int, typical: float | None, *, ending: bool) -> float:
    """Seconds until the next look, so that jobs are seen to end soon after they do.

    A look costs a call for each hundred jobs, so it is taken 20 times while a job runs where one
    call is enough, and less often with more calls, but 6 times at least. When there is nothing
    left to start the night ends with the last look, so there are 60. Measured with 50 slots and
    jobs of 4 s this costs 0.3 List calls a recording, with 250 and 60 s 0.07.

    Args:
        last: the seconds between the last two looks.
        calls: List calls of the last look.
        typical: how long a job takes, None while none has ended.
        ending: whether every recording has been started.
    """
    if typical is None:
        return last * _GROWTH
    looks = _LOOKS_AT_THE_END if ending else max(_LOOKS_AT_LEAST, _LOOKS / max(1, calls))
    return typical / looks


class Poller:
    """Looks at the running jobs and hands finished ones to the collectors."""

    def __init__(  # the board, two neighbours, and what to look for
        self,
        tracker: JobTracker,
        transcriber: Transcriber,
        tag: str,
        limits: Limits,
        finished: asyncio.Queue[Job],
    ) -> None:
        self._board = tracker
        self._transcriber = transcriber
        self._tag = tag
        self._longest = limits.poll_seconds
        self._timeout = limits.job_timeout * 3600
        self._finished = finished

    async def poll(self) -> None:
        """Look until cancelled."""
        interval = _SOONEST
        while True:
            await asyncio.sleep(interval)
            self._board.state.note_started()
            self._give_up_overdue()
            if self._events_suffice():
                interval = min(_TICK, self._longest)
                continue
            due, begun = self._board.due(), asyncio.get_running_loop().time()
            if not due:
                self._board.seem_finished([], begun)
                interval = _SOONEST
                continue
            running, calls = await self._running()
            waiting = self._board.waiting  # of some an event has told meanwhile
            gone = [job for job in due if job.name not in running and job.name in waiting]
            self._board.seem_finished(gone, begun)
            self._note(begun, len(gone))
            for job in gone:
                await self._finished.put(job)
            typical, ending = self._board.typical_seconds, self._board.ending
            wished = next_interval(interval, calls, typical, ending=ending)
            interval = max(_SOONEST, min(self._longest, wished))

    def _events_suffice(self) -> bool:
        """Whether events tell when jobs end, so that there is no need to list them now."""
        tracker = self._board
        if tracker.event_trust is None:
            return False
        now = asyncio.get_running_loop().time()
        typical, since = tracker.typical_seconds, tracker.event_trust.since_look(now)
        known_late = tracker.overdue(
            late(typical) + since
        )  # the last listing has shown them running
        some_late = len(tracker.overdue(late(typical))) > len(known_late)
        return not tracker.event_trust.look_is_due(
            now, typical, ending=tracker.ending, some_late=some_late
        )

    def _note(self, begun: float, gone: int) -> None:
        """Compare what a listing has found with what events have told."""
        event_trust = self._board.event_trust
        if event_trust is not None and event_trust.looked(begun, gone):
            self._board.note(_SILENCE)

    def _give_up_overdue(self) -> None:
        """A job that never ends fails its recording alone; whoever waits is told."""
        for job in self._board.overdue(self._timeout):
            self._board.give_up(job)
            words = f"The job did not end within {duration(self._timeout)}."
            self._board.fail(job, NEVER_ENDED, words)

    async def _running(self) -> tuple[set[str], int]:
        """The names of our jobs that have not finished, and how many calls that took.

        QUEUED first: a job that moves on between the two listings is then in the second.
        """
        names: set[str] = set()
        calls = 0
        queued = (JobStatus.QUEUED,) if self._board.queueing else ()
        for status in (*queued, JobStatus.IN_PROGRESS):
            async for page in self._transcriber.pages(status, self._tag):
                names.update(page)
                calls += 1
        return names, calls
