"""The second stage: a bounded pool that starts jobs, and adopts those that exist already."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.errors import (
    Deferred,
    JobExists,
    JobMissing,
    NoFreeSlot,
    PipelineError,
    RecordingFailed,
    ServiceUnreachable,
)
from pipeline.failures import GONE, MEDIA_NOT_ACCESSIBLE, OTHER_MEDIA
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from pipeline.aws.session import Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.recordings.source import Source
    from pipeline.stages.job_tracker import JobTracker


_FORGOTTEN = 4


class Starters:
    """What each worker of the pool needs; `work` is one worker."""

    def __init__(  # the board, two neighbours, and what a request needs
        self,
        tracker: JobTracker,
        transcriber: Transcriber,
        source: Source,
        job_rules: JobRules,
        finished: asyncio.Queue[Job],
    ) -> None:
        self._board = tracker
        self._transcriber = transcriber
        self._source = source
        self._asking = job_rules
        self._finished = finished

    async def work(self) -> None:
        """Start one pending recording after the other until everything is settled."""
        while job := await self._board.next_job():
            if job.found:
                self._board.figures.adopted += 1
                self._board.state.started(job)
                await self._finished.put(job)
            elif (cost_budget := self._board.cost_budget) and not await cost_budget.set_aside(job):
                self._board.end_starts(job, str(cost_budget))
            else:
                await self._run(job)

    async def _run(self, job: Job) -> None:
        """Start one recording, or say why not."""
        try:
            await self._start(job)
        except RecordingFailed as error:
            if error.reason == MEDIA_NOT_ACCESSIBLE and await self._is_gone(job):
                self._board.fail(job, GONE, "It is no longer there.")
            else:
                self._board.refuse(job, error.reason, error.message)
        except Deferred:
            self._board.postpone(job)
        else:
            self._board.state.started(job)
            self._board.is_running(job)

    async def _is_gone(self, job: Job) -> bool:
        """Whether the recording was deleted since it was listed, as inventories are days old."""
        try:
            return await self._source.look_up(job.recording.key) is None
        except PipelineError:
            return False

    async def _start(self, job: Job) -> None:
        """Start the job, or adopt it; a refusal for want of a slot is no failed try."""
        media_uri = self._source.media_uri(job.recording.key)
        request = self._asking.request(job, media_uri)
        forgotten = 0
        while forgotten < _FORGOTTEN:
            try:
                status = await self._transcriber.start(request)
            except NoFreeSlot:
                continue
            except JobExists:
                if await self._adopted(job, media_uri):
                    return
                forgotten += 1
                await asyncio.sleep(forgotten)
            else:
                self._board.figures.started += 1
                self._board.queueing |= status is JobStatus.QUEUED
                return
        raise ServiceUnreachable(
            f"The service says that the job {job.name} exists, and that it does not. Run the same "
            "command again later; it goes on where it stopped."
        )

    async def _adopted(self, job: Job, media_uri: str) -> bool:
        """Make the existing job of this name ours; False when it has just been deleted."""
        try:
            record = await self._transcriber.get(job.name)
        except JobMissing:
            return False
        if record.media_uri != media_uri:
            raise RecordingFailed(
                OTHER_MEDIA, f"A job of the name {job.name} exists for other media."
            )
        self._board.figures.adopted += 1
        self._board.slots.adopt()
        return True
