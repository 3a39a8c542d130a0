"""Reviews held against predictions."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quality.error_rate import Counts, compare

texts = st.lists(st.sampled_from(["a", "b", "c", "aa", "don't"]), max_size=8).map(" ".join)
languages = st.sampled_from(["en-US", "ja-JP"])


def distance(said: list[str], heard: list[str]) -> int:
    """The least number of errors, by the textbook's table."""
    row = list(range(len(heard) + 1))
    for i, ours in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, theirs in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (ours != theirs))
    return row[-1]


def test_counts_are_those_of_a_hand():
    """By hand: money was heard as honey, please too much, back not at all."""
    compared = compare("I want my money back.", "i want please my honey", "en-US")

    assert compared.words == Counts(hits=3, substitutions=1, insertions=1, deletions=1)
    assert compared.words.rate == 3 / 5
    assert compared.confusions == Counter(
        {("money", "honey"): 1, ("", "please"): 1, ("back", ""): 1}
    )


def test_characters_are_counted_with_the_spaces_between_words():
    """By hand: one of eleven characters of "hello world" is missing."""
    compared = compare("hello world", "hello word", "en-US")

    assert compared.characters == Counts(hits=10, deletions=1)
    assert compared.characters.rate == 1 / 11


def test_languages_without_spaces_have_no_word_errors():
    """By hand: one of four characters differs; there are no words to count."""
    compared = compare("今日は雨", "今日 は雪。", "ja-JP")

    assert compared.words is None
    assert compared.units == compared.characters == Counts(hits=3, substitutions=1)
    assert compared.confusions == Counter()


@pytest.mark.parametrize(
    ("said", "heard", "counts", "rate"),
    [
        ("", "", Counts(), None),
        ("...", "", Counts(), None),
        ("", "one two", Counts(insertions=2), None),
        ("one two", "", Counts(deletions=2), 1.0),
        ("one", "one two three four", Counts(hits=1, insertions=3), 3.0),
    ],
)
def test_nothing_said_or_nothing_heard(said, heard, counts, rate):
    """Insertions into silence are errors without a rate, and a rate may be above one."""
    compared = compare(said, heard, "en-US")

    assert (compared.words, counts.rate) == (counts, rate)


@given(said=texts, heard=texts)
def test_errors_are_the_fewest_and_the_units_add_up(said, heard):
    """No alignment has fewer errors, and each word of either side is in one count."""
    words = compare(said, heard, "en-US").words

    assert words is not None
    assert words.errors == distance(said.split(), heard.split())
    assert words.reference == len(said.split())
    assert words.predicted == len(heard.split())


@given(said=texts, heard=texts, language=languages)
def test_counts_are_symmetric(said, heard, language):
    """Held the other way round, errors are as many, and what was missing is too much."""
    there, back = compare(said, heard, language), compare(heard, said, language)

    assert there.units.errors == back.units.errors
    assert there.units.reference == back.units.predicted
    assert there.units.insertions - there.units.deletions == (
        back.units.deletions - back.units.insertions
    )


@given(said=texts, heard=texts)
def test_confusions_are_the_errors(said, heard):
    """Every error of words is one confusion."""
    compared = compare(said, heard, "en-US")

    assert sum(compared.confusions.values()) == compared.units.errors
