"""What push remembers, which may be lost without harm."""

from __future__ import annotations

import stat

import pytest

from pipeline.errors import OutputUnusable
from pipeline.label_studio.delivery import unsettled
from pipeline.label_studio.push_ledger import Place, PushLedger, opened_ledger, project_key
from pipeline.label_studio.selection import Selection

PROJECT = project_key("https://labels.example.com/projects/12", "2026-11-23T12:00:00Z")


@pytest.fixture
def output(tmp_path):
    """An output of three lines of ten bytes."""
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(b"123456789\n" * 3)
    return path


def remembered(output, place: Place, *selection: float) -> Place:
    """The place that the next push begins at."""
    with opened_ledger(output) as ledger:
        ledger.keep(PROJECT, place)
    with opened_ledger(output) as ledger:
        return ledger.place(PROJECT, Selection(*selection))


def test_next_push_begins_where_the_last_one_ended(output):
    """The place is kept for each project, in a private file."""
    place = remembered(output, Place(20))

    assert place.size == 20
    assert stat.S_IMODE(output.with_name("tasks.jsonl.pushed").stat().st_mode) == 0o600
    with opened_ledger(output) as ledger:
        assert ledger.place("https://labels.example.com/projects/1", Selection()).size == 0


def test_project_of_a_server_that_was_set_up_anew_is_another_one(output):
    """Numbers of projects are given out again; when a project was made is not."""
    remembered(output, Place(20))
    other = project_key("https://labels.example.com/projects/12", "2026-11-24T12:00:00Z")

    with opened_ledger(output) as ledger:
        assert ledger.place(other, Selection()).size == 0


@pytest.mark.parametrize("change", ["rewritten", "shortened", "gone"])
def test_place_in_another_output_does_not_count(output, change):
    """When the output is not what it was, every task is looked up again."""
    with opened_ledger(output) as ledger:
        ledger.keep(PROJECT, Place(20))
    if change == "rewritten":
        output.write_bytes(b"987654321\n" * 3)
    elif change == "shortened":
        output.write_bytes(b"123456789\n")
    else:
        output.unlink()

    with opened_ledger(output) as ledger:
        assert ledger.place(PROJECT, Selection()) == Place()


def test_other_choice_of_tasks_begins_anew(output):
    """Tasks that an earlier push passed over are looked at when the threshold has changed."""
    assert remembered(output, Place(20, review_below=0.5), 0.9).size == 0
    assert remembered(output, Place(20, review_below=0.5), 0.5).size == 20
    assert remembered(output, Place(20, review_below=0.5), 0.5, 0.1).size == 0
    assert remembered(output, Place(20, review_below=0.5, audit=0.1), 0.5, 0.1).size == 20


def test_batch_under_way_is_remembered_even_when_the_place_is_not(output):
    """What was sent without an answer may still arrive, wherever the push begins."""
    assert remembered(output, Place(20, sent_at=7.0), 0.9).sent_at == 7.0


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}', b"\xff"])
def test_damaged_memory_is_a_lost_one(output, content):
    """Whatever the file holds, the push goes on by looking every task up."""
    output.with_name("tasks.jsonl.pushed").write_bytes(content)

    assert (
        PushLedger(output.with_name("tasks.jsonl.pushed"), output).place(PROJECT, Selection())
        == Place()
    )


def test_one_push_at_a_time(output):
    """Two pushes of one output would be two writers."""
    with (
        opened_ledger(output),
        pytest.raises(OutputUnusable, match="Another push"),
        opened_ledger(output),
    ):
        pass


@pytest.mark.parametrize(
    ("sent_at", "now", "expected"),
    [(0.0, 1e9, False), (1e9, 1e9 + 1, True), (1e9, 1e9 + 101, False), (1e9, 1e9 - 5, False)],
)
def test_batch_without_an_answer_is_waited_for_a_while(sent_at, now, expected):
    """A hundred seconds long it may still arrive; a clock set back makes nobody wait."""
    assert unsettled(sent_at, now) is expected


def test_place_is_known_by_what_stands_just_before_it(output):
    """In an output longer than what is compared, a change before the place is noticed."""
    output.write_bytes(b"123456789\n" * 1_000)
    assert remembered(output, Place(10_000)).size == 10_000

    output.write_bytes(b"123456789\n" * 999 + b"987654321\n")

    with opened_ledger(output) as ledger:
        assert ledger.place(PROJECT, Selection()) == Place()
