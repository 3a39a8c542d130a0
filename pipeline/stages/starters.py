"""The second stage: a bounded pool that starts jobs, and adopts those that exist already."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.errors import (
    Deferred,
    Denied,
    JobExists,
    JobMissing,
    NoFreeSlot,
    PipelineError,
    RecordingFailed,
    ServiceUnreachable,
)
from pipeline.failures import GONE, MEDIA_NOT_ACCESSIBLE, OTHER_MEDIA
from pipeline.model import JobStatus
from pipeline.stages.start_refusals import StartRefusals

if TYPE_CHECKING:
    from pipeline.jobs.client import Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.stages.cost_budget import CostBudget
    from pipeline.stages.job_tracker import JobTracker

_FORGOTTEN = 4
_ITS_OWN = frozenset({OTHER_MEDIA})  # what no account as a whole is refused for


class Starters:
    """What each worker of the pool needs; `work` is one worker.

    `refusals` are the starts that the service has refused.
    """

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
        self._accepted: Job | None = None
        self.refusals = StartRefusals(tracker)

    async def work(self) -> None:
        """Start one pending recording after the other until everything is settled."""
        budget = self._cost_budget
        while job := await self._tracker.pending.next_job():
            if job.result_exists:
                self._tracker.counters.adopted += 1
                self._tracker.state.started(job)
                await self._finished.put(job)
            elif budget and not await budget.reserve(job):
                for each in (job, *self._tracker.pending.end_starts(str(budget))):
                    self._tracker.put_back(each)  # they are left to the next run
            else:
                await self._run(job)

    async def _run(self, job: Job) -> None:
        """Start one recording, or say why not."""
        asked = asyncio.get_running_loop().time()
        try:
            queued = await self._start(job)
        except RecordingFailed as error:
            await self._refused(job, error)
        except Deferred:
            self._tracker.defer(job)
        else:
            self._tracker.state.started(job)
            self._tracker.is_running(job, queued=queued)
            self._accepted = job
            self.refusals.on_accepted(asked)

    async def _refused(self, job: Job, error: RecordingFailed) -> None:
        """The service refuses the recording: fail it where it is proven to be the only one.

        Raises:
            SystematicFailure: it is not.
        """
        if error.reason in _ITS_OWN:
            self._tracker.fail(job, error.reason, error.message)
        elif error.reason == MEDIA_NOT_ACCESSIBLE and await self._is_gone(job):
            self._tracker.fail(job, GONE, "It is no longer there.")
        elif error.reason == MEDIA_NOT_ACCESSIBLE and await self._is_denied_alone(job):
            self._tracker.fail(job, error.reason, error.message)
        else:
            self.refusals.on_refused(job, error.reason, error.message)

    async def _is_gone(self, job: Job) -> bool:
        """Whether the recording was deleted since it was listed, as inventories are days old."""
        try:
            return await self._source.look_up(job.recording.key) is None
        except PipelineError:
            return False

    async def _is_denied_alone(self, job: Job) -> bool:
        """Whether we may not read the recording ourselves, and may one that was started before.

        Transcribe reads with the rights of whoever starts the job.
        """
        return (
            self._accepted is not None
            and await self._is_denied(job)
            and not await self._is_denied(self._accepted)
        )

    async def _is_denied(self, job: Job) -> bool:
        try:
            await self._source.look_up(job.recording.key)
        except Denied:
            return True
        except PipelineError:
            pass
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
