"""The copy of the state file: sent behind the run's back, and known again after a lost answer."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import asynccontextmanager
from threading import Event
from typing import TYPE_CHECKING

import pytest

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect
from pipeline.config.schema import Aws, Limits
from pipeline.naming import S3Uri
from pipeline.net.wait_times import WaitTimes
from pipeline.s3_output.checkpoint import Copies
from pipeline.state.copies import copy_state
from tests.support.between import Answer, Asked, between
from tests.support.state_files import begun, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from tests.conftest import ScriptedCloud

PLACE = S3Uri("audio", "state.gz")

pytestmark = pytest.mark.usefixtures("no_proxies")


@asynccontextmanager
async def s3_that(
    reply: Callable[[Asked], Answer], service: ScriptedCloud | None = None
) -> AsyncIterator[S3]:
    """S3 over the wire, which answers so."""
    limits = Limits(retry_seconds=5)
    with between(service, reply) as url:
        settings = Aws(region="us-east-1", endpoint_url=url)
        async with (
            connect(settings, 1, ("key", "secret")) as session,
            open_s3(session, limits, WaitTimes()) as s3,
        ):
            yield s3


def keys_in(packed: bytes, folder: Path) -> list[str]:
    """The recordings of a copy."""
    path = folder / "unpacked"
    path.write_bytes(gzip.decompress(packed))
    return [key for (key,) in sqlite3.connect(path).execute("SELECT key FROM recordings")]


async def test_a_run_goes_on_while_its_state_is_sent(tmp_path):
    """The copy is of the moment at which it began, whatever is written until it is there."""
    may_answer, sent = Event(), []

    def reply(asked):
        sent.append(asked.body)
        may_answer.wait(10)
        return Answer(200, b"", {"ETag": f'"{len(sent)}"'})

    with begun(tmp_path / "state") as state:
        written(state, "a.mp3")
        async with s3_that(reply) as s3:
            copies = Copies(s3, PLACE, state)
            await copies.begin()
            written(state, "b.mp3")
            await copies.begin()  # one is under way
            before = state.parts.checkpoint
            may_answer.set()
            await copies.finish()
            assert (before, state.parts.checkpoint) == ("", "2")

    assert [keys_in(each, tmp_path) for each in sent] == [["a.mp3"], ["a.mp3", "b.mp3"]]


def test_what_is_written_while_the_state_is_copied_waits_for_nothing_and_is_not_in_it(tmp_path):
    """Copying a million recordings takes a second, in which the run goes on."""
    with begun(tmp_path / "state") as state:
        written(state, "a.mp3")
        copy_state(state.path, tmp_path / "copy", lambda: written(state, "b.mp3"))

    assert keys_in(gzip.compress((tmp_path / "copy").read_bytes()), tmp_path) == ["a.mp3"]


@pytest.mark.parametrize("theirs", [False, True])
async def test_a_copy_whose_answer_was_lost_is_known_again(cloud, tmp_path, theirs):
    """What is there then is compared: our own copy is replaced later, another's stays."""
    service = cloud()
    copy = service.folder / PLACE.key
    lost = [True]

    def loses_one(asked):
        answer = asked.forward()
        if asked.method != "PUT" or not lost:
            return answer
        lost.clear()
        copy.write_bytes(bytes(copy.stat().st_size) if theirs else copy.read_bytes())
        return Answer(200, None, {})

    with begun(tmp_path / "state") as state:
        async with s3_that(loses_one, service) as s3:
            copies = Copies(s3, PLACE, state)
            await copies.finish()
            first = state.parts.checkpoint
            written(state, "a.mp3")
            await copies.finish()
        assert bool(first) == bool(state.parts.checkpoint) == (not theirs)

    assert not lost
    if theirs:
        assert not any(copy.read_bytes())
    else:
        assert keys_in(copy.read_bytes(), tmp_path) == ["a.mp3"]
