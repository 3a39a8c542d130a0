"""Where the result of a job is, and its bytes: our own bucket, or where the service keeps it.

A result that may not be read is refused, which is another thing than absent: S3 answers 403 to a
missing permission, a key that may not be used or an endpoint's policy, and 404 to an object that is
not there.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from pipeline.aws.account import other_accounts
from pipeline.aws.s3_listing import may_exist
from pipeline.errors import Denied, JobMissing, RecordingFailed
from pipeline.failures import ELSEWHERE, FAULT, LOST, OTHER_PLACE, classify
from pipeline.model import JobStatus
from pipeline.naming import parse_s3_uri, place_of_result, places_of_results, result_place
from pipeline.state.facts import accounts_in

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pipeline.aws.s3 import S3
    from pipeline.jobs.client import JobRecord, Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.naming import S3Uri
    from pipeline.state.facts import Facts

_MOST_RENEWALS = 8
_MOST_TRIES = 2
NOT_REDACTED = "A redacted transcript was asked for, and this one is not."


class FaultAtTheService(RecordingFailed):
    """The job failed for no fault of the recording ("Internal ..."): worth another job."""


class StillRunning(Exception):
    """The job has not ended; `age` is for how many seconds it has run, as `JobRecord` has it."""

    def __init__(self, *, queued: bool, age: float | None) -> None:
        super().__init__()
        self.queued = queued
        self.age = age


class ResultDenied(Exception):
    """The result may not be read, or whether there is one can't be known: `why` says so."""

    def __init__(self, why: Denied) -> None:
        super().__init__(why)
        self.why = why


class Results:
    """Locates the result of a job, and fetches it."""

    def __init__(self, facts: Facts, transcriber: Transcriber, s3: S3, job_rules: JobRules) -> None:
        self._facts = facts
        self._transcriber = transcriber
        self._s3 = s3
        self.job_rules = job_rules
        self._place = job_rules.results

    async def fetch(self, job: Job) -> bytes:
        """The document of a job that has ended.

        Raises:
            StillRunning: it has not ended.
            JobMissing: the service does not know it and there is no result.
            RecordingFailed: there is none and there will be none.
            ResultDenied: there may be one, but it is not ours to read.
            NoAccess: another account has all jobs, and their transcripts.
        """
        try:  # at its computed place, with `--results`: no call to Transcribe is needed
            document, denied = await self._own_result(job), None
        except ResultDenied as error:  # the record tells whether there should be one by now
            document, denied = None, error
        if document is not None:
            return document
        if job.result_exists and self._kept_here_alone:  # a job of a lane is not ours to see
            raise denied or RecordingFailed(LOST, "Its transcript is no longer below --results.")
        try:
            return await self._from_record(job)
        except JobMissing:
            if denied:
                raise denied from None
            if job.result_exists:
                await self._refuse_elsewhere(job)
            raise

    async def _refuse_elsewhere(self, job: Job) -> None:
        """Take no job for lost that another account may have, with the transcript that it keeps.

        Raises:
            RecordingFailed: one may.
            NoAccess: this account has none of the jobs.
        """
        known = accounts_in(self._facts)
        if not any(known):
            return
        jobs = f"The transcript of the job {job.name} is kept"
        if others := other_accounts(jobs, known, await self._transcriber.account()):
            raise RecordingFailed(
                ELSEWHERE, f"Its job may be in the account {' or '.join(others)}."
            )

    @property
    def _kept_here_alone(self) -> bool:
        """Whether all jobs of the state file were told to write below today's `--results`."""
        told = {parse_s3_uri(each) for each in self._facts.told_results()}
        return self._place is not None and told == {self._place}

    async def _own_result(self, job: Job) -> bytes | None:
        """The result at its computed place; None without `--results` or where there is none.

        Raises:
            ResultDenied: there is none that may be read, and one that may not.
        """
        denied: dict[S3Uri, ResultDenied] = {}
        for place in self._places(job):
            try:
                document = await _or_denied(self._s3.read(place))
            except ResultDenied as error:
                denied[place] = error
            else:
                if document is not None:
                    return document
        for place, why in denied.items():
            if await may_exist(self._s3, place):
                raise why
        return None

    def _places(self, job: Job) -> list[S3Uri]:
        """Where a result may be with `--results`: one place, two where the settings are unknown.

        Of a redacted and an unredacted one it is the redacted one that people get to see.
        """
        if self._place is None:
            return []
        settings = self.job_rules.known_of(job)
        kinds = [settings.redacted] if settings else [True, False]
        return [result_place(self._place, job.name, redacted=each) for each in kinds]

    async def _from_record(self, job: Job) -> bytes:
        """Ask the service how the job ended, and read what it then names.

        A presigned URL of its own lives 15 minutes, so that a refusal may be an old URL's: a new
        one is asked for. S3 says so of most that have expired ("Request has expired").
        """
        for tries in count(1):
            try:
                return await self._as_recorded(job)
            except ResultDenied as denied:
                expired = "expired" in denied.why.message.lower()
                if tries == (_MOST_RENEWALS if expired else _MOST_TRIES):
                    raise
        raise AssertionError  # it counts for ever

    async def _as_recorded(self, job: Job) -> bytes:
        record = await self._transcriber.get(job.name)
        if record.status in (JobStatus.QUEUED, JobStatus.IN_PROGRESS):
            raise StillRunning(queued=record.status is JobStatus.QUEUED, age=record.age)
        if record.status is JobStatus.FAILED:
            raise _failure(record)
        document = await self._handed_out(job, record)
        if document is None:  # the job may have ended after its place was looked at
            document = await self._own_result(job)
        if document is None:
            raise RecordingFailed(LOST, "The job is complete, but its transcript is not there.")
        return document

    async def _handed_out(self, job: Job, record: JobRecord) -> bytes | None:
        """What is at the place the service names: its own, or one that we told it of.

        Raises:
            ResultDenied: it may not be read, or its URL has expired.
            RecordingFailed: someone else's job of this name wrote to a place of theirs.
        """
        uri, settings = record.transcript_uri, self.job_rules.known_of(job)
        if uri is None:
            return None
        if settings and settings.redacted and not record.redacted:
            raise RecordingFailed(LOST, NOT_REDACTED)
        if "X-Amz-" in uri.partition("?")[2]:
            return await _or_denied(self._s3.fetch(uri))
        place = place_of_result(uri)
        told = self._facts.result_places()
        ours = [each for results in told for each in places_of_results(results, job.name)]
        kept_by_emulator = self._place is None and not self._s3.is_aws  # AWS presigns its own
        if place is None or (place not in ours and not kept_by_emulator):
            raise RecordingFailed(
                OTHER_PLACE, f"The job {job.name} wrote its transcript to {place or 'elsewhere'}."
            )
        if place in self._places(job):
            return None
        try:
            return await _or_denied(self._s3.read(place))
        except ResultDenied:
            if await may_exist(self._s3, place):
                raise
            return None


async def _or_denied(reading: Awaitable[bytes | None]) -> bytes | None:
    try:
        return await reading
    except Denied as error:
        raise ResultDenied(error) from error


def _failure(record: JobRecord) -> RecordingFailed:
    """Why a job failed. Too little speech to identify the language by is no silence."""
    reason = classify(record.failure)
    kind = FaultAtTheService if reason == FAULT else RecordingFailed
    return kind(reason, record.failure)
