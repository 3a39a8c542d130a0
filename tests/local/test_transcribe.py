"""The four operations over the real wire, asked by the AWS SDK."""

import asyncio
import json
import os
import stat
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from pipeline.local import Faults, Quotas
from pipeline.local.store import open_store
from tests.local.conftest import ONE_TRY, Scripted, client_of
from tests.support.signing import signed_headers

ROLE = {"AllowDeferredExecution": True, "DataAccessRoleArn": "arn:aws:iam::000000000000:role/x"}


async def test_a_started_job_is_in_progress_and_then_has_a_transcript(opened):
    """Start, Get and the address it hands out, as the service answers them."""
    async with opened() as client:
        begun = await client.start("job")
        job = await client.ended("job")
        found = await client.read(job["Transcript"]["TranscriptFileUri"])

    assert begun["TranscriptionJobStatus"] == "IN_PROGRESS"
    assert begun["Media"] == {"MediaFileUri": "s3://audio/hello.wav"}
    assert "Transcript" not in begun
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert (job["MediaFormat"], job["MediaSampleRateHertz"]) == ("wav", 16000)
    assert job["Settings"] == {"ChannelIdentification": False, "ShowAlternatives": False}
    assert job["CreationTime"] <= job["StartTime"] <= job["CompletionTime"]
    assert abs(job["CreationTime"] - datetime.now(UTC)).total_seconds() < 60
    assert (found["jobName"], found["status"]) == ("job", "COMPLETED")
    assert found["results"]["transcripts"] == [{"transcript": "hello world"}]


async def test_each_refusal_has_the_services_code_and_words(opened):
    """A taken name, an unknown job, a missing file, a bucket that is not ours."""
    async with opened(Scripted(held=True)) as client:
        await client.start("job")
        refusals = [
            await client.refusal(client.start("job")),
            await client.refusal(client.get("other")),
            await client.refusal(client.start("a", "missing.wav")),
            await client.refusal(client.start("b", OutputBucketName="not-ours")),
            await client.refusal(client.start("c", OutputBucketName="audio", OutputKey="../x")),
            await client.refusal(client.transcribe.delete_transcription_job(
                TranscriptionJobName="job")),
        ]  # fmt: skip

    assert [code for code, _ in refusals] == ["ConflictException"] + ["BadRequestException"] * 5
    assert [words.partition(".")[0] for _, words in refusals] == [
        "The requested job name already exists",
        "The requested job couldn't be found",
        "The S3 URI that you provided can't be accessed",
        "The specified S3 bucket can't be accessed",
        "The specified S3 bucket can't be accessed",
        "The requested job can't be deleted because it's still in progress",
    ]


async def test_a_refusal_is_status_400_with_a_request_id(opened):
    """What the SDK turns into an exception looks like the service's answer."""
    async with opened() as client:
        target = {"X-Amz-Target": "Transcribe.GetTranscriptionJob"}
        headers = signed_headers("POST", client.cloud.url, target, b"[", keys=client.cloud.keys)
        async with client.http.post(client.cloud.url, data=b"[", headers=headers) as answer:
            body = await answer.json(content_type=None)

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-RequestId"]
    assert body == {"__type": "SerializationException", "Message": "The request is not JSON"}


async def test_a_file_at_fault_is_a_failed_job_with_the_reason(opened):
    """FAILED, the reason, and no transcript."""
    async with opened(Scripted()) as client:
        await client.put("bad.wav", b"!Unsupported media format")
        await client.start("job", "bad.wav")
        job = await client.ended("job")

    assert job["TranscriptionJobStatus"] == "FAILED"
    assert job["FailureReason"] == "Unsupported media format"
    assert job["Transcript"] == {}


async def test_a_file_over_two_gigabytes_is_a_failed_job(opened, tmp_path):
    """The size is looked at before the content."""
    async with opened() as client:
        with (tmp_path / "audio" / "huge.wav").open("wb") as file:
            file.truncate(2 * 1024**3 + 1)
        await client.start("job", "huge.wav")
        job = await client.ended("job")

    assert job["FailureReason"] == "Invalid file size: file size too large"


async def test_silence_completes_with_an_empty_transcript(opened, tmp_path):
    """Unless its language is to be identified: then there is nothing to go by."""
    async with opened() as client:
        (tmp_path / "audio" / "silent.wav").write_text("")
        await client.start("given", "silent.wav")
        await client.start("asked", "silent.wav", LanguageCode=None, IdentifyLanguage=True)
        given, asked = await client.ended("given"), await client.ended("asked")
        found = await client.read(given["Transcript"]["TranscriptFileUri"])

    assert found["results"]["items"] == found["results"]["audio_segments"] == []
    assert asked["FailureReason"].startswith("Your audio file must have a speech segment long")


async def test_an_identified_language_is_in_the_job_and_in_the_document(opened):
    """English is what this endpoint knows, and says."""
    async with opened() as client:
        await client.start("job", LanguageCode=None, IdentifyLanguage=True)
        job = await client.ended("job")
        found = await client.read(job["Transcript"]["TranscriptFileUri"])

    assert (job["LanguageCode"], job["IdentifiedLanguageScore"]) == ("en-US", 1.0)
    assert found["results"]["language_code"] == "en-US"


async def test_a_transcript_in_the_own_bucket_is_a_file_of_the_folder(opened, tmp_path):
    """At the key asked for, beside the service's access check, at a path-style address."""
    async with opened() as client:
        await client.start("job", OutputBucketName="audio", OutputKey="out/deep")
        job = await client.ended("job")
        uri = job["Transcript"]["TranscriptFileUri"]
        found = await client.read(uri)

    assert uri == f"{client.cloud.url}/audio/out/deep/job.json"
    assert found == json.loads((tmp_path / "audio/out/deep/job.json").read_bytes())
    assert sorted(path.name for path in (tmp_path / "audio/out/deep").iterdir()) == [
        ".write_access_check_file.temp",
        "job.json",
    ]


async def test_an_output_folder_that_can_not_be_written_is_refused(opened, tmp_path):
    """The check is made at Start."""
    async with opened() as client:
        (tmp_path / "audio/out").write_text("a file")
        code, words = await client.refusal(
            client.start("job", OutputBucketName="audio", OutputKey="out/deep")
        )

    assert (code, words[:12]) == ("BadRequestException", "The specifie")


async def test_every_get_hands_out_a_new_address_that_expires(opened):
    """After 15 minutes it is 403 AccessDenied, and Get gives another."""
    now = [time.time()]
    async with opened(clock=lambda: now[0]) as client:
        await client.start("job")
        first = (await client.ended("job"))["Transcript"]["TranscriptFileUri"]
        now[0] += 901
        async with client.http.get(first) as answer:
            body = await answer.text()
        second = (await client.get("job"))["Transcript"]["TranscriptFileUri"]
        found = await client.read(second)

    assert first != second
    assert answer.status == 403
    assert "<Code>AccessDenied</Code><Message>Request has expired</Message>" in body
    assert found["jobName"] == "job"


async def test_a_deleted_job_takes_its_transcript_along(opened):
    """The name is free, the old address leads nowhere, even when the name is used again."""
    async with opened() as client:
        await client.start("job")
        uri = (await client.ended("job"))["Transcript"]["TranscriptFileUri"]
        await client.transcribe.delete_transcription_job(TranscriptionJobName="job")
        async with client.http.get(uri) as gone:
            pass
        await client.start("job")
        await client.ended("job")
        async with client.http.get(uri) as still_gone:
            pass

    assert (gone.status, still_gone.status) == (404, 404)


async def test_jobs_over_the_slots_wait_their_turn(opened):
    """Refused without deferred execution; queued with it, and begun when a slot is free."""
    recogniser = Scripted(held=True)
    async with opened(recogniser, quotas=Quotas(slots=1, start=99, get=1e9)) as client:
        await client.start("first")
        refused = await client.refusal(client.start("second"))
        queued = await client.start("third", JobExecutionSettings=ROLE)
        recogniser.gate.set()
        job = await client.ended("third")

    assert refused[0] == "LimitExceededException"
    assert queued["TranscriptionJobStatus"] == "QUEUED"
    assert "StartTime" not in queued
    assert job["TranscriptionJobStatus"] == "COMPLETED"
    assert job["JobExecutionSettings"] == ROLE


async def test_calls_over_the_rate_are_throttled_each_by_its_own(opened):
    """Listing too often does not slow Get."""
    async with opened(quotas=Quotas(list=2, get=50)) as client:
        await client.start("job")
        await client.names()
        await client.names()
        refused = await client.refusal(client.names())
        await client.get("job")

        assert refused == ("ThrottlingException", "Rate exceeded")
        assert client.cloud.counts()["refused"] == {"ThrottlingException": 1}


async def test_the_counts_are_of_calls_and_jobs(opened):
    """The same in this process and over HTTP."""
    async with opened() as client:
        await client.start("job")
        await client.refusal(client.start("job"))
        counts = await client.read("/_local/counts")

        assert counts == client.cloud.counts()
    assert counts == {
        "calls": {"StartTranscriptionJob": 2},
        "refused": {"ConflictException": 1},
        "created": {"job": 1},
        "executed": {"job": 1},
    }


async def test_another_sites_page_can_not_reach_the_folder(opened):
    """A request under a foreign host name is forbidden."""
    async with opened() as client:
        headers = {"Host": "evil.example"}
        async with client.http.get(
            f"{client.cloud.url}/audio/hello.wav", headers=headers
        ) as answer:
            pass

    assert answer.status == 403


async def test_an_error_of_the_recogniser_ends_only_its_job(opened, caplog):
    """What breaks inside is an internal failure of that job."""
    async with opened() as client:
        await client.put("odd.wav", b"\xff")
        await client.start("odd", "odd.wav")
        await client.start("sound")
        odd, sound = await client.ended("odd"), await client.ended("sound")

    assert odd["FailureReason"].startswith("Internal")
    assert sound["TranscriptionJobStatus"] == "COMPLETED"
    assert "broke off" in caplog.text


async def test_closing_takes_no_time_whatever_is_running(opened):
    """Jobs in progress and slow answers are dropped."""
    async with opened(Scripted(held=True), faults=Faults(slow=1, slow_seconds=60)) as client:
        slow = asyncio.create_task(client.get("job"))
        await asyncio.sleep(0.05)
        began = time.perf_counter()
    taken = time.perf_counter() - began
    with pytest.raises(Exception):  # noqa: B017, PT011 (cut off, in whatever words)
        await slow

    assert taken < 10  # the answer would have come after 60


def test_no_other_user_can_read_the_service_bucket():
    """The transcripts' file has no name and is its owner's alone."""
    with open_store() as store:
        found = os.fstat(store._file.fileno())

    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_nlink == 0


@pytest.mark.parametrize(
    ("service", "operation"), [("sts", "get_caller_identity"), ("iam", "list_users")]
)
async def test_other_services_are_told_that_they_are_not_here(opened, service, operation):
    """The SDK reads the refusal, and nobody looks for a proxy that answered instead."""
    async with opened() as client, client_of(client.cloud, service, ONE_TRY) as other:
        with pytest.raises(
            ClientError, match="This endpoint has S3 and Transcribe alone"
        ) as refused:
            await getattr(other, operation)()

    assert refused.value.response["Error"]["Code"] == "InvalidAction"
