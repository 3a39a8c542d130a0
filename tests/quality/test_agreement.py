"""Two people over the same recordings: how far they are apart, and whose text is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.ground_truth.record import OtherReview, ReviewedPart, Segment
from pipeline.quality.agreement import Disagreement, Pair, agreement, agreement_in
from tests.support.reviews import auto, review

if TYPE_CHECKING:
    from pipeline.ground_truth.record import GroundTruth

SERVER = "https://labels.example.com/projects/7"


def by(reviewer: str, said: str, name: str = "a", **more: Any) -> GroundTruth:
    about = {"audio": f"s3://b/{name}.mp3", "reviewer": reviewer, "project": SERVER, "task_id": 5}
    return review(said, "it was heard", **(about | more))


def test_the_rate_between_two_is_that_of_a_hand():
    """By hand: 1 word of 4 and 3 differs, none of 2; so 1 of the mean 3.5 + 2."""
    lines = [by("ben", "we met the cat"), by("anna", "We met cat."), by("ben", "so so", "b")]

    found = agreement([*lines, by("anna", "so so", "b"), by("carla", "nobody else", "c")])

    assert found.pairs == {("anna", "ben"): Pair(2, 1, 1, 5.5)}
    assert found.pairs["anna", "ben"].rate == 1 / 5.5


@given(st.text("ab ", max_size=9), st.text("ab ", max_size=9))
def test_it_does_not_matter_who_comes_first(one, other):
    """Neither text is the right one: exchanged, they are as far apart."""
    pair = agreement([by("anna", one), by("ben", other)]).pairs["anna", "ben"]

    assert pair == agreement([by("anna", other), by("ben", one)]).pairs["anna", "ben"]


@pytest.mark.parametrize(
    ("anna", "ben", "prefer", "counts", "why"),
    [
        ({"updated_at": "1"}, {"updated_at": "2"}, (), "ben", "is the newest"),
        ({"updated_at": "1"}, {"updated_at": "2"}, ("anna",), "anna", "is preferred"),
        ({}, {"updated_at": "2"}, ("carla", "anna", "ben"), "anna", "is preferred"),
        ({"starred": True}, {"updated_at": "2"}, ("ben",), "anna", "has the star"),
        ({}, {"updated_at": "2", "text": ""}, (), "anna", "is not empty"),
        ({}, {"updated_at": "2", "text": ""}, ("carla",), "anna", "is not empty"),
        ({}, {"updated_at": "2", "text": ""}, ("anna",), "anna", "is preferred"),
        ({"updated_at": "2"}, {"updated_at": "1", "text": ""}, ("ben",), "ben", "is preferred"),
        ({}, {"updated_at": "2", "text": "", "starred": True}, (), "ben", "has the star"),
    ],
)
def test_a_disagreement_says_whose_text_is_taken(anna, ben, prefer, counts, why):
    """The star first, then whom the settings prefer, then what is not empty, else the newest."""
    found = agreement([by("anna", "one", **anna), replace(by("ben", "two"), **ben)], prefer)

    address = f"{SERVER}/data?task=5"
    assert found.disagreements == [
        Disagreement("s3://b/a.mp3", address, ("anna", "ben"), 1, "words", counts, why)
    ]


def test_texts_without_spaces_differ_in_characters():
    """The unit stands with the number, as both are in one list."""
    lines = [by("anna", "一二三", language="zh-CN"), by("ben", "一二四", language="zh-CN")]

    [found] = agreement(lines).disagreements

    assert (found.differing, found.unit) == (1, "characters")


def test_the_largest_disagreement_is_the_first():
    """The list is for who has time for some of them."""
    lines = [by(who, text, name) for name in "ab" for who, text in (("x", "one"), ("y", "two"))]

    found = agreement([*lines, by("x", "one two", "c"), by("y", "three four", "c")])

    assert [each.audio[-5] for each in found.disagreements] == ["c", "a", "b"]


def test_one_person_does_not_disagree(tmp_path):
    """Two reviews of one person, a line that nobody reviewed, and an unusable one are no pair."""
    lines = [by("anna", "one"), by("anna", "two"), auto("three", audio="s3://b/a.mp3")]
    unusable = by("ben", "four", controls={"verdict": ("unusable",)})
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(e) + b"\n" for e in [*lines, unusable]))

    assert agreement_in(path).pairs == {}


def test_two_who_reviewed_a_part_are_compared_by_it():
    """By hand: 1 word of 2 in the second part; the link is that of its task, and a star is told."""
    others = (OtherReview(reviewer="ben", text="two three"), OtherReview(reviewer="ben", text="no"))
    unusable = (OtherReview(reviewer="ben", text="hm"), OtherReview(reviewer="carla"))
    parts = (
        ReviewedPart(start=0, end=9, reviewer="anna", task_id=5, text=None, others=unusable),
        ReviewedPart(
            start=9, end=20, reviewer="anna", task_id=6, text="two too", starred=True, others=others
        ),
        ReviewedPart(start=20, end=30, reviewer="carla", task_id=7),
    )
    segment = Segment(start=0, end=1, text="one", controls={"verdict": ("unusable",)})

    found = agreement([by("anna, carla", "one two too", segments=(segment,), parts=parts)])

    assert found.pairs == {("anna", "ben"): Pair(1, 0, 1, 2.0)}
    address = f"{SERVER}/data?task=6"
    assert found.disagreements == [
        Disagreement("s3://b/a.mp3", address, ("anna", "ben"), 1, "words", "anna", "has the star")
    ]


def test_the_command_shows_pairs_and_links(run):
    """The table has the pair and its rate; each disagreement its task, and whose text counts."""
    path = run.folder / "ground_truth.jsonl"
    lines = [by("anna", "one two", updated_at="1"), by("ben", "one too", updated_at="2")]
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in lines))
    (run.folder / "c.toml").write_text('[label_studio]\nprefer = ["anna"]\n')

    said = run("quality").out
    preferred = run("quality", "--config", "c.toml", "--json").summary["agreement"]

    assert ["anna", "and", "ben", "1", "0", "50.0", "%"] in [
        each.split() for each in said.split("\n")
    ]
    assert f"{SERVER}/data?task=5  anna and ben  1 word  ben is the newest" in said
    assert [(e["counts"], e["why"]) for e in preferred["disagreements"]] == [
        ("anna", "is preferred")
    ]
