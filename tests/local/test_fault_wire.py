"""Each fault as a client meets it."""

import asyncio
import time

import aiohttp
import pytest
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from pipeline.local import Faults
from tests.local.conftest import Scripted

CUT = (NoConnection, HTTPClientError)


async def test_a_throttled_call_has_no_effect(opened):
    """Rate exceeded, and no job."""
    async with opened(faults=Faults(throttle=1)) as client:
        refused = await client.refusal(client.start("job"))

        assert refused == ("ThrottlingException", "Rate exceeded")
        assert client.cloud.counts()["created"] == {}


async def test_a_server_error_is_status_500(opened):
    """InternalFailureException."""
    async with opened(faults=Faults(server_error=1)) as client:
        with pytest.raises(client.transcribe.exceptions.ClientError) as caught:
            await client.start("job")

    assert caught.value.response["Error"]["Code"] == "InternalFailureException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


async def test_a_cut_connection_has_no_effect(opened):
    """No answer, no job."""
    async with opened(faults=Faults(cut=1)) as client:
        with pytest.raises(CUT):
            await client.start("job")

        assert client.cloud.counts()["created"] == {}


async def test_a_lost_answer_leaves_its_job(opened):
    """No answer, but a job: starting it again conflicts."""
    async with opened(faults=Faults(lost_start=1)) as client:
        with pytest.raises(CUT):
            await client.start("job")
        refused = await client.refusal(client.start("job"))

        assert refused[0] == "ConflictException"
        assert client.cloud.counts()["created"] == {"job": 1}


async def test_a_slow_answer_comes_late(opened):
    """After the time set, and complete."""
    async with opened(faults=Faults(slow=1, slow_seconds=0.1)) as client:
        began = time.perf_counter()
        await client.start("job")

    assert time.perf_counter() - began >= 0.1


async def test_a_truncated_transcript_is_short_in_two_ways(opened):
    """Every second time the length that was told agrees with what came."""
    async with opened(faults=Faults(truncate=1)) as client:
        await client.start("job")
        uri = (await client.ended("job"))["Transcript"]["TranscriptFileUri"]
        async with client.http.get(uri) as agreed:
            body = await agreed.read()
        with pytest.raises(aiohttp.ClientPayloadError):
            async with client.http.get(uri) as answer:
                await answer.read()

    assert agreed.content_length == len(body)
    assert not body.endswith(b"}")


async def test_a_truncated_transcript_in_the_own_bucket_is_short_too(opened):
    """Recordings come whole; transcripts do not."""
    async with opened(faults=Faults(truncate=1)) as client:
        await client.start("job", OutputBucketName="audio")
        uri = (await client.ended("job"))["Transcript"]["TranscriptFileUri"]
        async with client.http.get(client.url(uri)) as answer:
            transcript = await answer.read()
        async with client.http.get(client.url("/audio/hello.wav")) as answer:
            recording = await answer.read()

    assert not transcript.endswith(b"}")
    assert recording == b"hello world"


async def test_an_expired_address_is_refused_at_once(opened):
    """403 Request has expired."""
    async with opened(faults=Faults(expired_url=1)) as client:
        await client.start("job")
        uri = (await client.ended("job"))["Transcript"]["TranscriptFileUri"]
        async with client.http.get(uri) as answer:
            body = await answer.text()

    assert answer.status == 403
    assert "Request has expired" in body


async def test_a_stale_listing_learns_of_jobs_late(opened):
    """A new job is missing, an ended one still listed as in progress; Get knows better."""
    now, recogniser = [1000.0], Scripted(held=True)
    faults = Faults(stale_listing=1, stale_seconds=5)
    async with opened(recogniser, clock=lambda: now[0], faults=faults) as client:
        await client.start("job")
        unborn = await client.names()
        now[0] = 1006.0
        recogniser.gate.set()
        await client.ended("job")
        stale = [await client.names(Status=status) for status in ("IN_PROGRESS", "COMPLETED")]
        now[0] = 1012.0
        fresh = [await client.names(Status=status) for status in ("IN_PROGRESS", "COMPLETED")]

    assert unborn == []
    assert (stale, fresh) == ([["job"], []], [[], ["job"]])


async def test_entries_are_missing_or_twice(opened):
    """Both are faults of the listing alone."""
    async with opened(faults=Faults(missing_entry=1)) as client:
        await client.start("job")
        missing = await client.names()
    async with opened(faults=Faults(duplicate_entry=1)) as client:
        await client.start("job")
        twice = await client.names()

    assert (missing, twice) == ([], ["job", "job"])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("failed_job", "The data in your input media file"), ("internal_failure", "Internal")],
)
async def test_a_job_fails_on_request(opened, fault, reason):
    """The recogniser is not even asked."""
    async with opened(faults=Faults(**{fault: 1})) as client:
        await client.start("job")
        job = await client.ended("job")

    assert job["FailureReason"].startswith(reason)


async def test_an_endless_job_stays_in_progress(opened):
    """It keeps its slot until the cloud is closed."""
    async with opened(faults=Faults(endless_job=1)) as client:
        await client.start("job")
        await asyncio.sleep(0.05)
        job = await client.get("job")

    assert job["TranscriptionJobStatus"] == "IN_PROGRESS"


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [({"throttle": 1}, 503, "SlowDown"), ({"server_error": 1}, 500, "InternalError")],
)
async def test_the_bucket_has_its_own_words_for_trouble(opened, faults, status, code):
    """S3's codes, in S3's XML."""
    async with opened(faults=Faults(**faults)) as client:
        answer = await client.http.get(client.url("/audio/hello.wav"))
        body = await answer.text()

    assert answer.status == status
    assert f"<Code>{code}</Code>" in body
