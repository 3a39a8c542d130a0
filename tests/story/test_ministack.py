"""The same program against an AWS emulator that nobody here wrote, or against a real account.

`TEST_AWS_ENDPOINT_URL` points these tests at another endpoint.
"""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from pipeline.aws import s3_listing
from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.naming import S3Uri
from pipeline.net.wait_times import WaitTimes
from tests.support.inventories import DAY, part, put_inventory, row

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("ministack")]

ODD_KEYS = (
    "plain.mp3", "with space.wav", "plus+.flac", "a//b.ogg", "./dot.m4a", "../up.webm",
    "ü😀.amr", "%41%.mp4", "LOUD.MP3", "quote'\".mp3",
)  # fmt: skip


@pytest.mark.parametrize("own_bucket", [True, False], ids=["own bucket", "service bucket"])
def test_every_object_of_a_bucket_becomes_a_task(run, buckets, own_bucket):
    """Odd keys, both ways of delivery: one task each, naming its object byte for byte."""
    s3, audio, results = buckets
    for key in ODD_KEYS:
        s3.put_object(Bucket=audio, Key=key, Body=key.encode())
    options = ("--results", f"s3://{results}/t/") if own_bucket else ()

    outcome = run("run", f"s3://{audio}/", *options, "--json")

    assert outcome.code == 0, outcome.out
    assert sorted(f"s3://{audio}/{key}" for key in ODD_KEYS) == sorted(run.texts())
    assert all("mock transcript" in text for text in run.texts().values())


def test_second_run_starts_nothing(run, buckets):
    """Against an emulator too, a run over a source that is done makes one listing."""
    s3, audio, _ = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x")
    run("run", f"s3://{audio}/")

    outcome = run("run", f"s3://{audio}/", "--json")

    assert outcome.summary["calls"] == {"ListObjectsV2": 1}
    assert outcome.counts["tasks"] == 1


def test_identified_language_reaches_the_task(run, buckets):
    """With --language auto the job identifies the language."""
    s3, audio, _ = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x")

    outcome = run("run", f"s3://{audio}/", "--language", "auto")
    [task] = run.tasks()

    assert outcome.code == 0, outcome.err
    assert task["predictions"][0]["model_version"] == "amazon-transcribe/auto"


@pytest.mark.long
def test_listing_of_more_than_a_page_is_complete(run, buckets):
    """1,001 objects are two pages, and all of them are listed."""
    s3, audio, _ = buckets
    for number in range(1001):
        s3.put_object(Bucket=audio, Key=f"notes/{number}.txt", Body=b"")

    outcome = run("run", f"s3://{audio}/notes/", "--json")

    assert outcome.counts["listed"] == 1001
    assert outcome.summary["calls"] == {"ListObjectsV2": 2}


async def test_a_listing_is_cut_at_any_key(ministack, buckets, monkeypatch):
    """Odd keys, listed at several places at once and few a page: each of them once."""
    s3, audio, _ = buckets
    keys = {*ODD_KEYS, *(f"calls/{day}/{n}.mp3" for day in "abc" for n in range(9)), "calls/", "b "}
    for key in keys:
        s3.put_object(Bucket=audio, Key=key, Body=b"x")
    monkeypatch.setattr(s3_listing, "PAGES_ALONE", 1)
    settings = Aws(region="us-east-1", endpoint_url=ministack)
    async with (
        connect(settings, 8, ("test", "test")) as session,
        open_s3(session, Limits(), WaitTimes()) as bucket,
    ):
        whole = bucket.list_page
        monkeypatch.setattr(
            bucket, "list_page", lambda p, start: whole(p, {"max-keys": "2"} | start)
        )

        pages = [page async for page in bucket.pages(S3Uri(audio, ""))]
        folders = await s3_listing.all_folders(bucket, S3Uri(audio, "calls/"))

        assert sorted(keys) == sorted(entry.key for page in pages for entry in page)
        assert folders == ["calls/a/", "calls/b/", "calls/c/"]
        assert bucket.list_calls.calls > len(pages)


def test_a_run_takes_an_inventory(run, buckets, tmp_path):
    """An inventory in a bucket of its own stands for the listing."""
    s3, audio, inventories = buckets
    for key in ODD_KEYS:
        s3.put_object(Bucket=audio, Key=key, Body=key.encode())
    rows = [row(key, "9f86d081", "7", Bucket=audio) for key in ODD_KEYS]
    put_inventory(tmp_path, part(rows), sourceBucket=audio)
    for path in filter(Path.is_file, tmp_path.rglob("*2026*")):
        key = f"inv/daily/{path.relative_to(tmp_path)}"
        s3.put_object(Bucket=inventories, Key=key, Body=path.read_bytes())
    manifest = (tmp_path / DAY / "manifest.json").read_bytes()
    s3.put_object(Bucket=inventories, Key=f"inv/daily/{DAY}/manifest.json", Body=manifest)

    named = ("--manifest", f"s3://{inventories}/inv/daily/")
    outcome = run("run", f"s3://{audio}/", "--results", f"s3://{inventories}/t/", *named, "--json")

    assert outcome.code == 0, outcome.out
    assert sorted(f"s3://{audio}/{key}" for key in ODD_KEYS) == sorted(run.texts())
    assert outcome.summary["calls"]["ListObjectsV2"] == 2  # results, and inventories


def test_missing_bucket_is_one_sentence(run, buckets):
    """A bucket that does not exist ends with 2 and says so."""
    outcome = run("run", "s3://no-such-bucket-anywhere/")

    assert outcome.code == 2
    assert outcome.err == (
        "transcribe-pipeline: There is no bucket s3://no-such-bucket-anywhere. "
        "Check its name and the account.\n"
    )


def test_missing_results_bucket_stops_the_run(run, buckets):
    """When no transcript could be written anywhere, nothing is started."""
    s3, audio, _ = buckets
    s3.put_object(Bucket=audio, Key="a.mp3", Body=b"x")

    outcome = run("run", f"s3://{audio}/", "--results", "s3://no-such-bucket-anywhere/")

    assert outcome.code == 2
    assert "There is no bucket s3://no-such-bucket-anywhere" in outcome.err


@pytest.mark.parametrize("own_bucket", [True, False], ids=["own bucket", "service bucket"])
def test_records_are_cleaned_up_and_nothing_else(ministack, run, buckets, own_bucket):
    """The jobs of the run are gone, another program's stays, and the next run starts nothing."""
    s3, audio, results = buckets
    for key in ODD_KEYS:
        s3.put_object(Bucket=audio, Key=key, Body=key.encode())
    options = ("--results", f"s3://{results}/t/") if own_bucket else ()
    run("run", f"s3://{audio}/", *options)
    transcribe = boto3.client("transcribe", "us-east-1", endpoint_url=ministack,
                              aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
    other = f"someone-elses-{audio}"
    transcribe.start_transcription_job(
        TranscriptionJobName=other,
        Media={"MediaFileUri": f"s3://{audio}/plain.mp3"},
        LanguageCode="en-US",
    )
    names = {task["data"]["job_id"] for task in run.tasks()}

    cleaned = run("clean", "--older-than", "0h", "--yes", "--results-too", "--json")
    outcome = run("run", f"s3://{audio}/", *options, "--json")

    listed = transcribe.list_transcription_jobs(MaxResults=100)["TranscriptionJobSummaries"]
    left = {job["TranscriptionJobName"] for job in listed}
    assert cleaned.code == 0, cleaned.err
    assert cleaned.summary["deleted"] == len(ODD_KEYS)
    assert cleaned.summary["results"] == len(ODD_KEYS) * own_bucket
    assert (names & left, other in left) == (set(), True)
    assert outcome.counts["started"] == 0
    stored = s3.list_objects_v2(Bucket=results).get("Contents", [])
    assert [each["Key"] for each in stored if each["Key"].endswith("json")] == []
