"""The fourth stage: fetch the transcript of a finished job and build its task; several at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.config.pricing import items_of
from pipeline.errors import (
    Deferred,
    Denied,
    JobMissing,
    RecordingFailed,
    ServiceUnreachable,
)
from pipeline.failures import BROKEN_TRANSCRIPT, FAULT, LOST, NO_SPEECH, OTHER_PLACE, classify
from pipeline.model import Job, JobSettings, JobStatus, Line, Transcript, TranscriptStats
from pipeline.naming import parse_s3_uri, place_of_result, places_of_results, result_place
from pipeline.tasks.builder import TaskMaker
from pipeline.transcripts.parsing import parse_transcript

if TYPE_CHECKING:
    import asyncio

    from pipeline.aws.s3 import S3
    from pipeline.jobs.client import JobRecord, Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.naming import S3Uri
    from pipeline.stages.job_tracker import JobTracker

_RENEWALS = 8
_READINGS = 3
_RESTARTS = 3
_NEW_NAMES = 2
_NOT_REDACTED = "A redacted transcript was asked for, and this one is not."


class FaultAtTheService(RecordingFailed):
    """The job failed for no fault of the recording ("Internal ..."): worth another job."""


class StillRunning(Exception):
    """The job has not finished after all: the listing lagged behind."""


class Collectors:
    """What each collector needs; `work` is one of them."""

    def __init__(
        self, tracker: JobTracker, transcriber: Transcriber, s3: S3, job_rules: JobRules
    ) -> None:
        config = job_rules.config
        self._tracker = tracker
        self._transcriber = transcriber
        self._s3 = s3
        self._source = job_rules.source
        self._results = parse_s3_uri(config.output.results)
        self._job_rules = job_rules
        self._tasks = TaskMaker(config.tasks.kind, config.model_version)
        self._may_read = False

    async def work(self, finished: asyncio.Queue[Job], lines: asyncio.Queue[Line]) -> None:
        """Collect one finished job after the other until cancelled."""
        while True:
            job = await finished.get()
            try:
                transcript = await self._transcript(job)
            except StillRunning:
                self._tracker.still_running(job)
            except JobMissing:
                self._start_again(job)
            except FaultAtTheService as error:
                self._try_again(job, error)
            except RecordingFailed as error:
                self._tracker.fail(job, error.reason, error.message)
            except Deferred:
                self._tracker.defer(job)
            else:
                self._tracker.has_ended(job)
                self._bill(job, transcript)
                await lines.put(self._line(job, transcript))
                self._tracker.hand_over(job, silent=transcript.silent)

    def _bill(self, job: Job, transcript: Transcript) -> None:
        if not job.result_exists:  # those were paid for before
            items = items_of(self._job_rules.of(job.recording.key))
            seconds = self._tracker.audio_seconds.get(job.name, transcript.duration)
            self._tracker.counters.bill(seconds, items)

    def _line(self, job: Job, transcript: Transcript) -> Line:
        audio = self._source.audio_uri(job.recording.key)
        took = self._tracker.clock.seconds_since_start(job.name)
        heard = TranscriptStats(transcript.confidence, transcript.duration, took)
        settings = self._job_rules.known_of(job) or JobSettings()
        return Line(job, self._tasks.line(audio, job, transcript, settings), heard)

    def _try_again(self, job: Job, error: FaultAtTheService) -> None:
        """Give a job that the service spoilt a new name, twice at most; none to one found done."""
        if job.attempt <= _NEW_NAMES and not job.result_exists:
            self._tracker.try_again(job)
        else:
            self._tracker.fail(job, error.reason, error.message)

    def _start_again(self, job: Job) -> None:
        """Start a job that the service has forgotten, unless its result was there before."""
        if job.result_exists:
            self._tracker.fail(job, LOST, "Its transcript is no longer where it was found.")
        elif self._tracker.restart(job) > _RESTARTS:
            raise ServiceUnreachable(
                f"The service keeps forgetting the job {job.name}",
                "Run the same command again later; it goes on where it stopped.",
            )

    async def _transcript(self, job: Job) -> Transcript:
        """The job's transcript, checked to be this job's.

        Raises:
            StillRunning: it has not finished.
            JobMissing: the service does not know it and there is no result.
            RecordingFailed: there is no usable transcript and there will be none.
        """
        transcript = await self._read(job)
        for _ in range(1, _READINGS):
            if not isinstance(transcript, RecordingFailed):
                break
            transcript = await self._read(job)  # it may have been cut short on the way
        if isinstance(transcript, RecordingFailed):
            raise transcript
        if transcript.job_name != job.name:
            raise RecordingFailed(BROKEN_TRANSCRIPT, "It is the transcript of another job.")
        settings = self._job_rules.known_of(job)
        if settings and settings.redacted and transcript.redacted is False:
            raise RecordingFailed(BROKEN_TRANSCRIPT, _NOT_REDACTED)
        return transcript

    async def _read(self, job: Job) -> Transcript | RecordingFailed:
        """The transcript as it arrives, or what is wrong with it."""
        document = await self._own_result(job)
        if document is None:
            document = await self._asked_for(job)
        if document is None:
            return Transcript(job.name, "")
        try:
            return parse_transcript(document)
        except RecordingFailed as error:
            return error

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
        if self._results is None:
            return []
        settings = self._job_rules.known_of(job)
        kinds = [settings.redacted] if settings else [True, False]
        return [result_place(self._results, job.name, redacted=each) for each in kinds]

    async def _asked_for(self, job: Job) -> bytes | None:
        """Ask the service how the job ended; None for a silent recording.

        Its presigned URL lives 15 minutes; a new one is asked for when it has expired.
        """
        for _ in range(_RENEWALS):
            record = await self._transcriber.get(job.name)
            if record.status in (JobStatus.QUEUED, JobStatus.IN_PROGRESS):
                self._tracker.queueing |= record.status is JobStatus.QUEUED
                raise StillRunning
            if record.status is JobStatus.FAILED:
                _raise_unless_silent(record)
                return None
            document = await self._own_result(job) or await self._handed_out(job, record)
            if document is not None:
                return document
        if self._results is not None and not self._may_read:
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
            raise RecordingFailed(LOST, _NOT_REDACTED)
        if "X-Amz-" in uri.partition("?")[2]:
            return await self._s3.fetch(uri)
        place = place_of_result(uri)
        told = self._tracker.state.facts.result_places()
        ours = [each for results in told for each in places_of_results(results, job.name)]
        kept_by_emulator = self._results is None and not self._s3.is_aws  # AWS presigns its own
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
