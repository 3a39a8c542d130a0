"""The failed recordings as a file, and how files take each other's place."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.failures import TOO_LONG, advice
from pipeline.monitoring.failures_file import write_failures
from pipeline.recordings.folder import FolderSource
from pipeline.recordings.manifest import ManifestSource
from tests.support.state_files import begun, listed, running

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.state.run_state import RunState


@pytest.fixture(name="path")
def failures_file(tmp_path):
    return tmp_path / "tasks.failures.jsonl"


@pytest.fixture(name="source")
def folder_source(tmp_path):
    (tmp_path / "audio").mkdir()
    return FolderSource(tmp_path / "audio", "served")


def fail(state: RunState, *keys: str, reason: str = TOO_LONG, words: str = "Words.") -> None:
    """Let recordings fail."""
    for job in running(state, *keys):
        state.failed(job, reason, words)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_failure_is_told_with_all_that_is_known(path, source):
    """A line names the recording, the class, the service's words, the advice and the attempts."""
    with begun(path.with_name("state")) as state:
        state.try_again(*running(state, "a b\n.mp3"))
        (job,) = state.claim(1)
        state.failed(job, TOO_LONG, "Maximum audio duration is 4 hours.\n")
        write_failures(path, source, state, listed=True)

    assert lines_of(path) == [
        {
            "uri": f"{source.uri}/a%20b%0A.mp3",
            "key": "a b\n.mp3",
            "reason": TOO_LONG,
            "message": "Maximum audio duration is 4 hours.\n",
            "advice": advice(TOO_LONG),
            "attempts": 2,
            "job": job.name,
            "etag": "1",
            "size": 7,
        }
    ]


def test_every_failure_has_a_line(path, source):
    """However many failed, each has one line, and what is written or pending has none."""
    keys = [f"{n}.mp3" for n in range(1_001)]
    with begun(path.with_name("state")) as state:
        fail(state, *keys)
        listed(state, "pending.mp3")
        write_failures(path, source, state, listed=True)

    assert [line["key"] for line in lines_of(path)] == keys


def test_the_file_is_gone_when_nothing_failed(path, source):
    """A run after which nothing is failed leaves no file of an earlier one."""
    with begun(path.with_name("state")) as state:
        fail(state, "a.mp3")
        write_failures(path, source, state, listed=True)
        before = path.exists()
        state.retry(())
        write_failures(path, source, state, listed=True)
        write_failures(path, source, state, listed=True)

    assert (before, path.exists()) == (True, False)


def test_the_file_is_that_of_the_last_selection(path, source):
    """A recording that has left the source is nobody's concern any more."""
    with begun(path.with_name("state")) as state:
        fail(state, "a.mp3", "b.mp3")
    with begun(path.with_name("state")) as state:
        listed(state, "b.mp3")
        write_failures(path, source, state, listed=True)

    assert [line["key"] for line in lines_of(path)] == ["b.mp3"]


def test_after_a_listing_that_was_cut_short_every_failure_is_told(path, source):
    """Where nobody knows what has left the source, the failures of earlier runs stay in it."""
    with begun(path.with_name("state")) as state:
        fail(state, "a.mp3", "b.mp3")
    with begun(path.with_name("state")) as state:
        write_failures(path, source, state, listed=False)

    assert [line["key"] for line in lines_of(path)] == ["a.mp3", "b.mp3"]


def test_only_the_owner_may_read_it(path, source):
    """The file has the mode 0600, also under an open umask and in the place of a wider one."""
    path.touch(0o644)
    before = os.umask(0)
    with begun(path.with_name("state")) as state:
        fail(state, "a.mp3")
        write_failures(path, source, state, listed=True)
    os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_its_lines_are_a_manifest(path, source, tmp_path):
    """The failures of one run can be the recordings of the next."""
    keys = ["a b.mp3", "ü/%41.mp3", "n\nl.mp3"]
    (tmp_path / "audio" / "ü").mkdir()
    for key in keys:
        (tmp_path / "audio" / key).write_bytes(b"RIFF")
    with begun(path.with_name("state")) as state:
        fail(state, *keys)
        write_failures(path, source, state, listed=True)

    no_bucket: Any = None
    [page] = [page async for page in ManifestSource(path, source, no_bucket).pages()]

    assert [(entry.key, entry.size) for entry in page] == [(key, 4) for key in keys]
