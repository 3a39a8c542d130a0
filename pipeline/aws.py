"""Sessions and clients, the Transcribe calls, and the one translation of what AWS says.

What a call's failure means is decided by its code and message, never by its HTTP status: recorded
answers of the service and newer service models disagree about the status.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import aioboto3
import msgspec
from aiobotocore.config import AioConfig
from botocore import exceptions as boto

from pipeline.brakes import Operation
from pipeline.errors import (
    BadSettings,
    Denied,
    JobExists,
    JobMissing,
    NoAccess,
    NoFreeSlot,
    PipelineError,
    RecordingFailed,
    Throttled,
    Unavailable,
)
from pipeline.failures import REFUSED, classify
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pipeline.brakes import Waiting
    from pipeline.config import Aws, Limits

_PAGE = 100
_TOO_MANY_REQUESTS = "429"
_CONNECT_SECONDS = 10
_READ_SECONDS = 60

_BY_CODE: dict[str, type[PipelineError]] = {
    "ThrottlingException": Throttled,
    "Throttling": Throttled,
    "TooManyRequestsException": Throttled,
    "RequestLimitExceeded": Throttled,
    "RequestThrottled": Throttled,
    "RequestThrottledException": Throttled,
    "SlowDown": Throttled,
    "InternalFailureException": Unavailable,
    "InternalFailure": Unavailable,
    "InternalServerError": Unavailable,
    "InternalError": Unavailable,
    "ServiceUnavailable": Unavailable,
    "ServiceUnavailableException": Unavailable,
    "RequestTimeout": Unavailable,
    "ConflictException": JobExists,
    "NotFoundException": JobMissing,
}
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_NO_ACCESS = {
    "OptInRequired": "the account is not signed up for the service",
    "SubscriptionRequiredException": "the account is not signed up for the service",
    "UnrecognizedClientException": "the credentials are not valid here",
    "InvalidClientTokenId": "the credentials are not valid here",
    "InvalidAccessKeyId": "the credentials are not valid here",
    "InvalidSignatureException": "the secret key is wrong",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "ExpiredTokenException": "the session token has expired",
    "ExpiredToken": "the session token has expired",
    "InvalidToken": "the session token is not valid",
    "RequestExpired": "this machine's clock is wrong",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
}
_CREDENTIALS_STEP = (
    "Check AWS_PROFILE or --profile, and `aws sts get-caller-identity`; then run the same "
    "command again, it goes on where it stopped."
)


class JobRecord(msgspec.Struct, frozen=True):
    """What GetTranscriptionJob says of a job; the URIs are None where it has none."""

    status: JobStatus
    media_uri: str
    transcript_uri: str | None
    failure: str


class Session:
    """An open connection to one account and region: the clients and the shared settings."""

    def __init__(self, transcribe: Any, s3: Any, region: str) -> None:
        self.transcribe = transcribe
        self.s3 = s3
        self.region = region


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
    region = settings.region or os.environ.get("AWS_REGION") or None
    access, secret = keys or (None, None)
    with translated("connecting"):
        session = aioboto3.Session(
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            region_name=region,
            profile_name=settings.profile or None,
        )
        if session.region_name is None:
            raise boto.NoRegionError
        if await session.get_credentials() is None:
            raise boto.NoCredentialsError
    endpoint = settings.endpoint_url or None
    async with AsyncExitStack() as stack:
        with translated("connecting"):
            transcribe = await stack.enter_async_context(
                session.client(
                    "transcribe", endpoint_url=endpoint, config=_transcribe_config(connections)
                )
            )
            s3 = await stack.enter_async_context(
                session.client("s3", endpoint_url=endpoint, config=_s3_config(settings))
            )
        yield Session(transcribe, s3, session.region_name)


def _transcribe_config(connections: int) -> AioConfig:
    return AioConfig(
        max_pool_connections=connections,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": 1},  # the retry layer is brakes.Operation alone
    )


def _s3_config(settings: Aws) -> AioConfig:
    """Presigning only; s3v4, or most regions and KMS objects refuse the URL."""
    elsewhere = settings.endpoint_url or any(
        os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    )
    style = "path" if elsewhere else "auto"
    return AioConfig(signature_version="s3v4", s3={"addressing_style": style})


class Transcriber:
    """The Transcribe calls of a run, each at its own pace."""

    def __init__(self, session: Session, limits: Limits, waiting: Waiting) -> None:
        self._client = session.transcribe
        self.start_calls = Operation("StartTranscriptionJob", limits.start_rate, waiting)
        self.get_calls = Operation("GetTranscriptionJob", limits.get_rate, waiting)
        self.list_calls = Operation("ListTranscriptionJobs", limits.list_rate, waiting)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation, for its counts of calls."""
        return self.start_calls, self.get_calls, self.list_calls

    async def start(self, request: dict[str, Any]) -> JobStatus:
        """Start a job; return the status it begins with.

        Raises:
            JobExists: the name is taken.
            NoFreeSlot: the account runs as many jobs as it may.
            RecordingFailed: the service refuses this recording.
        """

        async def attempt() -> JobStatus:
            with translated("transcribe:StartTranscriptionJob"):
                answer = await self._client.start_transcription_job(**request)
            return JobStatus(answer["TranscriptionJob"]["TranscriptionJobStatus"])

        return await self.start_calls.call(attempt)

    async def get(self, name: str) -> JobRecord:
        """What the service knows of a job.

        Raises:
            JobMissing: it knows none of this name.
        """

        async def attempt() -> JobRecord:
            with translated("transcribe:GetTranscriptionJob"):
                answer = await self._client.get_transcription_job(TranscriptionJobName=name)
            return _job_record(answer["TranscriptionJob"])

        return await self.get_calls.call(attempt)

    async def pages(self, status: JobStatus, tag: str) -> AsyncIterator[list[str]]:
        """The names of the jobs of one status whose names contain `tag`, 100 a call."""
        token: dict[str, str] = {}
        while True:
            request = {"Status": status.value, "JobNameContains": tag, "MaxResults": _PAGE}

            async def attempt(request: dict[str, Any] = request | token) -> dict[str, Any]:
                with translated("transcribe:ListTranscriptionJobs"):
                    answer: dict[str, Any] = await self._client.list_transcription_jobs(**request)
                    return answer

            answer = await self.list_calls.call(attempt)
            yield [job["TranscriptionJobName"] for job in answer["TranscriptionJobSummaries"]]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}


def _job_record(job: dict[str, Any]) -> JobRecord:
    transcript = job.get("Transcript") or {}
    return JobRecord(
        status=JobStatus(job["TranscriptionJobStatus"]),
        media_uri=(job.get("Media") or {}).get("MediaFileUri", ""),
        transcript_uri=transcript.get("TranscriptFileUri")
        or transcript.get("RedactedTranscriptFileUri"),
        failure=job.get("FailureReason", ""),
    )


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn what botocore raises inside into an error of ours; `operation` names the IAM action."""
    try:
        yield
    except boto.ClientError as error:
        details = error.response.get("Error", {})
        raise meaning(
            operation, str(details.get("Code", "")), str(details.get("Message", ""))
        ) from error
    except boto.ProfileNotFound as error:
        raise BadSettings(f"{error}. Name one of ~/.aws/config with --profile.") from error
    except boto.NoRegionError as error:
        raise BadSettings(
            "No AWS region is set. Name the bucket's region with --region or AWS_REGION."
        ) from error
    except boto.ParamValidationError as error:
        raise RecordingFailed(REFUSED, str(error)) from error
    except (boto.HTTPClientError, boto.ConnectionError) as error:
        raise Unavailable(f"{operation}: {error}") from error
    except boto.BotoCoreError as error:
        raise NoAccess(f"No usable AWS credentials: {error}. {_CREDENTIALS_STEP}") from error


def meaning(operation: str, code: str, words: str) -> PipelineError:
    """What an error answer of an AWS service means for the run.

    The codes and messages are those of the service's model and of recorded answers.
    """
    if code in _DENIED:
        return Denied(f"{operation} is not allowed ({code}: {words}). Allow it and run again.")
    if code in _NO_ACCESS:
        return NoAccess(f"{operation}: {_NO_ACCESS[code]} ({code}: {words}). {_CREDENTIALS_STEP}")
    kind = _kind(code, words)
    return kind(f"{operation}: {code}: {words}") if kind else _refusal(words)


def _kind(code: str, words: str) -> type[PipelineError] | None:
    """The class of an answer that is not about one recording's content; None for the others."""
    if code.startswith("LimitExceeded"):
        return None if _of_the_input(words.lower()) else NoFreeSlot
    if words == "Rate exceeded":
        return Throttled
    if "job couldn't be found" in words:
        return JobMissing
    if code.isdecimal():  # botocore's code for an answer that names none, such as a proxy's
        return Throttled if code == _TOO_MANY_REQUESTS else Unavailable
    return _BY_CODE.get(code)


def _of_the_input(words: str) -> bool:
    """Whether a limit is one of the recording: the account's own limits have the same code."""
    input_words = ("too long", "too big", "file size", "duration")
    return "too many" not in words and any(part in words for part in input_words)


def _refusal(words: str) -> PipelineError:
    """A permanent answer: to this recording, or to every one because of the place of results."""
    if words.startswith("The specified S3 bucket can't be accessed"):
        return Denied(
            f"The service can't write the transcripts: {words} Allow s3:PutObject below the "
            "prefix of --results."
        )
    return RecordingFailed(classify(words), words)
