"""The Transcribe calls of a run, each at its own pace."""

from __future__ import annotations

import asyncio
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.account import account_of
from pipeline.aws.answer import not_of_the_service
from pipeline.aws.service import Service
from pipeline.model import JobStatus
from pipeline.net.paging import Pages
from pipeline.text import storable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.answer import Answer
    from pipeline.aws.session import Session
    from pipeline.config.schema import Limits
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.retry import RateLimitedCall
    from pipeline.net.wait_times import WaitTimes

_PAGE = 100
_STATUSES = frozenset(JobStatus)


class JobRecord(msgspec.Struct, frozen=True):
    """What GetTranscriptionJob says of a job; None where it has no transcript, or has not ended.

    `ended` is in seconds since the epoch. `age` is for how many seconds the job has run, or been
    queued, by the service's own clock alone: its StartTime or CreationTime and the Date of its
    answer; None where it gives neither. Of a job with both transcripts it is the redacted one.
    """

    status: JobStatus
    media_uri: str
    transcript_uri: str | None
    failure: str
    ended: float | None = None
    redacted: bool = False
    age: float | None = None


class Transcriber:
    """The Transcribe calls of a run, each at its own pace."""

    def __init__(
        self, session: Session, limits: Limits, waiting: WaitTimes, slots: JobSlots
    ) -> None:
        self._session = session
        self._asking = asyncio.Lock()
        self._account: str | None = None
        self._service = Service(session, "transcribe", waiting)
        operation = self._service.operation
        self.start_calls = operation("StartTranscriptionJob", limits.start_rate, slots)
        self.get_calls = operation("GetTranscriptionJob", limits.get_rate)
        self.list_calls = operation("ListTranscriptionJobs", limits.list_rate)
        self.delete_calls = operation("DeleteTranscriptionJob", limits.delete_rate)

    @property
    def operations(self) -> tuple[RateLimitedCall, ...]:
        """Every operation, for its counts of calls."""
        return self._service.operations

    @property
    def rated_calls(self) -> tuple[RateLimitedCall, ...]:
        """The operations whose rates the user bounds."""
        return self.start_calls, self.get_calls, self.list_calls, self.delete_calls

    async def account(self) -> str:
        """The account whose jobs alone it knows, asked for once; "" where it can't be told."""
        async with self._asking:
            if self._account is None:
                self._account = await account_of(self._session)
            return self._account

    async def start(self, request: dict[str, Any]) -> JobStatus:
        """Start a job in a slot of its own; return the status it begins with.

        Raises:
            JobExists: the name is taken.
            NoFreeSlot: the account runs as many jobs as it may.
            RecordingFailed: the service refuses this recording.
        """
        return await self._service.parsed("StartTranscriptionJob", request, _job_status)

    async def get(self, name: str) -> JobRecord:
        """What the service knows of a job.

        Raises:
            JobMissing: it knows none of this name.
        """
        request = {"TranscriptionJobName": name}
        return await self._service.parsed("GetTranscriptionJob", request, _job_record)

    async def delete(self, name: str) -> None:
        """Have the service forget a job that has ended, and the transcript that it keeps of it.

        Raises:
            JobMissing: it knows none of this name.
        """
        await self._service.call("DeleteTranscriptionJob", TranscriptionJobName=name)

    async def pages(self, status: JobStatus, name_contains: str) -> AsyncIterator[list[str]]:
        """The names of the jobs of one status whose names contain that, 100 a call."""
        request = {"Status": status.value, "JobNameContains": name_contains, "MaxResults": _PAGE}
        token: dict[str, Any] = {}
        pages = Pages("The list of transcription jobs")
        while True:
            names, following = await self._service.parsed(
                "ListTranscriptionJobs", request | token, _job_names
            )
            yield names
            if not following:
                return
            token = {"NextToken": pages.following(following)}


def _job_names(answer: Answer) -> tuple[list[str], str | None]:
    """The names of a page of jobs, and the token of the next one."""
    jobs = answer.get("TranscriptionJobSummaries")
    if jobs is None or not all("TranscriptionJobName" in job for job in jobs):
        raise not_of_the_service(answer.action, "it lacks the jobs' names")
    return [job["TranscriptionJobName"] for job in jobs], answer.get("NextToken")


def _job_status(answer: Answer) -> JobStatus:
    status = answer.get("TranscriptionJob", {}).get("TranscriptionJobStatus")
    if status not in _STATUSES:
        raise not_of_the_service(answer.action, "it lacks the job's status")
    return JobStatus(status)


def _job_record(answer: Answer) -> JobRecord:
    job = answer.get("TranscriptionJob", {})
    transcript = job.get("Transcript", {})
    return JobRecord(
        status=_job_status(answer),
        media_uri=job.get("Media", {}).get("MediaFileUri", ""),
        transcript_uri=transcript.get("RedactedTranscriptFileUri")
        or transcript.get("TranscriptFileUri"),
        redacted="RedactedTranscriptFileUri" in transcript,
        failure=storable(job.get("FailureReason", "")),
        ended=job["CompletionTime"].timestamp() if "CompletionTime" in job else None,
        age=_age(job, answer),
    )


def _age(job: Answer, answer: Answer) -> float | None:
    begun = job.get("StartTime") or job.get("CreationTime")
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        now = parsedate_to_datetime(date)
    except ValueError:
        return None
    if now.tzinfo is None:  # "-0000", which HTTP does not write
        now = now.replace(tzinfo=UTC)
    return (now - begun).total_seconds() if begun else None
