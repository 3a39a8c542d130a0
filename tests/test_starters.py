"""The request that starts a job."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.model import Job, Recording
from pipeline.resolving import resolve
from pipeline.starters import start_request

URI = "s3://calls/a b+ü.MP3"


def request_for(key: str = "a b+ü.MP3", **flags: Any) -> dict[str, Any]:
    job = Job(7, b"\x0a", "calls-0a1b2c3d-4e", Recording(key, "9f86", 7))
    return start_request(job, f"s3://calls/{key}", resolve(flags, {}))


def test_a_request_names_the_job_the_media_and_the_language():
    """Without further settings a request holds these four things and no others."""
    assert request_for() == {
        "TranscriptionJobName": "calls-0a1b2c3d-4e",
        "Media": {"MediaFileUri": URI},
        "LanguageCode": "en-US",
        "MediaFormat": "mp3",
    }


def test_auto_asks_the_service_to_identify_the_language():
    """A language of auto is no code: the service is asked to find it, and gets none."""
    request = request_for(language="auto")

    assert request["IdentifyLanguage"] is True
    assert "LanguageCode" not in request


@pytest.mark.parametrize("key", ["a.mp4", "a.m4a"])
def test_an_uncertain_format_is_left_to_the_service(key):
    """A MediaFormat that does not match fails the job, so a doubtful one is not sent."""
    assert "MediaFormat" not in request_for(key)


@pytest.mark.parametrize(
    ("results", "key"),
    [
        ("s3://texts", "calls-0a1b2c3d-4e.json"),
        ("s3://texts/", "calls-0a1b2c3d-4e.json"),
        ("s3://texts/a/b", "a/b/calls-0a1b2c3d-4e.json"),
    ],
)
def test_the_result_goes_to_its_computed_place(results, key):
    """With results the request names the bucket and the key, so that no one need ask for them."""
    request = request_for(results=results)

    assert (request["OutputBucketName"], request["OutputKey"]) == ("texts", key)


def test_the_request_fits_the_service_s_model():
    """Botocore's own model of the service accepts every parameter that is sent."""
    from botocore.session import Session

    model = Session().get_service_model("transcribe").operation_model("StartTranscriptionJob")
    members = model.input_shape.members

    request = request_for(language="auto", results="s3://texts/") | request_for()

    assert set(request) <= set(members)
