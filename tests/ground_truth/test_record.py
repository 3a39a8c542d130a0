"""The file in which each review stands once."""

from __future__ import annotations

import json
import re
import stat
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputUnusable
from pipeline.ground_truth.record import (
    AUTO,
    REVIEWED,
    GroundTruth,
    Segment,
    read_ground_truth,
)
from pipeline.ground_truth.store import Changes, standing, updating
from tools.docs import DOCS

if TYPE_CHECKING:
    from pathlib import Path

P, Q = "http://ls/projects/1", "http://ls/projects/2"


def review(task: int, annotation: int, text: str = "said", project: str = P) -> GroundTruth:
    return GroundTruth(
        audio=f"s3://b/{task}.mp3",
        source=REVIEWED,
        text=text,
        job_id=f"job-{task}",
        project=project,
        task_id=task,
        annotation_id=annotation,
        updated_at=f"2026-11-01T00:00:{annotation:02}Z",
    )


def auto(task: int) -> GroundTruth:
    return GroundTruth(audio=f"s3://b/{task}.mp3", source=AUTO, text="heard", job_id=f"job-{task}")


def put(path: Path, *lines: GroundTruth, gone: tuple[int, ...] = (), whole: str = "") -> Changes:
    """Put lines, those of a task together, and say that some tasks have none."""
    with updating(path) as update:
        for line in lines:
            if line.source == AUTO:
                update.put_auto(line)
        reviews = [line for line in lines if line.source == REVIEWED]
        for (project, task), group in groupby(reviews, lambda line: (line.project, line.task_id)):
            update.put_task(project, task, group)
        for task in gone:
            update.put_task(P, task, [])
        return update.commit(whole=whole)


@pytest.fixture(name="path")
def empty_path(tmp_path: Path) -> Path:
    """Where the ground truth is to be, in a folder that is not there yet."""
    return tmp_path / "new" / "ground_truth.jsonl"


def test_a_line_comes_back_as_it_was(path):
    """Whatever text a line holds, it is read as it was written."""
    segment = Segment(start=0.5, end=2.0, text="zwei\u2028\n\x00Zeilen", speaker="spk_0", channel=1)
    line = GroundTruth(
        audio="s3://b/ä\n.mp3", source=REVIEWED, text="\U0001f600", segments=(segment,), task_id=3
    )

    put(path, line)

    assert list(read_ground_truth(path)) == [line]


def test_putting_twice_changes_nothing(path):
    """The same lines again leave the file as it was, byte for byte."""
    lines = (review(1, 1), review(1, 2), review(2, 3), auto(4))
    put(path, *lines)
    before = path.read_bytes()

    changes = put(path, *lines)

    assert changes == Changes(total=4)
    assert path.read_bytes() == before


def test_a_later_correction_takes_the_place_of_the_earlier(path):
    """The corrected line stands where the earlier one stood, and the others stay."""
    put(path, review(1, 1), review(2, 2), review(3, 3))

    changes = put(path, review(2, 2, "corrected"))

    assert changes == Changes(replaced=1, total=3)
    assert [line.text for line in read_ground_truth(path)] == ["said", "corrected", "said"]


def test_a_second_annotation_is_kept_beside_the_first(path):
    """Several annotations of a task are a line each."""
    put(path, review(1, 1))

    assert put(path, review(1, 1), review(1, 2)) == Changes(added=1, total=2)


def test_a_deleted_annotation_goes(path):
    """A task that has no annotation any more has no line."""
    put(path, review(1, 1), review(2, 2))

    assert put(path, gone=(1,)) == Changes(removed=1, total=1)
    assert [line.task_id for line in read_ground_truth(path)] == [2]


def test_a_whole_project_drops_what_was_not_put(path):
    """What a project does not have any more goes, other projects' lines stay."""
    put(path, review(1, 1), review(2, 2), review(1, 1, project=Q), auto(9))

    assert put(path, review(2, 2), whole=P) == Changes(removed=1, total=3)
    assert [line.task_id for line in read_ground_truth(path)] == [0, 2, 1]


def test_a_server_under_another_address_doubles_nothing(path):
    """An annotation is known by its own name, whatever address the server was asked under."""
    uid = "3f2a"
    here = msgspec.structs.replace(review(1, 1), annotation_uid=uid)
    put(path, here, review(2, 2))

    there = msgspec.structs.replace(here, project=Q)

    assert put(path, there) == Changes(added=1, removed=1, total=2)
    assert [(line.project, line.task_id) for line in read_ground_truth(path)] == [(P, 2), (Q, 1)]


def test_a_review_takes_the_place_of_what_was_taken_without_one(path):
    """A recording is never both reviewed and taken without a review."""
    put(path, auto(1), auto(2))

    assert put(path, review(1, 1)) == Changes(added=1, removed=1, total=2)
    assert [line.source for line in read_ground_truth(path)] == [AUTO, REVIEWED]


def test_what_is_reviewed_is_not_taken_without_a_review_later(path):
    """An auto line gives way to a review that is there already."""
    put(path, review(1, 1))

    assert put(path, auto(1)) == Changes(total=1)
    assert put(path, auto(1), review(1, 2)) == Changes(added=1, removed=1, total=1)


def test_standing_is_of_one_project(path):
    """What was pulled from one project says nothing of another; without a file it is nothing."""
    assert standing(path, P) == (0, "", {})
    put(path, review(1, 5), review(2, 3), review(1, 9, project=Q), auto(7))

    assert standing(path, P) == (2, "2026-11-01T00:00:05Z", {})


def test_only_the_owner_may_read_it(path):
    """Transcripts are private, also in a file that was readable before."""
    put(path, review(1, 1))
    path.chmod(0o644)

    put(path, review(2, 2))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_update_changes_nothing(path):
    """Where reading the server fails half way, the file stays as it was."""
    put(path, review(1, 1))
    before = path.read_bytes()

    def pull_half():
        with updating(path) as update:
            update.put_task(P, 1, [])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        pull_half()

    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "ground_truth.jsonl",
        "ground_truth.jsonl.lock",
    ]


def test_two_updates_at_once_are_refused(path):
    """The second one says so, and the first goes on."""
    with updating(path) as update:
        with pytest.raises(OutputUnusable, match="Another pull or push is writing"), updating(path):
            pass
        update.put_task(P, 1, [review(1, 1)])

        assert update.commit().total == 1


@pytest.mark.parametrize("times", [(-1.0, 2.0), (0.0, 1e308)])
def test_a_time_that_can_not_be_is_named(path, times):
    """A segment that someone moved before the beginning is told by its line, in every format."""
    start, end = times
    segment = {"start": start, "end": end, "text": "x"}
    path.parent.mkdir()
    path.write_text(
        json.dumps({"audio": "a", "source": "reviewed", "text": "x", "segments": [segment]})
    )

    with pytest.raises(OutputUnusable, match=r"Line 1 of .* is no line of ground truth"):
        list(read_ground_truth(path))


@pytest.mark.parametrize("foreign", [b"\n", b"garbage\n", b'{"audio": 3}\n', b'{"source":"x"}\n'])
def test_a_line_that_is_none_of_ours_is_named(path, foreign):
    """Neither reading nor updating passes over a line that it does not understand."""
    put(path, review(1, 1))
    before = path.read_bytes() + foreign
    path.write_bytes(before)

    with pytest.raises(OutputUnusable, match=r"Line 2 of .* is no line of ground truth"):
        list(read_ground_truth(path))
    with pytest.raises(OutputUnusable, match=r"Line 2 of .* is no line of ground truth"):
        put(path, review(1, 1))
    assert path.read_bytes() == before


def test_a_last_line_without_its_end_is_a_line(path):
    """A file that an editor saved without a newline at its end gets no two lines in one."""
    put(path, review(1, 1))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))

    assert put(path, review(2, 2)).total == 2
    assert len(list(read_ground_truth(path))) == 2


def test_a_missing_file_is_named(path):
    """What reads the ground truth says which command writes it."""
    with pytest.raises(OutputUnusable, match=r"There is no ground truth .* pull"):
        list(read_ground_truth(path))


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    """A file in the place of the folder is refused with one sentence."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputUnusable, match="can't be written"), updating(tmp_path / "file" / "g"):
        pass


def test_the_documents_show_a_line():
    """The line on the page has the names and types of a real one, and no others."""
    page = (DOCS / "reference" / "output-formats.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    [shown] = [each for each in examples if '"source"' in each]

    line = msgspec.json.decode(shown, type=GroundTruth)

    assert json.loads(msgspec.json.encode(line)) == json.loads(shown)


tasks = st.dictionaries(st.integers(1, 6), st.sets(st.integers(1, 4)), max_size=5)


@given(rounds=st.lists(st.tuples(tasks, st.sets(st.integers(1, 6)), st.booleans()), max_size=5))
def test_the_file_is_what_was_put_last(tmp_path_factory, rounds):
    """After any updates the file has each task's lines of the last time, and the counts agree."""
    path = tmp_path_factory.mktemp("truth") / "g.jsonl"
    reviewed: dict[int, set[int]] = {}
    taken: set[int] = set()
    total = 0
    for put_now, autos, whole in rounds:
        lines = [review(task, 10 * task + each) for task, a in put_now.items() for each in a]
        gone = tuple(task for task, annotations in put_now.items() if not annotations)
        changes = put(path, *lines, *map(auto, autos), gone=gone, whole=P if whole else "")
        reviewed = put_now if whole else reviewed | put_now
        taken = (taken | autos) - {task for task, annotations in reviewed.items() if annotations}

        expected = {(task, 10 * task + each) for task, a in reviewed.items() for each in a}
        found = list(read_ground_truth(path))
        assert sorted(expected) == sorted(
            (line.task_id, line.annotation_id) for line in found if line.source == REVIEWED
        )
        assert sorted(line.job_id for line in found if line.source == AUTO) == [
            f"job-{task}" for task in sorted(taken)
        ]
        assert changes.total == len(found) == total + changes.added - changes.removed
        total = changes.total


def test_a_link_to_the_file_stays_one(path):
    """Ground truth that lies elsewhere, behind a link, is changed where it lies."""
    elsewhere = path.parent.parent / "shared.jsonl"
    put(elsewhere, review(1, 1))
    path.parent.mkdir()
    path.symlink_to(elsewhere)

    put(path, review(2, 2))

    assert path.is_symlink()
    assert len(list(read_ground_truth(elsewhere))) == 2
