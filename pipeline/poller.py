"""The third stage: one loop asks what has finished, by listing, never one Get per job.

A job that was waiting before the listing began and is no longer in it has finished, or the listing
lags: the collector finds out by reading its result.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.failures import NEVER_ENDED
from pipeline.model import JobStatus
from pipeline.text import duration

if TYPE_CHECKING:
    from pipeline.aws import Transcriber
    from pipeline.board import Board
    from pipeline.config import Limits
    from pipeline.model import Job

_SOONEST = 0.2
_PER_CALL = 10.0
"""How many jobs should have finished for each List call: a tenth of a call per recording."""

_GROWTH = 1.5


def next_interval(interval: float, calls: int, finished: int, longest: float) -> float:
    """Seconds until the next look: as long as it should take for ten jobs a call to finish.

    Args:
        interval: the seconds between the last two looks.
        calls: List calls of the last look.
        finished: jobs that it found finished.
        longest: the most it may be: the user's bound, or an eighth of what a job takes.
    """
    wanted = calls * _PER_CALL
    factor = wanted / finished if finished else _GROWTH
    wished = interval * min(_GROWTH, max(1 / _GROWTH, factor))
    return max(_SOONEST, min(longest, wished))


class Poller:
    """Looks at the running jobs and hands finished ones to the collectors."""

    def __init__(  # the board, two neighbours, and what to look for
        self,
        board: Board,
        transcriber: Transcriber,
        tag: str,
        limits: Limits,
        finished: asyncio.Queue[Job],
    ) -> None:
        self._board = board
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
            due = self._board.due()
            if not due:
                interval = _SOONEST
                continue
            running, calls = await self._running()
            gone = [job for job in due if job.name not in running]
            for job in gone:
                self._board.seems_finished(job)
            for job in gone:
                await self._finished.put(job)
            typical = self._board.typical_seconds
            bound = self._longest if typical is None else min(self._longest, typical / 8)
            interval = next_interval(interval, calls, len(gone), bound)

    def _give_up_overdue(self) -> None:
        """A job that never ends fails its recording alone; whoever waits is told."""
        for job in self._board.overdue(self._timeout):
            self._board.seems_finished(job)
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
