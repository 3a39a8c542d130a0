"""What an error answer of AWS means, by its code and message, never by its HTTP status."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pytest
from botocore import exceptions as boto

from pipeline.aws.error_codes import meaning, translated
from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.errors import (
    BadSettings,
    Denied,
    Expired,
    JobExists,
    JobMissing,
    NoAccess,
    NoFreeSlot,
    PipelineError,
    RecordingFailed,
    ResourceMissing,
    ResourceTaken,
    Throttled,
    Unavailable,
    VocabularyMissing,
    VocabularyTaken,
)

START = "transcribe:StartTranscriptionJob"

# Codes and messages of the service's model, its documentation and recorded answers.
ANSWERS = [
    (
        "LimitExceededException",
        "You have too many jobs running at the same time. Try your request again later.",
        NoFreeSlot,
    ),
    ("LimitExceededException", "", NoFreeSlot),
    ("LimitExceededConcurrentJobException", "The queue is full.", NoFreeSlot),
    (
        "LimitExceededException",
        (
            "Either you have sent too many requests or your input file is too long. Wait before "
            "you resend your request, or use a smaller file and resend the request."
        ),
        NoFreeSlot,
    ),
    ("LimitExceededException", "Your input file is too long.", RecordingFailed),
    ("LimitExceededException", "The input is too big.", RecordingFailed),
    ("LimitExceededException", "Invalid file size: file size too large.", RecordingFailed),
    ("LimitExceededException", "The audio duration is over the limit.", RecordingFailed),
    ("LimitExceededException", "Maximum audio duration is 4.000000 hours.", RecordingFailed),
    ("ThrottlingException", "Rate exceeded", Throttled),
    ("ThrottlingException", "", Throttled),
    ("Throttling", "Rate exceeded", Throttled),
    ("TooManyRequestsException", "Too Many Requests", Throttled),
    ("RequestLimitExceeded", "Request limit exceeded.", Throttled),
    ("BadRequestException", "Rate exceeded", Throttled),
    ("SlowDown", "Please reduce your request rate.", Throttled),
    (
        "ConflictException",
        "The requested job name already exists. Use a different job name.",
        JobExists,
    ),
    (
        "BadRequestException",
        "The requested job couldn't be found. Check the job name and try your request again.",
        JobMissing,
    ),
    ("NotFoundException", "We can't find the requested resource.", JobMissing),
    (
        "BadRequestException",
        (
            "The S3 URI that you provided can't be accessed. Make sure that you have read "
            "permission and try your request again."
        ),
        RecordingFailed,
    ),
    (
        "BadRequestException",
        (
            "The specified S3 bucket can't be accessed. Make sure you have write permission on the "
            "bucket and try your request again."
        ),
        Denied,
    ),
    (
        "BadRequestException",
        (
            "1 validation error detected: Value 'x' at 'languageCode' failed to satisfy "
            "constraint: Member must satisfy enum value set: [en-US]"
        ),
        RecordingFailed,
    ),
    ("ValidationException", "1 validation error detected", RecordingFailed),
    ("InternalFailureException", "An internal error occurred.", Unavailable),
    ("InternalFailure", "", Unavailable),
    ("InternalServerError", "", Unavailable),
    ("ServiceUnavailable", "", Unavailable),
    ("ServiceUnavailableException", "", Unavailable),
    ("500", "", Unavailable),
    ("502", "Bad Gateway", Unavailable),
    ("503", "", Unavailable),
    ("504", "", Unavailable),
    ("AccessDeniedException", "User: x is not authorized to perform: y", Denied),
    ("AccessDenied", "Access Denied", Denied),
    ("UnrecognizedClientException", "The security token is invalid.", NoAccess),
    ("ExpiredTokenException", "The security token has expired", Expired),
    ("ExpiredToken", "The provided token has expired.", Expired),
    ("InvalidSignatureException", "The request signature does not match", NoAccess),
    ("OptInRequired", "You are not subscribed to this service.", NoAccess),
    ("SubscriptionRequiredException", "The AWS Access Key Id needs a subscription", NoAccess),
    ("InvalidAccessKeyId", "", NoAccess),
    ("SignatureDoesNotMatch", "", NoAccess),
    ("RequestTimeTooSkewed", "", NoAccess),
]


def client_error(code: str, words: str, status: int) -> boto.ClientError:
    """What botocore raises for an error answer."""
    answer = {"Error": {"Code": code, "Message": words}}
    metadata = {"ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError({**answer, **metadata}, "StartTranscriptionJob")


def error_of(raised: Exception) -> PipelineError:
    """What an exception of botocore becomes."""
    with pytest.raises(PipelineError) as translation, translated(START):
        raise raised
    return translation.value


@pytest.mark.parametrize(("code", "words", "kind"), ANSWERS)
def test_an_answer_means(code, words, kind):
    """Code and message of an answer decide what it means for the run."""
    assert kind is type(meaning(START, code, words))


@pytest.mark.parametrize(("code", "words", "kind"), ANSWERS)
def test_the_http_status_changes_nothing(code, words, kind):
    """Recorded answers and newer models disagree about the status, so it is not looked at."""
    for status in (200, 400, 403, 409, 429, 500, 503):
        assert kind is type(error_of(client_error(code, words, status))), status


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (
            "BadRequestException",
            "The requested vocabulary couldn't be found. Ch",
            VocabularyMissing,
        ),
        ("NotFoundException", "", VocabularyMissing),
        ("ConflictException", "The requested vocabulary name already exists.", VocabularyTaken),
        ("LimitExceededException", "Your input file is too long.", BadSettings),
        ("LimitExceededException", "Rate exceeded", Throttled),
        ("ThrottlingException", "Rate exceeded", Throttled),
        ("BadRequestException", "The S3 URI that you provided can't be accessed.", BadSettings),
        ("InternalFailureException", "", Unavailable),
    ],
)
@pytest.mark.parametrize("operation", ["Create", "Update", "Get"])
def test_an_answer_about_a_vocabulary_means(operation, code, words, kind):
    """What stands in the way of one vocabulary is no matter of jobs."""
    assert kind is type(meaning(f"transcribe:{operation}Vocabulary", code, words))


@pytest.mark.parametrize(
    ("operation", "code", "kind"),
    [
        ("iam:GetRole", "NoSuchEntity", ResourceMissing),
        ("kms:DescribeKey", "NotFoundException", ResourceMissing),
        ("events:DescribeRule", "ResourceNotFoundException", ResourceMissing),
        ("sqs:GetQueueUrl", "AWS.SimpleQueueService.NonExistentQueue", ResourceMissing),
        ("s3:GetBucketCORS", "NoSuchCORSConfiguration", ResourceMissing),
        ("servicequotas:GetServiceQuota", "NoSuchResourceException", ResourceMissing),
        ("iam:CreateUser", "EntityAlreadyExists", ResourceTaken),
        ("events:PutRule", "LimitExceededException", BadSettings),
        ("iam:CreateAccessKey", "LimitExceeded", BadSettings),
        ("iam:PutRolePolicy", "MalformedPolicyDocument", BadSettings),
        ("iam:CreateUser", "ConcurrentModification", Unavailable),
        ("iam:CreateUser", "ServiceFailure", Unavailable),
        ("servicequotas:GetServiceQuota", "TooManyRequestsException", Throttled),
        ("sqs:ReceiveMessage", "OverLimit", Throttled),
        ("iam:GetUser", "AccessDenied", Denied),
    ],
)
def test_an_answer_about_a_resource_means(operation, code, kind):
    """The other services' words for what is missing, taken or too much are told apart."""
    assert kind is type(meaning(operation, code, "Words of the service."))


def test_a_job_whose_vocabulary_is_refused_stops_the_run():
    """It is the setting, not the recording, so nothing is marked as failed."""
    words = "The requested vocabulary couldn't be found. Check the vocabulary name."

    error = meaning(START, "BadRequestException", words)

    assert isinstance(error, BadSettings)
    assert words in str(error)
    assert "vocabulary apply" in str(error)


@pytest.mark.parametrize(
    "words", sorted({words for _, words, k in ANSWERS if k is RecordingFailed})
)
def test_a_refusal_keeps_the_service_s_own_words(words):
    """What fails a recording is told in the words of the service, unchanged."""
    assert words == meaning(START, "BadRequestException", words).message


@pytest.mark.parametrize(
    ("code", "words"), [(c, w) for c, w, k in ANSWERS if issubclass(k, NoAccess)]
)
def test_what_stops_the_run_says_the_next_step(code, words):
    """An error of access names the permission to allow, or where to look at credentials."""
    said = str(meaning(START, code, words))

    assert "Allow " in said or "AWS_PROFILE" in said or "NTP" in said


def test_a_missing_permission_is_named_by_its_iam_action():
    """AccessDenied says which action to allow, as a policy spells it."""
    said = str(meaning(START, "AccessDeniedException", "User: x is not authorized"))

    assert said.startswith("transcribe:StartTranscriptionJob is not allowed")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (boto.EndpointConnectionError(endpoint_url="https://x"), Unavailable),
        (boto.ConnectTimeoutError(endpoint_url="https://x"), Unavailable),
        (boto.ReadTimeoutError(endpoint_url="https://x"), Unavailable),
        (boto.ConnectionClosedError(endpoint_url="https://x"), Unavailable),
        (boto.SSLError(endpoint_url="https://x", error="handshake"), Unavailable),
        (boto.HTTPClientError(error="broken pipe"), Unavailable),
        (boto.NoCredentialsError(), NoAccess),
        (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET"), NoAccess),
        (boto.CredentialRetrievalError(provider="sso", error_msg="expired"), NoAccess),
        (boto.ProfileNotFound(profile="x"), BadSettings),
        (boto.NoRegionError(), BadSettings),
        (boto.ParamValidationError(report="Invalid length"), RecordingFailed),
    ],
)
def test_what_botocore_itself_raises_means(raised, kind):
    """A failure without any answer becomes one of ours too, by its class."""
    assert kind is type(error_of(raised))


def test_errors_of_ours_pass_through():
    """Only foreign errors are translated; ours keep what they say."""
    ours = RecordingFailed("refused", "no")

    assert error_of(ours) is ours


# The tokens of a session


@pytest.fixture(name="profile")
def credentials_file(tmp_path, monkeypatch):
    """A function that writes the credentials which the machine has from then on."""
    path = tmp_path / "credentials"

    def write(access: str) -> None:
        path.write_text(
            f"[default]\naws_access_key_id = {access}\naws_secret_access_key = x\n", "utf-8"
        )

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    write("OLD")
    return write


async def key_of(client: Any) -> str:
    """The access key that a client signs with."""
    url = await client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
    return str(url).partition("X-Amz-Credential=")[2].partition("%2F")[0]


ELSEWHERE = Aws(region="eu-west-1", endpoint_url="http://127.0.0.1:9")


async def test_renewed_clients_sign_with_the_machine_s_new_credentials(profile):
    """Who renews a token outside is followed: the files are read anew."""
    async with connect(ELSEWHERE, 4) as session:
        before = await key_of(session.s3)
        profile("NEW")
        unchanged = await key_of(session.s3)
        await session.renew(time.monotonic())

        assert [before, unchanged, await key_of(session.s3)] == ["OLD", "OLD", "NEW"]


async def test_calls_that_fail_together_renew_once(profile):
    """Sixteen calls whose token expired open the clients anew one time, however late they know."""
    async with connect(ELSEWHERE, 4) as session:
        signed = time.monotonic()
        await asyncio.gather(*(session.renew(signed) for _ in range(16)))
        renewed = session.transcribe
        await session.renew(signed)

        assert session.transcribe is renewed


async def test_credentials_that_do_not_help_stop_the_run(profile):
    """A token that is refused again within a minute of its renewal is not renewed for ever."""
    async with connect(ELSEWHERE, 4) as session:
        await session.renew(time.monotonic())

        with pytest.raises(Expired, match=r"aws sts get-caller-identity"):
            await session.renew(time.monotonic())


async def test_credentials_that_are_gone_stop_the_run(profile, tmp_path):
    """Where the machine has no credentials any more, the sentence says so."""
    async with connect(ELSEWHERE, 4) as session:
        (tmp_path / "credentials").unlink()

        with pytest.raises(NoAccess, match="No usable AWS credentials"):
            await session.renew(time.monotonic())
