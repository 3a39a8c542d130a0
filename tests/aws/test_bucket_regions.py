"""The advice about regions can be followed: it is true of both buckets of a run at once."""

from __future__ import annotations

import pytest

from pipeline.aws.bucket_regions import Placed, wrong_region
from tests.support.between import Answer, between

BUCKETS = {"calls": "eu-central-1", "texts": "us-east-1", "more": "eu-central-1"}


def s3(asked):
    """S3 in us-east-1: a bucket that is elsewhere is refused, and says where it is."""
    bucket = asked.path.lstrip("/").split("/")[0].partition("?")[0]
    region = BUCKETS[bucket]
    if asked.method == "HEAD" or region == "us-east-1":
        body = b"<ListBucketResult/>" if region == "us-east-1" else b""
        return Answer(200, body, {"x-amz-bucket-region": region})
    code = b"<Error><Code>PermanentRedirect</Code></Error>"
    return Answer(301, code, {"x-amz-bucket-region": region})


@pytest.mark.parametrize(
    ("source", "results", "parts"),
    [
        (
            "calls",
            "texts",
            ("s3://calls is in eu-central-1 and s3://texts in us-east-1", "in one region"),
        ),
        (
            "texts",
            "calls",
            ("s3://calls is in eu-central-1 and s3://texts in us-east-1", "in one region"),
        ),
        (
            "calls",
            "more",
            ("s3://more and s3://calls are in eu-central-1", "Add --region eu-central-1."),
        ),
        ("calls", "", ("s3://calls is in eu-central-1", "Add --region eu-central-1.")),
    ],
)
def test_a_run_says_once_where_both_buckets_must_be(run, source, results, parts):
    """Whichever bucket is met first, nothing is started, and the advice sends nobody in circles."""
    flags = ("--results", f"s3://{results}/") if results else ()
    asked = []

    def reply(each):
        asked.append(each.operation)
        return s3(each)

    with between(None, reply) as url:
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        run.use(AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1", **keys)
        outcome = run("run", f"s3://{source}/", *flags)

    assert outcome.code == 2
    assert all(part in outcome.err for part in parts), outcome.err
    assert "StartTranscriptionJob" not in asked


@pytest.mark.parametrize(
    ("other", "advice"),
    [
        (None, "Add --region eu-west-1."),
        (Placed("b", ""), "Add --region eu-west-1. s3://b must be there too."),
        (Placed("b", "eu-west-1"), "Add --region eu-west-1."),
    ],
)
def test_a_flag_is_advised_where_it_helps(other, advice):
    """--region is the cure only where both buckets are in one region, or may be."""
    problem, said = wrong_region("us-east-1", Placed("a", "eu-west-1"), other)

    assert said == advice
    assert problem.endswith("in eu-west-1, and the jobs would run in us-east-1")


@pytest.mark.parametrize("ours", ["eu-west-1", "us-east-1", "sa-east-1"])
def test_buckets_in_two_regions_are_no_matter_of_a_flag(ours):
    """No --region could be right for both, so none is advised by its name."""
    problem, said = wrong_region(ours, Placed("a", "eu-west-1"), Placed("b", "us-east-1"))

    assert "own region alone" in problem
    assert "--region eu" not in said
    assert "one region" in said
