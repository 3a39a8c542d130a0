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
    from pipeline.jobs.client import Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.stages.cost_budget import CostBudget
    from pipeline.stages.job_tracker import JobTracker

_FORGOTTEN = 4


class Starters:
    """What each worker of the pool needs; `work` is one worker."""

    def __init__(
        self,
        tracker: JobTracker,
        transcriber: Transcriber,
        job_rules: JobRules,
        finished: asyncio.Queue[Job],
        cost_budget: CostBudget | None = None,
    ) -> None:
        self._tracker = tracker
        self._transcriber = transcriber
        self._source = job_rules.source
        self._job_rules = job_rules
        self._finished = finished
        self._cost_budget = cost_budget

    async def work(self) -> None:
        """Start one pending recording after the other until everything is settled."""
        budget = self._cost_budget
        while job := await self._tracker.pending.next_job():
            if job.result_exists:
                self._tracker.counters.adopted += 1
                self._tracker.state.started(job)
                await self._finished.put(job)
            elif budget and not await budget.reserve(job):
                self._tracker.end_starts(job, str(budget))
            else:
                await self._run(job)

    async def _run(self, job: Job) -> None:
        """Start one recording, or say why not."""
        try:
            queued = await self._start(job)
        except RecordingFailed as error:
            if error.reason == MEDIA_NOT_ACCESSIBLE and await self._is_gone(job):
                self._tracker.fail(job, GONE, "It is no longer there.")
            else:
                self._tracker.refuse(job, error.reason, error.message)
        except Deferred:
            self._tracker.defer(job)
        else:
            self._tracker.state.started(job)
            self._tracker.is_running(job, queued=queued)

    async def _is_gone(self, job: Job) -> bool:
        """Whether the recording was deleted since it was listed, as inventories are days old."""
        try:
            return await self._source.look_up(job.recording.key) is None
        except PipelineError:
            return False

    async def _start(self, job: Job) -> bool:
        """Start the job, or adopt it; return whether the service queues it.

        A refusal for want of a slot is no failed try.
        """
        media_uri = self._source.media_uri(job.recording.key)
        request = self._job_rules.request(job, media_uri)
        forgotten = 0
        while forgotten < _FORGOTTEN:
            try:
                status = await self._transcriber.start(request)
            except NoFreeSlot:
                continue
            except JobExists:
                if await self._adopt(job, media_uri):
                    return False
                forgotten += 1
                await asyncio.sleep(forgotten)
            else:
                self._tracker.counters.started += 1
                return status is JobStatus.QUEUED
        raise ServiceUnreachable(
            f"The service says that the job {job.name} exists, and that it does not",
            "Run the same command again later; it goes on where it stopped.",
            action="transcribe:StartTranscriptionJob",
        )

    async def _adopt(self, job: Job, media_uri: str) -> bool:
        """Make the existing job of this name ours; False when it has just been deleted."""
        try:
            record = await self._transcriber.get(job.name)
        except JobMissing:
            return False
        if record.media_uri != media_uri:
            raise RecordingFailed(
                OTHER_MEDIA, f"A job of the name {job.name} exists for other media."
            )
        self._tracker.counters.adopted += 1
        self._tracker.slots.adopt()
        return True
