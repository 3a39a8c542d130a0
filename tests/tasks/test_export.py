"""The tasks as JSON arrays for Label Studio's Import button."""

from __future__ import annotations

import json
import os
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputUnusable, StateUnusable
from pipeline.model import Line
from pipeline.tasks import export
from pipeline.tasks.export import committed_lines, later_exports, worst_first, write_arrays
from tests.support.state_files import begun, output_at, running

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="tasks")
def written_tasks(tmp_path):
    """The output of a run that wrote three tasks."""
    path: Path = tmp_path / "tasks.jsonl"
    with begun(tmp_path / "state") as state:
        jobs = running(state, "a", "b", "c")
        with closing(output_at(path, state)) as output:
            output.write([Line(job, b'{"task": %d}\n' % n) for n, job in enumerate(jobs)])
    return path


def lines_of(tasks: Path) -> list[bytes]:
    return list(committed_lines(tasks, tasks.with_name("state")))


def read(paths: list[Path]) -> list[Any]:
    return [json.loads(path.read_bytes()) for path in paths]


def test_every_committed_line_is_taken(tasks):
    """The lines are those of the output, in its order, without their ends."""
    assert lines_of(tasks) == [b'{"task": 0}', b'{"task": 1}', b'{"task": 2}']


@pytest.mark.parametrize("tail", [b'{"task": 3}\n', b'{"ta', b"\n", b"garbage"])
def test_what_is_not_committed_is_left_out(tasks, tail):
    """What a run beside is writing just now is no task yet, whole line or not."""
    with tasks.open("ab") as file:
        file.write(tail)

    assert len(lines_of(tasks)) == 3


@pytest.mark.parametrize("left", [0, 5, 12, 35])
def test_a_shortened_output_is_refused(tasks, left):
    """An output that lacks committed bytes is not exported as if it were whole."""
    os.truncate(tasks, left)

    with pytest.raises(OutputUnusable, match=r"(shorter|is not JSON).*with --rebuild-output"):
        lines_of(tasks)


@pytest.mark.parametrize(
    "change", [(b"0", b"zero"), (b'"task": 2', b'"task": 22222'), (b"{", b"<"), (b"}\n", b"}}")]
)
def test_a_changed_output_is_refused(tasks, change):
    """A line that someone edited is named, and no task is lost without a word."""
    tasks.write_bytes(tasks.read_bytes().replace(*change, 1))

    with pytest.raises(OutputUnusable, match=r"someone changed the file\. Put it back"):
        lines_of(tasks)


def test_a_changed_line_is_named_as_an_editor_counts_it(tasks):
    """Also where only what is new is read, a line has its number in the whole file."""
    tasks.write_bytes(tasks.read_bytes().replace(b'{"task": 2', b'<"task": 2'))

    with pytest.raises(OutputUnusable, match=r"Line 3 of .* is not JSON"):
        list(committed_lines(tasks, tasks.with_name("state"), len(b'{"task": 0}\n')))


def test_a_missing_output_is_refused(tasks):
    """An output that is gone is named."""
    tasks.unlink()

    with pytest.raises(OutputUnusable, match="can't be read: No such file or directory"):
        lines_of(tasks)


def test_a_missing_state_file_is_refused(tasks):
    """Without the state file nobody knows what is committed, so nothing is exported."""
    with pytest.raises(StateUnusable, match="There is no state file"):
        list(committed_lines(tasks, tasks.with_name("other")))


def test_a_run_that_wrote_nothing_has_no_tasks(tmp_path):
    """Before the first task the output may be missing; that is no error."""
    with begun(tmp_path / "state"):
        assert list(committed_lines(tmp_path / "none", tmp_path / "state")) == []


@given(
    lines=st.lists(st.integers(0, 40).map(lambda n: b'"%s"' % (b"a" * n)), max_size=30),
    most_tasks=st.integers(1, 7),
    most_bytes=st.integers(1, 120),
)
def test_chunks_hold_every_task_once_within_both_limits(
    tmp_path_factory, monkeypatch, lines, most_tasks, most_bytes
):
    """The arrays together are the lines in order; each keeps to the count and the size."""
    monkeypatch.setattr(export, "MOST_TASKS", most_tasks)
    monkeypatch.setattr(export, "MOST_BYTES", most_bytes)

    paths = list(write_arrays(lines, tmp_path_factory.mktemp("to")))

    arrays = read(paths)
    assert [json.loads(line) for line in lines] == [task for array in arrays for task in array]
    assert all(0 < len(array) <= most_tasks for array in arrays)
    for path, array in zip(paths, arrays, strict=True):
        assert path.stat().st_size <= most_bytes + 5 or len(array) == 1


def test_no_more_files_are_made_than_needed(tmp_path, monkeypatch):
    """Seven tasks at three a file are three files, numbered in order."""
    monkeypatch.setattr(export, "MOST_TASKS", 3)

    paths = list(write_arrays([b"1"] * 7, tmp_path / "new" / "folder"))

    assert [path.name for path in paths] == [
        "tasks-0001.json",
        "tasks-0002.json",
        "tasks-0003.json",
    ]
    assert [len(array) for array in read(paths)] == [3, 3, 1]


def test_no_tasks_are_no_files(tmp_path):
    """Where there is nothing to import, no empty array is written."""
    assert list(write_arrays([], tmp_path / "to")) == []


def test_only_the_owner_may_read_them(tmp_path):
    """Transcripts are private: the files have the mode 0600, also over a wider older one."""
    (tmp_path / "tasks-0001.json").write_text("[\n{}\n]\n")
    (tmp_path / "tasks-0001.json").chmod(0o644)

    (path,) = write_arrays([b"1"], tmp_path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read([path]) == [[1]]


def test_a_file_is_whole_or_not_there(tmp_path):
    """Where the export is refused midway, no half file stands under the name of a whole one."""

    def lines():
        yield b"1"
        raise OutputUnusable("someone changed the file.")

    with pytest.raises(OutputUnusable):
        list(write_arrays(lines(), tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    """A file in the place of the folder is refused with one sentence."""
    (tmp_path / "to").write_text("a file")

    with pytest.raises(OutputUnusable, match=r"tasks-0001\.json can't be written: "):
        list(write_arrays([b"1"], tmp_path / "to"))


def scored(number: int, score: float | None) -> bytes:
    predictions = [] if score is None else [{"score": score, "result": []}]
    return json.dumps({"data": {"number": number}, "predictions": predictions}).encode() + b"\n"


@given(
    scores=st.lists(st.none() | st.sampled_from([0.0, 0.5, 0.97, 1.0]), max_size=40),
    run=st.integers(1, 50),
    block=st.integers(1, 5),
)
def test_the_worst_come_first_and_equal_ones_as_written(
    tmp_path_factory, monkeypatch, scores, run, block
):
    """Every task once, by score, the order of the file among equals, however small the runs."""
    monkeypatch.setattr(export, "_RUN", run)
    monkeypatch.setattr(export, "_BLOCK", block)
    folder = tmp_path_factory.mktemp("worst")
    with begun(folder / "state") as state:
        jobs = running(state, *map(str, range(len(scores)))) if scores else []
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            lines = [scored(n, score) for n, score in enumerate(scores)]
            output.write([Line(job, line) for job, line in zip(jobs, lines, strict=True)])

    found = list(worst_first(folder / "tasks.jsonl", folder / "state"))

    by_score = sorted(range(len(scores)), key=lambda n: scores[n] or 0.0)
    assert [json.loads(line)["data"]["number"] for line in found] == by_score


def test_what_has_no_score_to_sort_by_is_named(tasks):
    """A line that is no task is refused with its number instead of being left out."""
    tasks.write_bytes(tasks.read_bytes().replace(b'{"task": 1}', b'["task", 1]'))

    with pytest.raises(OutputUnusable, match=r"Line 2 of .* is no task with a score"):
        list(worst_first(tasks, tasks.with_name("state")))


def test_the_command_writes_the_worst_first(run, cloud):
    """The first task of the first file is the one with the lowest score."""
    cloud().add(**{f"rec{n}": f"number {n}" for n in range(5)})
    run("run", "s3://audio/")

    outcome = run("export", "--worst-first")

    [array] = read([run.folder / line for line in outcome.out.splitlines()])
    scores = [task["predictions"][0]["score"] for task in array]
    assert len(scores) == 5
    assert scores == sorted(scores)


def test_recordings_without_speech_are_not_the_least_certain(run, cloud):
    """Nobody has anything to correct in them, so they are last, though their score is 0."""
    cloud().add(silent="", spoken="some words")
    run("run", "s3://audio/")

    outcome = run("export", "--worst-first")

    [array] = read([run.folder / line for line in outcome.out.splitlines()])
    assert [task["data"]["word_count"] for task in array] == [2, 0]


def test_a_score_below_nothing_sorts_as_nothing(tmp_path):
    """Whatever a model says of itself, its tasks stay in the order of the file among such ones."""
    with begun(tmp_path / "state") as state:
        jobs = running(state, *"abcd")
        with closing(output_at(tmp_path / "tasks.jsonl", state)) as output:
            lines = [scored(number, score) for number, score in enumerate([0.0, -1.0, 0.5, -2.0])]
            output.write([Line(job, line) for job, line in zip(jobs, lines, strict=True)])

    lines = list(worst_first(tmp_path / "tasks.jsonl", tmp_path / "state"))
    found = [json.loads(line)["data"]["number"] for line in lines]

    assert found == [0, 1, 3, 2]


def test_the_last_file_of_an_export_is_no_left_over(tmp_path):
    """Only those behind it are of an earlier one."""
    paths = [tmp_path / f"tasks-{number:04}.json" for number in range(3)]
    for path in paths:
        path.write_text("[]")

    assert later_exports(tmp_path, paths[1]) == paths[2:]
    assert later_exports(tmp_path, None) == paths
