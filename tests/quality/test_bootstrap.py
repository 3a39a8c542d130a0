"""A vocabulary on trial: sums, the interval, and what is said of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quality.bootstrap import Recording, as_facts, as_text, judge, rate_interval
from pipeline.quality.error_rate import Counts

counts = st.builds(Counts, *(st.integers(0, 9) for _ in range(4)))


def recording(before: int, after: int, words: int = 10, name: str = "a") -> Recording:
    return Recording(
        name,
        Counts(hits=words - before, substitutions=before),
        Counts(hits=words - after, substitutions=after),
    )


def test_a_change_of_every_recording_is_no_chance():
    """When each recording gets better by the same, the interval is that one value."""
    trial = judge([recording(3, 1)] * 20)

    assert (trial.before.rate, trial.after.rate) == (0.3, 0.1)
    assert trial.low == trial.high == pytest.approx(-0.2)
    assert trial.verdict == "better"


def test_ups_and_downs_of_a_few_recordings_are_chance():
    """A gain that hangs on one recording is not sold as progress."""
    trial = judge([recording(5, 1), *[recording(1, 2)] * 2, *[recording(2, 2)] * 5])

    assert trial.after.errors < trial.before.errors
    assert trial.verdict == "no difference that this sample can show"


def test_what_gets_worse_is_called_so():
    """The interval lies above zero."""
    assert judge([recording(1, 3), recording(0, 1)] * 10).verdict == "worse"


@pytest.mark.parametrize(
    ("samples", "least", "most"),
    [(50, 45, 49), pytest.param(200, 180, 199, marks=pytest.mark.long)],
)
def test_the_interval_holds_the_truth_about_as_often_as_it_says(samples, least, most):
    """Of samples of recordings of which a fifth get one error less, about 95 % hold -2 %."""
    chance = random.Random(5)
    held = 0
    for _ in range(samples):
        trial = judge([recording(3, 3 - (chance.random() < 0.2)) for _ in range(60)])
        assert trial.low is not None
        assert trial.high is not None
        held += trial.low <= -0.02 <= trial.high

    assert least <= held <= most


@pytest.mark.parametrize("found", [[(0, 100), (1, 30)], [(5, 20), (6, 150), (2, 400), (1, 100)]])
def test_a_draw_of_copies_has_no_spread(found):
    """By rounding it had a little, and the interval was a million times too wide."""
    low, high = rate_interval(found)

    assert -5 < low <= high < 5


def test_two_recordings_tell_nothing():
    """Below eight recordings there is no interval and no verdict, and the text says why."""
    trial = judge([recording(0, 0, words=100), recording(0, 1, words=30)])

    assert (trial.low, trial.high, trial.verdict) == (None, None, "too few recordings to tell")
    assert "points, too few recordings to tell: 2 of 8" in as_text(trial)
    assert judge([recording(3, 1)] * 7).low is None
    assert judge([recording(3, 1)] * 8).verdict == "better"


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=12))
def test_the_change_lies_in_its_interval_and_the_same_figures_give_the_same_one(found):
    """Whatever the recordings; one without words of its own breaks nothing."""
    recordings = [Recording(str(n), *each) for n, each in enumerate(found)]

    trial = judge(recordings)

    assert trial == judge(recordings)
    if trial.low is None or trial.high is None:
        too_few = trial.before.reference and len(recordings) < 8
        assert trial.verdict == ("too few recordings to tell" if too_few else "nothing to compare")
    else:
        assert trial.low <= trial.high


def test_nothing_to_compare_is_said_so():
    """No recordings, no rates, and no division by nothing."""
    trial = judge([])

    assert as_facts(trial)["verdict"] == "nothing to compare"
    assert as_text(trial).splitlines()[0] == "WER of 0 recordings, 0 words:"


@pytest.mark.parametrize(
    ("kinds", "first"),
    [
        ([True, True], "WER of 2 recordings, 20 words:"),
        ([False, False], "CER of 2 recordings, 20 characters:"),
        ([True, False], "Error rate of 2 recordings, 20 words and characters:"),
    ],
)
def test_the_text_names_what_was_counted(kinds, first):
    """Words, and characters in languages that put no spaces between them."""
    trial = judge([recording(1, 1)._replace(has_words=each) for each in kinds])

    assert as_text(trial).splitlines()[0] == first
    assert as_facts(trial)["unit"] in first


def test_the_text_shows_counts_interval_and_the_greatest_changes():
    """The best and the worst recordings come first, five of each at most."""
    recordings = [recording(6, 6 - n, name=f"better-{n}") for n in range(1, 7)]
    recordings += [recording(1, 4, name="worse"), recording(2, 2, name="same")]

    lines = as_text(judge(recordings)).splitlines()

    assert lines[0] == "WER of 8 recordings, 80 words:"
    assert lines[1] == ("  before   48.75 %  39 errors: 39 substituted, 0 inserted, 0 deleted")
    assert lines[2].startswith("  after    26.25 %  21 errors")
    assert lines[3].startswith("  change  -22.50 points, 95 % interval -")
    assert lines[4] == "6 got better, first of all:"
    assert [row.split()[-1] for row in lines[5:10]] == [f"better-{n}" for n in (6, 5, 4, 3, 2)]
    assert lines[10:] == ["1 got worse, first of all:", "     1 → 4    worse"]
