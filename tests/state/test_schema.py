"""A state file of the version before is brought up to date, whole or not at all.

`fixtures/version-1.state` was written by the last program with the first schema: two runs over a
folder of three bundled recordings and one that is cut off.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.doctor import machine
from pipeline.errors import StateUnusable
from pipeline.state import database, lock
from pipeline.state.cleanup import open_for_cleaning
from pipeline.state.reader import read_state
from pipeline.state.recordings import Counts
from pipeline.state.run_state import open_state
from pipeline.state.schema import MIGRATION
from tests.support.state_files import begun, by_hand

OLD = Path(__file__).parent / "fixtures" / "version-1.state"
SOURCE = "file:///srv/recordings"


@pytest.fixture(name="path")
def old_file(tmp_path):
    return Path(shutil.copy(OLD, tmp_path / "state"))


def prefix_of(path):
    """The start of the names of the old file's jobs."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT value FROM meta WHERE name = 'names'").fetchone()[0]


def columns(path):
    """The columns of every table."""
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master")]
        return {each: db.execute(f"PRAGMA table_info({each})").fetchall() for each in tables}


def dump(path):
    """Everything in the file, as text."""
    with closing(sqlite3.connect(path)) as db:
        return [*db.iterdump(), db.execute("PRAGMA user_version").fetchone()]


def test_a_run_goes_on_with_an_old_file(path):
    """Written stay written, failed keep their message, and nothing is started twice."""
    with open_state(path, prefix_of(path)) as state:
        state.begin(SOURCE)
        jobs = [job for page in state.recordings.written() for job in page]
        failures = list(state.failures.recordings(ever=True))
        state.add((job.recording, job.identity) for job in [*jobs, failures[0][0]])

        assert state.recordings.counts() == Counts(pending=0, in_flight=0, written=3, failed=1)
        assert state.claim(9) == []
        assert [(job.recording.key, reason) for job, reason, _ in failures] == [
            ("broken/cut-off.m4a", "not valid media")
        ]
        assert failures[0][2].startswith("The data in your input media file isn't valid.")
        assert state.facts.earlier_fingerprints() == ["language=en-US"]
        assert state.facts.output_lines == 3


def test_an_old_file_keeps_its_history(path):
    """Its runs, what was heard, and how they went over time, by the names of today."""
    with open_state(path, prefix_of(path)) as state:
        first, second = state.history.past_runs()
        last = state.history.samples(1)[-1]

        assert (first.exit_code, second.exit_code, state.statistics.totals(1).written) == (1, 1, 3)
        assert (last.jobs, last.written, last.failed, last.slots_found) == (4, 3, 1, 1000)
        assert set(last.waits) == {"StartTranscriptionJob", "GetTranscriptionJob"}


def test_a_changed_recording_of_an_old_file_is_remembered(path):
    """The trigger that keeps the identities of written content works after the migration."""
    with open_state(path, prefix_of(path)) as state:
        state.begin(SOURCE)
        job = next(state.recordings.written())[0]
        state.add([(job.recording, b"changed")])
        rows = by_hand(path, "SELECT identity FROM previous_identities")

    assert rows == [(job.identity,)]


def test_a_migrated_file_has_the_tables_of_a_new_one(path, tmp_path):
    """No column of a new file is missing, and none of the old ones is left."""
    with open_state(path, prefix_of(path)):
        pass
    with begun(tmp_path / "new"):
        pass

    old, new = columns(path), columns(tmp_path / "new")

    assert {name: facts for name, facts in old.items() if facts} == {
        name: facts for name, facts in new.items() if facts
    }


def test_who_reads_an_old_file_is_told_to_run(path):
    """Reading writes nothing, so it does not migrate: it says what does."""
    before = dump(path)

    with pytest.raises(StateUnusable, match="Run the same `run` command again"), read_state(path):
        pass

    assert dump(path) == before


def test_a_migration_that_is_cut_short_leaves_the_old_file(path, monkeypatch):
    """Whatever is not committed is not there: the next run begins the migration again."""
    before, prefix = dump(path), prefix_of(path)
    monkeypatch.setattr(database, "MIGRATION", f"{MIGRATION} SELECT * FROM no_such_table;")

    with pytest.raises(StateUnusable, match="no such table"), open_state(path, prefix):
        pass

    assert dump(path) == before
    monkeypatch.undo()
    with open_state(path, prefix) as state:
        assert state.recordings.counts().written == 3


def test_check_tells_an_old_file_as_a_warning(path):
    """A run would bring it up to date and go on, so that it stops no `check && run`."""
    found = machine.state(path, SOURCE, prefix_of(path))

    assert (found.verdict, "Run the same `run` command again" in found.advice) == ("warning", True)


def test_cleaning_makes_no_state_file(tmp_path):
    """An empty file is none: it stays as it is, and nothing is left beside it."""
    empty = tmp_path / "x"
    empty.touch()

    with pytest.raises(StateUnusable, match="nothing in the state file"), open_for_cleaning(empty):
        pass

    assert [(each.name, each.stat().st_size) for each in tmp_path.iterdir()] == [("x", 0)]


def test_a_file_is_brought_up_to_date_for_who_only_reads_it(path):
    """Once, and alone: a second time it is left as it is, and beside a run it is refused."""
    old = dump(path)
    with lock.hold(path), pytest.raises(StateUnusable, match="Another run"):
        lock.bring_up_to_date(path)
    refused = dump(path)

    lock.bring_up_to_date(path)
    new = dump(path)
    with lock.hold(path):
        lock.bring_up_to_date(path)

    assert refused == old
    assert dump(path) == new
    with read_state(path) as state:
        assert state.facts.output_lines == 3
