"""Where the result of a job is, and its bytes: our own bucket, or where the service keeps it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.errors import Denied, RecordingFailed
from pipeline.failures import FAULT, LOST, NO_SPEECH, OTHER_PLACE, classify
from pipeline.model import JobStatus
from pipeline.naming import parse_s3_uri, place_of_result, places_of_results, result_place

if TYPE_CHECKING:
    from pipeline.aws.s3 import S3
    from pipeline.jobs.client import JobRecord, Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.naming import S3Uri
    from pipeline.stages.job_tracker import JobTracker

_RENEWALS = 8
NOT_REDACTED = "A redacted transcript was asked for, and this one is not."


class FaultAtTheService(RecordingFailed):
    """The job failed for no fault of the recording ("Internal ..."): worth another job."""


class StillRunning(Exception):
    """The job has not finished after all: the listing lagged behind."""

    def __init__(self, *, queued: bool) -> None:
        super().__init__()
        self.queued = queued


class Results:
    """Locates the result of a job, and fetches it."""

    def __init__(
        self, tracker: JobTracker, transcriber: Transcriber, s3: S3, job_rules: JobRules
    ) -> None:
        self._facts = tracker.state.facts
        self._transcriber = transcriber
        self._s3 = s3
        self._job_rules = job_rules
        self._place = parse_s3_uri(job_rules.config.output.results)
        self._may_read = False

    async def fetch(self, job: Job) -> bytes | None:
        """The document of a job that has ended; None for a silent recording.

        Raises:
            StillRunning: it has not ended.
            JobMissing: the service does not know it and there is no result.
            RecordingFailed: there is none and there will be none.
        """
        document = await self._own_result(job)
        return await self._from_record(job) if document is None else document

    async def _own_result(self, job: Job) -> bytes | None:
        """The result at its computed place, with `--results`; no call to Transcribe is needed."""
        for place in self._places(job):
            with suppress(Denied):  # the job's record will tell whether there should be one
                if document := await self._s3.read(place):
                    self._may_read = True
                    return document
        return None

    def _places(self, job: Job) -> list[S3Uri]:
        """Where a result may be with `--results`: one place, two where the settings are unknown.

        Of a redacted and an unredacted one it is the redacted one that people get to see.
        """
        if self._place is None:
            return []
        settings = self._job_rules.known_of(job)
        kinds = [settings.redacted] if settings else [True, False]
        return [result_place(self._place, job.name, redacted=each) for each in kinds]

    async def _from_record(self, job: Job) -> bytes | None:
        """Ask the service how the job ended; None for a silent recording.

        Its presigned URL lives 15 minutes; a new one is asked for when it has expired.
        """
        for _ in range(_RENEWALS):
            record = await self._transcriber.get(job.name)
            if record.status in (JobStatus.QUEUED, JobStatus.IN_PROGRESS):
                raise StillRunning(queued=record.status is JobStatus.QUEUED)
            if record.status is JobStatus.FAILED:
                _raise_unless_silent(record)
                return None
            document = await self._own_result(job) or await self._handed_out(job, record)
            if document is not None:
                return document
        if self._place is not None and not self._may_read:
            raise Denied(
                f"The job {job.name} is complete, but its transcript can't be read at "
                f"{self._places(job)[-1]}",
                "Allow s3:GetObject there.",
            )
        raise RecordingFailed(LOST, "The job is complete, but its transcript is not there.")

    async def _handed_out(self, job: Job, record: JobRecord) -> bytes | None:
        """What is at the place the service names: its own, or one that we told it of.

        Raises:
            RecordingFailed: someone else's job of this name wrote to a place of theirs.
        """
        uri, settings = record.transcript_uri, self._job_rules.known_of(job)
        if uri is None:
            return None
        if settings and settings.redacted and not record.redacted:
            raise RecordingFailed(LOST, NOT_REDACTED)
        if "X-Amz-" in uri.partition("?")[2]:
            return await self._s3.fetch(uri)
        place = place_of_result(uri)
        told = self._facts.result_places()
        ours = [each for results in told for each in places_of_results(results, job.name)]
        kept_by_emulator = self._place is None and not self._s3.is_aws  # AWS presigns its own
        if place is None or (place not in ours and not kept_by_emulator):
            raise RecordingFailed(
                OTHER_PLACE, f"The job {job.name} wrote its transcript to {place or 'elsewhere'}."
            )
        if place in self._places(job):
            return None  # it has just been looked for there
        try:
            return await self._s3.read(place)
        except Denied:  # without s3:ListBucket S3 says so of one that is not there
            return None


def _raise_unless_silent(record: JobRecord) -> None:
    """A job failed; without speech to identify the language by, that is silence, no error."""
    reason = classify(record.failure)
    if reason == FAULT:
        raise FaultAtTheService(reason, record.failure)
    if reason != NO_SPEECH:
        raise RecordingFailed(reason, record.failure)
