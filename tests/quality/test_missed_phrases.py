"""Which phrases corrections are evidence for, and which not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ground_truth.record import GroundTruth, Segment
from pipeline.quality.missed_phrases import Missed, Pair, missed_phrases, pairs, reviews

texts = st.lists(st.sampled_from(["the", "Bill,", "DynamoDB", "x", "la", "1"]), max_size=6).map(
    " ".join
)


def missed(*found: tuple[str, str], least: int = 2) -> list[Missed]:
    return missed_phrases([Pair(*each) for each in found], "en-US", least)


def phrases(*found: tuple[str, str], least: int = 2) -> list[str]:
    return [each.text for each in missed(*found, least=least)]


def line(text: str, predicted: str | None, **more: Any) -> GroundTruth:
    facts = {"audio": "s3://b/a", "source": "reviewed", "text": text, "predicted": predicted}
    return GroundTruth(**{**facts, **more})


def test_what_is_missed_repeatedly_is_taken_with_the_evidence():
    """How often it was missed and heard right, and what was heard in its place."""
    found = missed(
        ("call Kowalczyk", "call kyle check"),
        ("Kowalczyk called", "kyle check called"),
        ("Kowalczyk again", "coal chick again"),
        ("ask Kowalczyk", "ask kowalczyk"),
    )

    assert found == [Missed("Kowalczyk", 3, 1, ("kyle check", "coal chick"))]


def test_what_is_usually_right_needs_no_entry():
    """Function words are missed now and then, and are no matter of vocabulary."""
    right = [("the bill of the month", "the bill of the month")] * 2

    assert phrases(("the car", "a car"), ("the end", "an end"), *right) == []


def test_what_is_missed_once_is_chance():
    """The number of corrections that make an entry is the caller's."""
    once = ("ask Kowalczyk", "ask kyle check")

    assert phrases(once) == []
    assert phrases(once, least=1) == ["Kowalczyk"]


def test_a_phrase_takes_the_place_of_its_parts():
    """Words that are missed together are one entry, with what was right between them."""
    heard = ("in Andorra la Vella now", "in in dar la bella now")

    assert phrases(heard, heard) == ["Andorra la Vella"]


def test_a_part_is_left_to_the_phrase_it_is_never_said_without():
    """However often the part alone was missed: the service hears a whole name better."""
    found = phrases(
        ("in Andorra la Vella", "in on dora la bella"),
        ("to Andorra la Vella", "to on dora la bella"),
        ("from Andorra la Vella", "from andorra la fella"),
    )

    assert found == ["Andorra la Vella"]


def test_a_part_that_is_missed_elsewhere_too_has_its_own():
    """The phrase does not account for what happens without it."""
    both = ("in Andorra la Vella now", "in in dar la bella now")
    alone = ("to Andorra by car", "to on dora by car")

    assert phrases(both, both, alone, alone, alone) == ["Andorra", "Andorra la Vella"]


def test_a_phrase_does_not_cross_the_end_of_a_clause():
    """What stands on both sides of a full stop or comma is not said as one."""
    heard = ("to Marrakesh. Kowalczyk came", "to mary cash kyle check came")

    assert sorted(phrases(heard, heard)) == ["Kowalczyk", "Marrakesh."]


def test_capitals_and_punctuation_are_no_corrections():
    """They are the reviewer's style, as in the error rate."""
    styled = ("Hello, World!", "hello world")

    assert phrases(styled, styled) == []


def test_the_most_frequent_writing_is_taken():
    """Reviewers differ; the majority has it."""
    heard = "ask kyle check"

    assert phrases(
        ("ask Kowalczyk", heard), ("ask KOWALCZYK", heard), ("ask Kowalczyk", heard)
    ) == ["Kowalczyk"]


def test_the_most_often_missed_comes_first():
    """The table is filled from the top, and people read it from there."""
    some = [("ask Marrakesh", "ask mary cash")] * 2
    more = [("ask Kowalczyk", "ask kyle check")] * 3

    assert phrases(*some, *more) == ["Kowalczyk", "Marrakesh"]


def test_numbers_and_single_letters_are_no_vocabulary():
    """They are said in too many ways."""
    assert phrases(("room 7", "room seven"), ("room 7", "room seven")) == []
    assert phrases(("plan b", "plan the"), ("plan b", "plan the")) == []


def test_what_the_recogniser_heard_nothing_of_is_missed_too():
    """A deletion is an error like another; there is nothing that was heard."""
    assert missed(("ask Kowalczyk", "ask"), ("ask Kowalczyk", "ask")) == [
        Missed("Kowalczyk", 2, 0, ("",))
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("a", "b")], [("a", "b")]),
        ([line("a", None), line("a", "b", source="auto")], []),
        ([line("a", "b", language="de-DE")], []),
        ([line("a", "b", language="en-US")], [("a", "b")]),
        ([line("a", "b"), line("c", "b", reviewer="2")], [("a", "b")]),
        ([line("a", "b", updated_at="1"), line("c", "b", updated_at="2")], [("c", "b")]),
        ([line("c", "b", updated_at="2"), line("a", "b", updated_at="1")], [("c", "b")]),
        ([line("a", "b"), line("c", "b", audio="s3://b/c")], [("a", "b"), ("c", "b")]),
    ],
)
def test_reviews_are_held_against_predictions(lines, expected):
    """Predictions nobody reviewed, other languages and a second opinion on a recording are not."""
    found = reviews(lines, "en-US").values()

    assert [(each.text, each.predicted) for each in found] == expected


def test_the_star_wins_over_what_was_saved_later():
    """Vocabularies learn from the review that `convert` writes."""
    starred = line("starred", "heard", updated_at="2026-11-01", starred=True)
    later = line("later", "heard", updated_at="2026-11-02")

    assert list(reviews([starred, later], "en-US").values()) == [starred]


def test_segments_are_compared_one_by_one_while_they_belong_together():
    """Where the reviewer drew or deleted one, the whole texts are compared."""
    kept = Segment(start=0, end=1, text="a", predicted="b")
    drawn = Segment(start=1, end=2, text="c")

    assert list(pairs([line("a c", "b", segments=(kept,))])) == [Pair("a", "b")]
    assert list(pairs([line("a c", "b", segments=(kept, drawn))])) == [Pair("a c", "b")]


def test_a_text_that_moved_to_the_next_segment_is_not_missed():
    """Where a reviewer emptied a segment into its neighbour, the whole texts are held together."""
    moved = (
        Segment(start=0, end=1, text="ask Kowalczyk again", predicted="ask"),
        Segment(start=1, end=2, text="", predicted="Kowalczyk again"),
    )
    whole = line("ask Kowalczyk again", "ask Kowalczyk again", segments=moved)

    assert list(pairs([whole])) == [Pair("ask Kowalczyk again", "ask Kowalczyk again")]


@given(st.lists(st.tuples(texts, texts), max_size=4), st.integers(1, 3))
def test_every_phrase_was_missed_often_enough_and_more_than_it_was_right(found, least):
    """Whatever the texts, what is offered is what the evidence is for, and nothing twice."""
    offered = missed(*found, least=least)

    assert all(each.missed >= least and each.missed > each.right for each in offered)
    assert len({each.text.casefold().strip(",") for each in offered}) == len(offered)
    said = " ".join(text for text, _ in found)
    assert all(each.text in said for each in offered)


@given(texts)
def test_what_was_heard_right_offers_nothing(text):
    """Without an error there is no correction."""
    assert missed((text, text.lower()), (text, text.upper()), least=1) == []


def test_a_phrase_has_four_words_at_most():
    """Names of four words are phrases; of five, their parts are."""
    heard = ("x y z w", "x y z w")
    four = "Maria Chudnovsky Kowalczyk Brothers"

    assert phrases((four, heard[0]), (four, heard[1])) == [four]
    assert all(len(each.split()) <= 4 for each in phrases(*[(f"{four} Inc", "x y z w v")] * 2))


def test_a_number_is_no_phrase():
    """A vocabulary takes no digits, and a number that was misheard tells of no word."""
    assert phrases(*[("room 4711 please", "room forty please")] * 3) == []
