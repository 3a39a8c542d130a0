"""The metadata of recordings in the state file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from pipeline.state.reader import read_state
from tests.support.state_files import begun, listed, running, written


@pytest.fixture(name="path")
def state_path(tmp_path):
    return tmp_path / "state"


def test_only_what_changes_of_written_recordings_is_counted(path):
    """A task that is to be written has its metadata anyhow; of a written one it is told once."""
    first, other = b'{"agent":"x"}', b'{"agent":"y"}'
    with begun(path) as state:
        written(state, "done.mp3", "bare.mp3")
        listed(state, "open.mp3")
        before = state.metadata.note([("open.mp3", first), ("done.mp3", first), ("no.mp3", first)])
        same = state.metadata.note([("open.mp3", other), ("done.mp3", first)])
        changed = state.metadata.note([("done.mp3", other), ("bare.mp3", other)])
        again = state.metadata.note([("done.mp3", other), ("bare.mp3", other)])

    assert (before, same, changed, again) == (1, 0, 2, 0)


def test_what_a_killed_run_has_seen_to_change_is_told_by_the_next(path):
    """Every page that changes something is counted until somebody is told, and not again then."""
    with begun(path) as state:
        written(state, "one.mp3", "two.mp3")
        state.metadata.note([("one.mp3", b'{"agent":"x"}')])
    with begun(path) as state:
        state.metadata.note([("two.mp3", b'{"agent":"y"}'), ("one.mp3", b'{"agent":"x"}')])
        untold = state.metadata.untold()
        state.metadata.on_told()

    with begun(path) as state:
        assert (untold, state.metadata.untold()) == (2, 0)


def test_a_version_without_an_older_one_of_its_kind_is_no_change(path):
    """What a run first notes of written recordings tells of none, whatever was noted before."""
    manifest, sidecar = b'{"agent":"x"}', b'"9f86"'
    first, other = b'"at 1"', b'"at 2"'
    with begun(path) as state:
        written(state, "bare.mp3", "manifest.mp3", "sidecar.mp3")
        listed(state, "open.mp3")
        state.metadata.note([("manifest.mp3", manifest), ("sidecar.mp3", sidecar)])
        keys = ("bare.mp3", "manifest.mp3", "sidecar.mp3", "open.mp3")
        counts = [
            state.metadata.note([(key, each) for key in keys], "at ")
            for each in (first, first, other, other)
        ]

    assert counts == [0, 0, 3, 0]


def test_a_recording_keeps_its_metadata_until_its_line_is_built(path):
    """It is there under the job's row after the run that listed it was killed."""
    with begun(path) as state:
        [job] = running(state, "a.mp3")
        state.metadata.note([("a.mp3", '{"agent":"Ü","n":7}'.encode())])

    with begun(path) as state:
        [[resumed, _]] = state.recordings.in_flight()

        assert resumed.row == job.row
        assert state.metadata.of_rows([resumed.row, resumed.row + 1]) == [
            (resumed.row, '{"agent":"Ü","n":7}'.encode())
        ]


def test_a_state_file_of_an_earlier_version_has_none_and_gets_a_place_for_it(path):
    """Reading it changes nothing; the next run can note metadata in it."""
    with begun(path) as state:
        written(state, "a.mp3")
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE metadata")
        database.commit()

    with read_state(path) as reader:
        assert reader.metadata.of_rows([1]) == []
    with begun(path) as state:
        assert state.metadata.note([("a.mp3", b'{"n":1}')]) == 1
