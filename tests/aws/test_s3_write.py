"""Objects that are written under a condition: one of many writers wins, and knows it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from pipeline.aws.s3 import IF_ABSENT, if_still, open_s3
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.errors import CannotRun, Denied, NoSuchSource
from pipeline.local import CloudOptions, local_cloud
from pipeline.naming import S3Uri
from pipeline.net.wait_times import WaitTimes
from tests.conftest import ScriptedCloud
from tests.support.between import Answer, between, refusal
from tests.support.signing import KEYS

PLACE = S3Uri("audio", "tasks/0.jsonl")
pytestmark = pytest.mark.usefixtures("no_proxies")


@asynccontextmanager
async def writer(url):
    """S3 as the run has it, at an endpoint."""
    async with (
        connect(Aws(region="us-east-1", endpoint_url=url), 20, KEYS) as session,
        open_s3(session, Limits(retry_seconds=5), WaitTimes()) as s3,
    ):
        yield s3


@pytest.fixture
async def cloud(tmp_path):
    async with local_cloud(tmp_path, CloudOptions(bucket="audio", keys=(KEYS,))) as opened:
        yield ScriptedCloud(tmp_path, opened.url)


async def test_of_twenty_writers_at_once_one_wins(cloud):
    """Nineteen are told that there is an object already, and what the one wrote stays."""
    async with writer(cloud.url) as s3:
        tags = await asyncio.gather(
            *(s3.write(PLACE, f"{n}".encode(), IF_ABSENT) for n in range(20))
        )
        content = await s3.read(PLACE)

    winner = next(n for n, tag in enumerate(tags) if tag)
    assert content == f"{winner}".encode()
    assert sum(tag is not None for tag in tags) == 1


async def test_an_object_is_replaced_only_as_long_as_it_is_the_one_that_was_read(cloud):
    """Who comes second is told, and overwrites nothing; a missing one is none to replace."""
    async with writer(cloud.url) as s3:
        first = await s3.write(PLACE, b"first")
        second = await s3.write(PLACE, b"second", if_still(first))
        third = await s3.write(PLACE, b"third", if_still(first))
        content = await s3.read(PLACE)
        missing = await s3.write(S3Uri("audio", "other"), b"x", if_still(first))

    assert second
    assert third is None
    assert content == b"second"
    assert missing is None


async def test_a_file_is_sent_as_it_lies_on_the_disk(cloud, tmp_path):
    """Its content arrives whole, a second try begins at its beginning again."""
    file = tmp_path / "big"
    file.write_bytes(b"0123456789" * 300_000)
    tries = []

    def fails_once(asked):
        tries.append(asked.method)
        return Answer(503, b"", {}) if len(tries) == 1 else asked.forward()

    with between(cloud, fails_once) as url:
        async with writer(url) as s3:
            await s3.write(PLACE, file)

    assert tries == ["PUT", "PUT"]
    assert (tmp_path / PLACE.key).read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDenied", 403, Denied),
        ("NotImplemented", 501, CannotRun),
        ("NoSuchBucket", 404, NoSuchSource),
    ],
)
async def test_a_refusal_is_never_taken_for_an_object_that_is_there(code, status, error):
    """Only the answer that says so is: a right or a bucket that is missing ends with its words."""
    with between(None, lambda asked: refusal(asked, code, "Its words", status)) as url:
        async with writer(url) as s3:
            with pytest.raises(error):
                await s3.write(PLACE, b"x", IF_ABSENT)


async def test_two_writers_at_the_same_moment_are_told_to_try_again():
    """S3 answers 409 while another conditional write is under way; the next try tells."""
    answers = [("ConditionalRequestConflict", 409), ("PreconditionFailed", 412)]

    def reply(asked):
        code, status = answers.pop(0)
        return refusal(asked, code, "Its words", status)

    with between(None, reply) as url:
        async with writer(url) as s3:
            assert await s3.write(PLACE, b"x", IF_ABSENT) is None

    assert answers == []


async def test_a_foreign_cloud_holds_the_condition_of_a_presigned_write(ministack):
    """The condition is part of what is signed, and a server of other hands keeps it."""
    async with writer(ministack) as s3:
        bucket = S3Uri("conditions", "")
        await s3._requests.ask("PUT", bucket)
        place = bucket._replace(key="tasks/0.jsonl")
        first = await s3.write(place, b"first", IF_ABSENT)
        again = await s3.write(place, b"second", IF_ABSENT)
        changed = await s3.write(place, b"third", if_still("0123"))
        kept = await s3.read(place)
        replaced = await s3.write(place, b"fourth", if_still(first))

    assert first
    assert (again, changed) == (None, None)
    assert kept == b"first"
    assert replaced
