"""The one translation of what AWS says into errors of ours.

What a call's failure means is decided by its code and message, never by its HTTP status: recorded
answers of the service and newer service models disagree about the status.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from pipeline.aws.answer import not_of_the_service
from pipeline.aws.clock import CLOCK_STEP, clock_fault
from pipeline.errors import (
    BadSettings,
    Denied,
    DryRunOk,
    Expired,
    JobExists,
    JobMissing,
    NoAccess,
    NoFreeSlot,
    NoSuchSource,
    PipelineError,
    RecordingFailed,
    ResourceMissing,
    ResourceTaken,
    Throttled,
    Unavailable,
    VocabularyMissing,
    VocabularyTaken,
)
from pipeline.failures import classify

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = "StartTranscriptionJob"
_VOCABULARY = "Vocabulary"
_RATE_EXCEEDED = "Rate exceeded"
_TOO_MANY_REQUESTS = "429"
_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.MetadataRetrievalError,
)
_CORRECT = "Correct what ~/.aws/config or ~/.aws/credentials says."
_OF_THE_SETTINGS = {
    boto.ProfileNotFound: "Name one of ~/.aws/config with --profile.",
    boto.NoRegionError: "Name the bucket's region with --region or AWS_REGION.",
    boto.ConfigParseError: _CORRECT,
    boto.InvalidConfigError: _CORRECT,
}
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
# What the other services say of a resource; the codes are those of their service models.
_OF_A_RESOURCE: dict[str, type[PipelineError]] = {
    "NoSuchEntity": ResourceMissing,
    "NoSuchBucket": NoSuchSource,
    "NoSuchCORSConfiguration": ResourceMissing,
    "NoSuchResourceException": ResourceMissing,
    "NotFoundException": ResourceMissing,
    "ResourceNotFoundException": ResourceMissing,
    "AWS.SimpleQueueService.NonExistentQueue": ResourceMissing,
    "QueueDoesNotExist": ResourceMissing,
    "DryRunOperationException": DryRunOk,
    "EntityAlreadyExists": ResourceTaken,
    "ResourceAlreadyExistsException": ResourceTaken,
    "QueueAlreadyExists": ResourceTaken,
    "QueueNameExists": ResourceTaken,
    "ConcurrentModification": Unavailable,
    "ConcurrentModificationException": Unavailable,
    "EntityTemporarilyUnmodifiable": Unavailable,
    "KMSInternalException": Unavailable,
    "ServiceFailure": Unavailable,
    "OverLimit": Throttled,  # too many messages of the queue are in flight
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
}


_IN_ANOTHER_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed"})


class _RefusedForAll(NamedTuple):
    """A refusal of every start, known by words that are all in its message, in lower case."""

    words: tuple[str, ...]
    kind: type[PipelineError]
    problem: str
    advice: str


# The wordings are recorded answers of the service.
_REFUSED_FOR_ALL = (
    _RefusedForAll(
        ("the specified s3 bucket can't be accessed",),
        Denied,
        "The service can't write the transcripts",
        "Allow s3:PutObject below the prefix of --results.",
    ),
    _RefusedForAll(
        ("opted out",),
        BadSettings,
        "The service keeps no transcripts for this account",
        "Add --results s3://BUCKET/PREFIX/ with a bucket of yours.",
    ),
    _RefusedForAll(
        ("bucket", "region"),
        BadSettings,
        "A bucket is not where the service runs",
        "The recordings' bucket and that of --results must be in one region, which --region names.",
    ),
    _RefusedForAll(
        ("vocabulary",),
        BadSettings,
        "The service does not take the vocabulary",
        '`transcribe-pipeline vocabulary apply` makes one; vocabulary = "" does without.',
    ),
)
# A value that the service quotes is the request's, and may be a recording's name.
_QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)")
ALLOW_STEP = "Allow it and run again."
CREDENTIALS_STEP = (
    "Check AWS_PROFILE or --profile, and `aws sts get-caller-identity`; then run the same "
    "command again, it goes on where it stopped."
)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn what botocore raises inside into an error of ours; `operation` names the IAM action."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        raise _meaning_of(error, operation) from error


def _meaning_of(error: Exception, operation: str) -> PipelineError:
    """What any error of botocore's means, and of whatever it calls."""
    if isinstance(error, boto.ClientError):
        details = error.response.get("Error", {})
        return meaning(operation, str(details.get("Code", "")), str(details.get("Message", "")))
    if isinstance(error, boto.ParamValidationError):
        return _refusal(operation, str(error))
    for kinds, advice in _OF_THE_SETTINGS.items():
        if isinstance(error, kinds):
            return BadSettings(str(error), advice)
    if isinstance(error, _CREDENTIALS):
        return NoAccess(f"No usable AWS credentials: {error}", CREDENTIALS_STEP)
    return _without_an_answer(error, operation)


def _without_an_answer(error: Exception, operation: str) -> PipelineError:
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | TimeoutError):
        took = isinstance(error, TimeoutError)
        why = "the answer took too long" if took else error
        return Unavailable(f"{operation}: {why}", action=operation)
    own = isinstance(error, boto.BotoCoreError | ValueError)
    if own and not isinstance(error, ResponseParserError):
        return BadSettings(f"{operation} can't be called: {error}", action=operation)
    # What the parser says has the whole answer in it, which may be anyone's page.
    return not_of_the_service(operation, f"it can't be parsed ({type(error).__name__})")


def meaning(operation: str, code: str, message: str) -> PipelineError:
    """What an error answer of an AWS service means for the run.

    The codes and messages are those of the service's model and of recorded answers.
    """
    facts = {"action": operation, "message": f"{code}: {message}"}
    if fault := clock_fault(code, message):
        return NoAccess(f"{operation}: {fault} ({code}: {message})", CLOCK_STEP, **facts)
    if code in _DENIED:
        problem = f"{operation} is not allowed ({code}: {message})"
        return Denied(problem, ALLOW_STEP, **facts)
    if code in _NO_ACCESS:
        no_access = Expired if code.startswith("ExpiredToken") else NoAccess
        problem = f"{operation}: {_NO_ACCESS[code]} ({code}: {message})"
        return no_access(problem, CREDENTIALS_STEP, **facts)
    if code in _IN_ANOTHER_REGION:
        problem = f"{operation}: the bucket is in another region ({code}: {message})"
        return BadSettings(problem, "Name the bucket's region with --region.", **facts)
    special: type[PipelineError] | None = None
    if not operation.startswith("transcribe:"):
        special = _of_a_resource(code)
    elif operation.endswith(_VOCABULARY):
        special = _of_a_vocabulary(code, message)
    kind = special or _kind(operation, code, message)
    return (
        kind(f"{operation}: {code}: {message}", **facts) if kind else _refusal(operation, message)
    )


def _of_a_resource(code: str) -> type[PipelineError] | None:
    """The class of another service's answer about what was asked for; None for the others."""
    if code.startswith("LimitExceeded"):
        return BadSettings  # the account has as many of them as it may: asking again is no use
    return _OF_A_RESOURCE.get(code)


def _of_a_vocabulary(code: str, message: str) -> type[PipelineError] | None:
    """The class of an answer about the vocabulary that was asked for; None for the others."""
    if code == "NotFoundException" or "vocabulary couldn't be found" in message:
        return VocabularyMissing
    if code.startswith("LimitExceeded") and message != _RATE_EXCEEDED:
        return BadSettings  # the account has as many as it may, or the table is too long
    return VocabularyTaken if code == "ConflictException" else None


def _kind(operation: str, code: str, message: str) -> type[PipelineError] | None:
    """The class of an answer that is not about one recording's content; None for the others."""
    if code.startswith("LimitExceeded"):
        if not operation.endswith(_START):
            return Throttled
        return None if _of_the_input(message.lower()) else NoFreeSlot
    if message == _RATE_EXCEEDED:
        return Throttled
    if "job couldn't be found" in message:
        return JobMissing
    if code.isdecimal():  # botocore's code for an answer that names none, such as a proxy's
        return Throttled if code == _TOO_MANY_REQUESTS else Unavailable
    return _BY_CODE.get(code)


def _of_the_input(message: str) -> bool:
    """Whether a limit is one of the recording: the account's own limits have the same code."""
    input_words = ("too long", "too big", "file size", "duration")
    return "too many" not in message and any(part in message for part in input_words)


def _refusal(operation: str, message: str) -> PipelineError:
    """A permanent answer: to this recording, or to every one because of one of the settings."""
    facts = {"action": operation, "message": message}
    if not operation.endswith(_START):
        return BadSettings(f"{operation} is refused: {message}", **facts)
    lower = _QUOTED.sub("", message.lower())
    for each in _REFUSED_FOR_ALL:
        if all(part in lower for part in each.words):
            return each.kind(f"{each.problem}: {message}", each.advice, **facts)
    return RecordingFailed(classify(message), message)
