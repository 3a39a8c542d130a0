"""How long reviewers took, and what was reviewed quicker than it can be heard."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.ground_truth.record import ReviewedPart
from pipeline.quality.html_report import page
from pipeline.quality.metrics import measure_file
from pipeline.quality.pace import Pace, paces
from tests.support.reviews import DAY, THREE, review


def of(name: str, reviewer: str, seconds: float | None, said: str = "one", **more: object):
    """A review of a minute that took so many seconds."""
    about = {"audio": f"s3://b/{name}.mp3", "reviewer": reviewer, "seconds_spent": seconds}
    return review(said, "one", **(about | more))


FIVE = [
    of("a", "anna", 180.0, said="two"),
    of("b", "anna", 60.0),
    of("c", "ben", 1.3),
    of("d", "ben", None),
    of("e", "ben", 30.0, duration=None),
]


@pytest.fixture
def truth(tmp_path):
    """Writes lines into a ground truth; its path."""
    path = tmp_path / "ground_truth.jsonl"

    def write(*lines):
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))
        return path

    return write


def test_the_pace_is_that_of_a_hand():
    """By hand: anna took 240 s for 120 s; ben's one review with both times took 1.3 s for 60 s."""
    found = paces([*FIVE, *THREE])

    assert found["anna"] == Pace(3, 2, 120_000, 240_000, 0)
    assert found["anna"].ratio == 2.0
    assert found["ben"] == Pace(5, 1, 60_000, 1_300, 1, 1)
    assert paces([of("d", "ben", None)])["ben"].ratio is None


def test_each_who_reviewed_a_part_has_its_time(truth):
    """Of a recording that was several tasks: ben's part took 6 s for 20; it is one recording."""
    parts = (
        ReviewedPart(start=0.0, end=40.0, reviewer="anna", seconds_spent=80.0),
        ReviewedPart(start=40.0, end=60.0, reviewer="ben", seconds_spent=6.0),
    )
    line = of("a", "anna, ben", 86.0, parts=parts)

    quality = measure_file(truth(line, of("b", "ben", None)))

    assert quality.pace == {
        "anna": Pace(1, 1, 40_000, 80_000, 0, 0),
        "ben": Pace(2, 1, 20_000, 6_000, 1, 1),
    }
    assert (quality.total.reviews, quality.superseded) == (2, 0)


def test_what_was_reviewed_too_quickly_is_left_out_where_it_is_asked_for(truth):
    """A minute in 1.3 s counts unless a least pace is set; the pace itself is that of all."""
    path = truth(*FIVE)
    everything, slow = measure_file(path), measure_file(path, least_pace=1.0)

    assert (everything.total.reviews, everything.quick) == (5, 0)
    assert (slow.total.reviews, slow.quick, slow.superseded) == (4, 1, 0)
    assert slow.total.words.rate == 1 / 4
    assert slow.pace == everything.pace


def test_a_part_that_was_reviewed_too_quickly_leaves_the_recording_out(truth):
    """A minute of work does not make up for a part that nobody can have heard."""
    parts = (
        ReviewedPart(start=0.0, end=40.0, reviewer="anna", seconds_spent=80.0),
        ReviewedPart(start=40.0, end=60.0, reviewer="ben", seconds_spent=6.0),
    )
    path = truth(of("a", "anna, ben", 86.0, parts=parts), of("b", "ben", 90.0))

    assert measure_file(path, least_pace=0.5).quick == 1
    assert measure_file(path, least_pace=0.2).quick == 0


def test_a_quick_review_takes_no_other_ones_place(truth):
    """What is left out leaves the earlier review of the recording in."""
    heard = of("a", "anna", 90.0, said="two", updated_at="1")
    stamped = of("a", "ben", 0.5, updated_at="2")

    assert measure_file(truth(heard, stamped)).total.unchanged == 1
    assert measure_file(truth(heard, stamped), least_pace=0.5).total.unchanged == 0


def test_a_recording_counts_once(truth):
    """Of two projects or people the review counts that `convert` takes, and the others are told."""
    first = of("a", "anna", 90.0, said="two", project="p/1", updated_at="1", starred=True)
    later = of("a", "ben", 90.0, project="p/2", updated_at="2")
    blind = review("one", None, audio="s3://b/a.mp3", updated_at="3")

    quality = measure_file(truth(first, later, blind))

    assert (quality.total.reviews, quality.total.unchanged) == (1, 0)
    assert (quality.superseded, quality.unpredicted) == (1, 1)
    assert sum(each.reviews for each in quality.pace.values()) == 3


def test_the_command_shows_the_pace(run):
    """Hours of work for an hour of audio by reviewer, as a table, as JSON and on the page."""
    path = run.folder / "ground_truth.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in FIVE))

    said = run("quality", "--min-pace", "0.5").out
    facts = run("quality", "--json").summary

    assert "Not counted: 1 reviewed in too little time (--min-pace)" in said
    assert ["anna", "2", "0.0", "0.1", "2.0", "0"] in [each.split() for each in said.splitlines()]
    assert facts["pace"]["ben"] == {
        "reviews": 3,
        "timed": 1,
        "audio_hours": 60 / 3600,
        "spent_hours": pytest.approx(1.3 / 3600),
        "hours_per_audio_hour": pytest.approx(1.3 / 60),
        "unheard": 1,
        "unhearable": 1,
        "doubtful": False,
    }
    assert "How long reviewers took" in page(measure_file(path), DAY)
