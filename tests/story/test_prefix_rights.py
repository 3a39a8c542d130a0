"""A caller who may list what is below a prefix alone, to whom S3 keeps which keys there are.

S3 answers a request for an object that is not there with 404 only to those who may list the whole
bucket, and with 403 to all others ("GetObject" in S3's API reference).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.errors import Denied
from pipeline.naming import S3Uri
from pipeline.net.wait_times import WaitTimes
from tests.support.between import Asked, between, refusal

CALLS = S3Uri("audio", "calls/a.mp3")
MISSING = S3Uri("audio", "calls/b.mp3")


def denied(asked):
    return refusal(asked, "AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN)


def prefix_of(asked: Asked) -> str | None:
    """The prefix that is listed; None for a request for an object."""
    query = parse_qs(urlsplit(asked.path).query, keep_blank_values=True)
    return query["prefix"][0] if "list-type" in query else None


def below_calls(asked):
    """Answers as S3 does to whoever may list `calls/*` alone."""
    prefix = prefix_of(asked)
    if prefix is not None and not prefix.startswith("calls/"):
        return denied(asked)
    answer = asked.forward()
    return denied(asked) if answer.status == HTTPStatus.NOT_FOUND else answer


@pytest.fixture
def opened(cloud):
    """A function that opens S3 behind a reply of one's choice."""
    service = cloud()
    service.put("calls/a.mp3", "one")

    async def ask(reply, question):
        with between(service, reply) as url:
            settings = Aws(region="us-east-1", endpoint_url=url)
            async with (
                connect(settings, 1, ("test", "test")) as session,
                open_s3(session, Limits(), WaitTimes()) as s3,
            ):
                return await question(s3), s3.list_calls.calls

    return ask


async def test_a_missing_object_is_missing_though_s3_says_denied(opened):
    """One listing of its key tells; what is there costs none."""
    assert await opened(below_calls, lambda s3: s3.look_up(MISSING)) == (None, 1)
    entry, listings = await opened(below_calls, lambda s3: s3.look_up(CALLS))

    assert entry.key == CALLS.key
    assert listings == 0


async def test_a_longer_key_is_not_the_missing_one(opened):
    """A listing names all that begins with a key, and the key itself first."""
    shorter = S3Uri("audio", "calls/a.mp")

    assert await opened(below_calls, lambda s3: s3.look_up(shorter)) == (None, 1)


async def test_an_object_that_may_not_be_read_is_denied(opened):
    """It is there, as its listing says, so the permission is what is missing."""

    def no_reading(asked):
        return asked.forward() if prefix_of(asked) is not None else denied(asked)

    with pytest.raises(Denied, match="s3:GetObject on s3://audio is not allowed"):
        await opened(no_reading, lambda s3: s3.look_up(CALLS))


async def test_who_may_not_list_at_all_is_told_of_the_object(opened):
    """The listing was our question; what the caller asked for is what is denied."""
    with pytest.raises(Denied, match="s3:GetObject"):
        await opened(denied, lambda s3: s3.look_up(MISSING))


def test_a_manifest_may_name_what_is_no_longer_there(cloud, run, tmp_path):
    """With rights for a prefix alone the run goes on, and says which one is not there."""
    service = cloud()
    service.put("calls/a.mp3", "one")
    known, missing = {"key": "calls/a.mp3", "etag": "1", "size": 3}, {"key": "calls/b.mp3"}
    lines = "".join(f"{json.dumps(each)}\n" for each in (known, missing))
    (tmp_path / "keys.jsonl").write_text(lines, encoding="utf-8")

    with between(service, below_calls) as url:
        run.use(AWS_ENDPOINT_URL=url)
        outcome = run("run", "s3://audio/calls/", "--manifest", tmp_path / "keys.jsonl", "--json")

    assert outcome.counts["tasks"] == 1, outcome.err
    assert outcome.counts["skipped"] == {"not there": 1}


def test_check_writes_its_trial_where_nothing_is_yet(cloud, run):
    """That its object is not there is no permission that is missing."""
    service = cloud()
    service.put("calls/a.mp3", "one")

    with between(service, below_calls) as url:
        run.use(AWS_ENDPOINT_URL=url)
        outcome = run("check", "s3://audio/calls/", "--results", "s3://audio/calls/t/", "--json")

    lines = {each["check"]: each["verdict"] for each in json.loads(outcome.out)["lines"]}
    assert lines["results write"] == "ok", outcome.out
