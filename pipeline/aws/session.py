"""Sessions and clients, and the Transcribe calls."""

from __future__ import annotations

import asyncio
import math
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import aioboto3
import msgspec
from aiobotocore.config import AioConfig
from botocore import exceptions as boto

from pipeline import __version__
from pipeline.aws.error_codes import CREDENTIALS_STEP, translated
from pipeline.errors import Expired, Unavailable
from pipeline.model import JobStatus
from pipeline.net.retry import RateLimitedCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.config.schema import Aws, Limits
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

_PAGE = 100
_NOT_THE_SERVICE = "The answer is not Amazon Transcribe's; is there a proxy in between?"
_CONNECT_SECONDS = 10
_RENEWAL_SECONDS = 60.0
_READ_SECONDS = 60


class JobRecord(msgspec.Struct, frozen=True):
    """What GetTranscriptionJob says of a job; None where it has no transcript, or has not ended.

    `ended` is in seconds since the epoch. Of a job with both transcripts it is the redacted one.
    """

    status: JobStatus
    media_uri: str
    transcript_uri: str | None
    failure: str
    ended: float | None = None
    redacted: bool = False


class Session:
    """An open connection to one account and region: the clients, renewed when a token expires."""

    transcribe: Any
    s3: Any
    credentials: Any
    region: str

    def __init__(self, settings: Aws, connections: int, keys: tuple[str, str] | None) -> None:
        self._settings = settings
        self._connections = connections
        self._keys = keys
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._renewed_at = -math.inf

    async def open(self) -> None:
        """Open the clients with the credentials that the machine has now.

        Raises:
            BadSettings: no region, or no such profile.
            NoAccess: no credentials.
        """
        with translated("connecting"):
            self._machine = await self._machine_session()
            self.region = self._machine.region_name
            self.transcribe = await self._opened("transcribe")
            self.s3 = await self._opened("s3")
        self._clients = {"transcribe": self.transcribe, "s3": self.s3}

    async def client(self, service: str) -> Any:
        """The client of a service by botocore's name for it, such as `iam`; opened when asked for.

        Ask for it anew before each call: after a renewal it is another one. `aws_service.Service`
        does so, and translates what goes wrong.
        """
        async with self._opening:
            if service not in self._clients:
                with translated(f"connecting to {service}"):
                    self._clients[service] = await self._opened(service)
            return self._clients[service]

    async def _opened(self, service: str) -> Any:
        config = _config(self._connections)
        if service == "s3":
            config = config.merge(_s3_config(self._settings))
        endpoint = self._settings.endpoint_url or None
        client = self._machine.client(service, endpoint_url=endpoint, config=config)
        return await self._stack.enter_async_context(client)

    async def _machine_session(self) -> Any:
        """A new session: it reads the environment and the credentials files anew."""
        access, secret = self._keys or (None, None)
        session = aioboto3.Session(
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            region_name=self._settings.region or os.environ.get("AWS_REGION") or None,
            profile_name=self._settings.profile or None,
        )
        if session.region_name is None:
            raise boto.NoRegionError
        self.credentials = await session.get_credentials()
        if self.credentials is None:
            raise boto.NoCredentialsError
        return session

    async def renew(self, signed: float) -> None:
        """Take up newer credentials, at most once a minute; calls under way keep their client.

        Args:
            signed: when the call was signed whose token had expired (seconds, monotonic).

        Raises:
            Expired: they were renewed just now, and that did not help.
        """
        async with self._renewing:
            if signed < self._renewed_at:
                return  # another call has renewed them in the meantime
            if time.monotonic() - self._renewed_at < _RENEWAL_SECONDS:
                raise Expired("The session token has expired", CREDENTIALS_STEP)
            await self.open()
            self._renewed_at = time.monotonic()

    async def close(self) -> None:
        """Close every client."""
        await self._stack.aclose()


@asynccontextmanager
async def connect(
    settings: Aws, connections: int, keys: tuple[str, str] | None = None
) -> AsyncIterator[Session]:
    """Open the clients of a run.

    Args:
        settings: profile, region and endpoint; the AWS environment variables hold below them.
        connections: how many Transcribe calls may be under way at once.
        keys: access key and secret instead of the machine's credentials.

    Raises:
        BadSettings: no region, or no such profile.
        NoAccess: no credentials.
    """
    session = Session(settings, connections, keys)
    try:
        await session.open()
        yield session
    finally:
        await session.close()


def _config(connections: int) -> AioConfig:
    return AioConfig(
        # Found in CloudTrail by this name; botocore's own would be spelt anew for every call.
        user_agent=f"transcribe-pipeline/{__version__}",
        max_pool_connections=connections,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": 1},  # the retry layer is RateLimitedCall alone
    )


def _s3_config(settings: Aws) -> AioConfig:
    """For presigning: s3v4, or most regions and KMS objects refuse the URL."""
    elsewhere = settings.endpoint_url or any(
        os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    )
    # "auto" would sign for the global host, which newer regions refuse and new buckets redirect.
    style = "path" if elsewhere else "virtual"
    return AioConfig(signature_version="s3v4", s3={"addressing_style": style})


class Transcriber:
    """The Transcribe calls of a run, each at its own pace."""

    def __init__(
        self, session: Session, limits: Limits, waiting: WaitTimes, slots: JobSlots
    ) -> None:
        self._session = session
        renewed = partial(RateLimitedCall, waiting=waiting, renew=session.renew)
        self.start_calls = renewed("StartTranscriptionJob", limits.start_rate, slots=slots)
        self.get_calls = renewed("GetTranscriptionJob", limits.get_rate)
        self.list_calls = renewed("ListTranscriptionJobs", limits.list_rate)
        self.delete_calls = renewed("DeleteTranscriptionJob", limits.delete_rate)

    @property
    def operations(self) -> tuple[RateLimitedCall, ...]:
        """Every operation, for its counts of calls."""
        return self.start_calls, self.get_calls, self.list_calls, self.delete_calls

    async def start(self, request: dict[str, Any]) -> JobStatus:
        """Start a job in a slot of its own; return the status it begins with.

        Raises:
            JobExists: the name is taken.
            NoFreeSlot: the account runs as many jobs as it may.
            RecordingFailed: the service refuses this recording.
        """

        async def attempt() -> JobStatus:
            with translated("transcribe:StartTranscriptionJob"):
                answer = await self._session.transcribe.start_transcription_job(**request)
            return _job_record(answer).status

        return await self.start_calls.call(attempt)

    async def get(self, name: str) -> JobRecord:
        """What the service knows of a job.

        Raises:
            JobMissing: it knows none of this name.
        """

        async def attempt() -> JobRecord:
            with translated("transcribe:GetTranscriptionJob"):
                answer = await self._session.transcribe.get_transcription_job(
                    TranscriptionJobName=name
                )
            return _job_record(answer)

        return await self.get_calls.call(attempt)

    async def delete(self, name: str) -> None:
        """Have the service forget a job that has ended, and the transcript that it keeps of it.

        Raises:
            JobMissing: it knows none of this name.
        """

        async def attempt() -> None:
            with translated("transcribe:DeleteTranscriptionJob"):
                await self._session.transcribe.delete_transcription_job(TranscriptionJobName=name)

        await self.delete_calls.call(attempt)

    async def pages(self, status: JobStatus, name_contains: str) -> AsyncIterator[list[str]]:
        """The names of the jobs of one status whose names contain that, 100 a call."""
        token: dict[str, Any] = {}
        while True:
            request = {
                "Status": status.value,
                "JobNameContains": name_contains,
                "MaxResults": _PAGE,
            }

            async def attempt(request: dict[str, Any] = request | token) -> dict[str, Any]:
                with translated("transcribe:ListTranscriptionJobs"):
                    answer: dict[str, Any] = await self._session.transcribe.list_transcription_jobs(
                        **request
                    )
                if "TranscriptionJobSummaries" not in answer:
                    raise Unavailable(_NOT_THE_SERVICE)
                return answer

            answer = await self.list_calls.call(attempt)
            yield [job["TranscriptionJobName"] for job in answer["TranscriptionJobSummaries"]]
            following = {"NextToken": answer.get("NextToken")}
            if not following["NextToken"] or following == token:  # or it would never end
                return
            token = following


def _job_record(answer: dict[str, Any]) -> JobRecord:
    job = answer.get("TranscriptionJob") or {}
    if job.get("TranscriptionJobStatus") not in set(JobStatus):
        raise Unavailable(_NOT_THE_SERVICE)
    transcript = job.get("Transcript") or {}
    return JobRecord(
        status=JobStatus(job["TranscriptionJobStatus"]),
        media_uri=(job.get("Media") or {}).get("MediaFileUri", ""),
        transcript_uri=transcript.get("RedactedTranscriptFileUri")
        or transcript.get("TranscriptFileUri"),
        redacted="RedactedTranscriptFileUri" in transcript,
        failure=job.get("FailureReason", ""),
        ended=job["CompletionTime"].timestamp() if "CompletionTime" in job else None,
    )
