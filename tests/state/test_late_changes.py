"""What reaches the state file late, twice or in another's way changes nothing it should not."""

from __future__ import annotations

import sqlite3
from threading import Timer

import pytest

from pipeline.errors import OutputUnusable
from pipeline.model import Recording
from pipeline.naming import identity
from pipeline.state.database import translated
from pipeline.state.lock import lock_path
from pipeline.state.recordings import Standing
from tests.support.state_files import begun, by_hand, listed, running


@pytest.fixture(name="path")
def state_path(tmp_path):
    return tmp_path / "state"


def test_a_failed_recording_that_is_put_back_is_of_no_run_s_selection(path):
    """It waits for the run that lists it, and until then is not among what is to be started."""
    with begun(path) as state:
        [job] = running(state, "a.mp3")
        state.failed(job, "refused", "no")
        state.retry([])

        assert (state.recordings.pending(), state.recordings.counts().pending) == (0, 1)
        assert state.claim(1) == []


def test_a_job_of_earlier_content_fails_nothing(path):
    """The recording has changed since its job was started: the new content is still to be done."""
    with begun(path) as state:
        [job] = running(state, "a.mp3")
    with begun(path) as state:
        listed(state, "a.mp3", etag="2")
        state.failed(job, "refused", "no")
        state.try_again(job)

        assert (state.failures.by_reason(), state.recordings.counts().pending) == ({}, 1)
        assert [each.attempt for each in state.claim(1)] == [1]


def test_a_start_that_is_noted_late_overwrites_nothing(path):
    """A recording that is pending again by then stays so."""
    with begun(path) as state:
        listed(state, "a.mp3")
        [job] = state.claim(1)
        state.release(job)
        state.started(job)
        state.note_started()

        assert (state.recordings.in_flight(), state.recordings.counts().pending) == ([], 1)


def test_what_was_written_late_is_written_once(path):
    """A start of before is not noted again when the same recording is claimed anew."""
    with begun(path) as state:
        [job] = running(state, "a.mp3")
        state.note_started()
        state.release(job)
        state.claim(1)
        state.note_started()

        assert state.recordings.in_flight() == []


def test_that_the_output_grows_is_on_the_disk_before_it_does(path):
    """After a power cut an output longer than what is committed is known to be our own."""
    said: list[str] = []
    with begun(path) as state:
        state._database._connection.set_trace_callback(said.append)
        state.output.begin()
        state._database._connection.set_trace_callback(None)

    assert said[0] == "PRAGMA synchronous = FULL"
    assert said[-2:] == ["COMMIT", "PRAGMA synchronous = NORMAL"]


def test_a_writer_beside_the_run_is_waited_for(path):
    """Somebody with SQLite at hand may hold the file for a moment, and no run ends for it."""
    with begun(path) as state:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        Timer(0.1, other.close).start()

        assert listed(state, "a.mp3") == 1

    assert by_hand(path, "SELECT count(*) FROM recordings") == [(1,)]


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC])
def test_a_disk_that_fails_is_told_as_one(path, code):
    """It is not the state file that is wrong, and nobody is to set it aside."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code

    with pytest.raises(OutputUnusable, match="is full or failing"), translated(path):
        raise error


def test_a_state_file_has_one_lock_whatever_links_lead_to_it(path):
    """Two names of one file are locked as one, also before the file is there."""
    link = path.with_name("link")
    link.symlink_to(path)

    assert lock_path(link) == lock_path(path) == path.with_name("state.lock")


def test_a_start_that_was_cut_off_is_still_to_be_made(path):
    """A plan counts what was claimed and never started among what a run would start."""
    recording = Recording("a.mp3", "1", 7)
    with begun(path) as state:
        listed(state, "a.mp3")
        state.claim(1)

        page = [(recording, identity("calls", recording, ""))]
        assert state.recordings.standings(page) == [Standing.TO_START]
