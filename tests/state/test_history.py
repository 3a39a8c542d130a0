"""What the state file remembers of each run, for reports."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Line, TranscriptStats
from pipeline.state.history import (
    RUNS_WITH_SAMPLES,
    PastRun,
    Sample,
    Settings,
)
from pipeline.state.reader import read_state
from tests.support.state_files import begun, by_hand, listed, output_at, running, written
from tests.support.transcripts import json_values

written_by_others = (
    st.text(max_size=8)
    | st.binary(max_size=8)
    | st.floats(allow_nan=False)  # which SQLite keeps as NULL
    | st.integers(-(2**63), 2**63 - 1)
    | json_values.map(json.dumps)
    | st.just("[" * 100_000)
)
TABLES = ("runs", "samples", "transcripts")


@pytest.fixture(name="path")
def state_path(tmp_path):
    return tmp_path / "state"


def heard_rows(path):
    """What is remembered of transcripts: run, confidence, seconds."""
    with read_state(path) as state:
        return by_hand(
            state.path, "SELECT run, confidence, seconds FROM transcripts ORDER BY run, row"
        )


def test_a_run_is_remembered_from_its_beginning_to_its_end(path):
    """Settings and beginning are there at once, the end and its summary when it has ended."""
    settings = Settings(language="en-US", most_in_flight=250)
    with begun(path) as state:
        state.history.begin_run(settings)
        (under_way,) = state.history.past_runs()
        state.history.end_run(b'{"written":3}')

    with read_state(path) as state:
        (ended,) = state.history.past_runs()
    assert under_way == PastRun(1, under_way.begun, None, settings, None)
    assert ended[:1] + ended[3:] == (1, settings, b'{"written":3}')
    assert ended.ended is not None
    assert ended.ended >= ended.begun == under_way.begun


def test_a_killed_run_has_no_end(path):
    """The next run leaves the row of one that was killed as it was."""
    with begun(path) as state:
        state.history.begin_run(Settings())
    with begun(path) as state:
        state.history.begin_run(Settings())
        state.history.end_run(b"{}")

        assert [(each.number, each.summary) for each in state.history.past_runs()] == [
            (1, None),
            (2, b"{}"),
        ]


def test_a_file_of_an_earlier_version_is_read_and_gets_its_history(path):
    """A state file without the tables has no runs to tell of, and the next run adds them."""
    with begun(path) as state:
        written(state, "a.mp3")
    with closing(sqlite3.connect(path)) as db:
        for table in TABLES:
            db.execute(f"DROP TABLE {table}")

    with read_state(path) as state:
        assert (state.history.past_runs(), state.history.samples(1)) == ([], [])
        assert state.recordings.counts().written == 1
    with begun(path) as state:
        state.history.begin_run(Settings())
        assert [each.number for each in state.history.past_runs()] == [2]


def test_what_a_later_version_adds_is_passed_over(path):
    """A sample with a field that nobody knows yet is read all the same."""
    with begun(path) as state:
        state.history.begin_run(Settings())
        by_hand(
            state.path, "INSERT INTO samples VALUES (1, 0, ?)", '{"at":5.0,"written":2,"new":[1]}'
        )

        assert state.history.samples(1) == [Sample(at=5.0, written=2)]


def test_samples_of_an_earlier_version_are_left_out(path):
    """A sample whose fields were of another kind then is no obstacle to a report."""
    with begun(path) as state:
        state.history.begin_run(Settings())
        by_hand(state.path, "INSERT INTO samples VALUES (1, 0, ?)", '{"at":5.0,"cost":0.06}')

        assert state.history.samples(1) == []


def test_samples_come_back_in_their_order_without_those_forgotten(path):
    """Thinning keeps the multiples of the step, of this run alone."""
    with begun(path) as state:
        state.history.add_sample(1, Sample(at=1.0))
    with begun(path) as state:
        for number in (3, 0, 2, 1, 4):
            state.history.add_sample(number, Sample(at=float(number), waits={"slots": 1.5}))
        state.history.thin_samples(2)

        assert [each.at for each in state.history.samples(2)] == [0.0, 2.0, 4.0]
        assert state.history.samples(2)[1].waits == {"slots": 1.5}
        assert [each.at for each in state.history.samples(1)] == [1.0]


def test_samples_of_long_ago_are_forgotten(path):
    """Only the last runs keep their samples; every run keeps its row."""
    for _ in range(RUNS_WITH_SAMPLES + 2):
        with begun(path) as state:
            state.history.begin_run(Settings())
            state.history.add_sample(0, Sample(at=1.0))

    with read_state(path) as state:
        assert [len(state.history.samples(run)) for run in (1, 2, 3, 4)] == [0, 0, 1, 1]
        assert len(state.history.past_runs()) == RUNS_WITH_SAMPLES + 2


def test_what_was_heard_is_committed_with_the_line(tmp_path, path):
    """A line that is dropped leaves no trace, one that is written is remembered under its run."""
    with begun(path) as state:
        jobs = running(state, "a", "b")

    with (
        begun(path) as state,
        closing(output_at(tmp_path / "tasks.jsonl", state)) as output,
    ):
        listed(state, "a", etag="2")
        output.write([Line(job, b"{}\n", TranscriptStats(0.25, 3.5, 1.0)) for job in jobs])
        with suppress(ZeroDivisionError), state.output.checkpoint():
            state.history.note_transcripts([(job, TranscriptStats(0.5, 1.0)) for job in jobs])
            raise ZeroDivisionError

    assert heard_rows(path) == [(2, 0.25, 3.5)]


def test_every_run_remembers_what_it_heard(tmp_path, path):
    """A recording that is transcribed anew stays in the figures of the earlier run."""
    for etag, confidence in (("1", 0.5), ("2", None)):
        with (
            begun(path) as state,
            closing(output_at(tmp_path / "tasks.jsonl", state)) as output,
        ):
            listed(state, "a", etag=etag)
            (job,) = state.claim(1)
            state.started(job)
            output.write([Line(job, b"{}\n", TranscriptStats(confidence, 3.5, None))])

    assert heard_rows(path) == [(1, 0.5, 3.5), (2, None, 3.5)]


def test_a_run_of_the_program_leaves_its_history(run, cloud):
    """Settings, samples up to the end, what was heard, and the summary that it printed."""
    service = cloud()
    service.add(a="one two", b="", c="!Internal")
    outcome = run("run", "s3://audio/", "--max-in-flight", "3", "--json")

    with read_state(run.folder / "tasks.jsonl.state") as state:
        (past,) = state.history.past_runs()
        last = state.history.samples(1)[-1]
        rows = by_hand(state.path, "SELECT confidence, seconds, took FROM transcripts ORDER BY row")
    assert past.summary == outcome.out.strip().encode()
    assert (past.settings.source, past.settings.most_in_flight) == ("s3://audio/", 3)
    assert (last.listed, last.written, last.silent, last.failed) == (3, 2, 1, 1)
    assert [confidence for confidence, *_ in rows] == [pytest.approx(0.9), None]
    assert all(took > 0 for *_, took in rows)


def test_a_run_that_can_not_begin_is_remembered_as_such(run, cloud):
    """Without credentials that are good the night was not killed: the report says what to do."""
    cloud().add(one="first")
    assert run("run", "s3://audio/", "--profile", "nope").code == 2

    with read_state(run.folder / "tasks.jsonl.state") as state:
        (past,) = state.history.past_runs()
    assert past.ended
    assert past.exit_code == 2
    assert run("report").code == 0
    page = (run.folder / "tasks.report.html").read_text()
    assert "could not go on" in page
    assert "nope" in page


def test_how_a_run_ended_is_said_once(tmp_path):
    """What was told first is what people read; a second end of the same run changes nothing."""
    with begun(tmp_path / "state") as state:
        state.history.begin_run(Settings())
        state.history.end_run(b'{"exit_code":2}')
        state.history.end_run(b'{"exit_code":0}')

        assert [each.exit_code for each in state.history.past_runs()] == [2]


@given(st.sampled_from(["settings", "summary", "begun", "ended", "facts"]), written_by_others)
def test_what_others_wrote_into_the_history_is_no_run(tmp_path_factory, column, value):
    """Text of any kind, numbers and bytes for text: the other runs are still told of."""
    path = tmp_path_factory.mktemp("state") / "state"
    with begun(path) as state:
        state.history.begin_run(Settings())
        state.history.add_sample(1, Sample(at=1.0))
    with begun(path) as state:
        state.history.begin_run(Settings(source="s3://calls/"))
    table = "samples" if column == "facts" else "runs"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = ? WHERE run = 1", (value,))

    with read_state(path) as state:
        runs = state.history.past_runs()
        samples = state.history.samples(1)
    assert runs[-1].settings.source == "s3://calls/"
    assert [each.exit_code for each in runs][-1] is None
    assert all(isinstance(each.at, int | float) for each in samples)
