"""Whether scores tell the truth, and what a threshold saves."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quality.calibration import (
    NO_SCORE,
    Calibration,
    Checked,
    Point,
    Threshold,
    band,
    calibrate,
    curve,
    threshold,
)


def checked(score: float | None, errors: int = 0, seconds: float = 60.0) -> Checked:
    return Checked(score, predicted=10, right=10 - errors, errors=errors, seconds=seconds)


reviews = st.lists(
    st.builds(
        checked,
        st.none() | st.sampled_from([0.0, 0.3, 0.5, 0.71, 0.9, 0.95, 1.0]),
        st.integers(0, 10),
        st.sampled_from([0.0, 1.5, 60.0]),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (0.0, "0.00-0.50"),
        (0.5, "0.50-0.60"),
        (0.9499, "0.90-0.95"),
        (0.95, "0.95-0.98"),
        (1.0, "0.98-1.00"),
        (None, NO_SCORE),
    ],
)
def test_every_score_has_one_band(score, name):
    """The lower edge belongs to a band, and one to the last."""
    assert band(score) == name


def test_calibration_is_that_of_a_hand():
    """By hand: of twenty predicted words at a mean of 0.921875 fifteen are right, in one of two."""
    assert calibrate([checked(0.9375), checked(0.90625, errors=5), checked(None, errors=10)]) == [
        Calibration("0.90-0.95", 2, 0.921875, 0.75, 0.5),
        Calibration(NO_SCORE, 1, None, 0.0, 0.0),
    ]


def test_a_band_in_which_nothing_was_predicted_has_no_share():
    """Where no word was predicted there is none that could be right."""
    assert calibrate([Checked(0.0, 0, 0, 3, 1.0)]) == [Calibration("0.00-0.50", 1, None, None, 0.0)]


def test_the_threshold_is_that_of_a_hand():
    """By hand: 19 of 20 errors lie in the two least certain of four recordings, 2 of 6 minutes."""
    four = [
        checked(0.95, errors=1, seconds=120),
        checked(0.7, errors=9),
        checked(0.99, seconds=120),
        checked(0.8, errors=10),
    ]

    assert threshold(four) == Threshold(0.95, 0.95, 0.5, 1 - 120 / 360)
    assert curve(four) == [
        Point(0.0, 0.0),
        Point(0.25, 0.45),
        Point(0.5, 0.95),
        Point(0.75, 1.0),
        Point(1.0, 1.0),
    ]


def test_recordings_of_one_score_are_reviewed_together():
    """A threshold can't part recordings of the same score, so nothing is saved here."""
    assert threshold([checked(0.9, errors=1), checked(0.9)]) == Threshold(None, 1.0, 0.0, 0.0)


def test_without_errors_there_is_no_threshold():
    """Where nothing was wrong, or nothing was reviewed, none is named."""
    assert threshold([]) is threshold([checked(0.5)]) is None
    assert curve([]) == curve([checked(0.5)]) == [Point(0.0, 0.0)]


def test_what_has_no_score_is_always_reviewed():
    """A recording without a score counts as the least certain."""
    found = threshold([checked(None, errors=1), checked(0.1)])

    assert found == Threshold(0.1, 1.0, 0.5, 0.5)


@given(reviews)
def test_reviewing_below_the_threshold_catches_what_it_says(reviewed):
    """Counted again, errors below it are 95 % or more, and are not with the next lower score."""
    found = threshold(reviewed)
    total = sum(each.errors for each in reviewed)
    if found is None:
        assert total == 0
        return
    below = [e for e in reviewed if found.below is None or e.score is None or e.score < found.below]
    lower = max((e.score for e in below if e.score is not None), default=None)
    without = [e for e in below if e.score is None or e.score != lower]

    assert sum(each.errors for each in below) == round(found.caught * total) >= 0.95 * total
    assert found.recordings_saved == pytest.approx(1 - len(below) / len(reviewed))
    if lower is not None:
        assert sum(each.errors for each in without) < 0.95 * total


@given(reviews)
def test_the_curve_only_rises(reviewed):
    """Reviewing more never catches less, and reviewing all catches all."""
    points = curve(reviewed)

    assert all(a.reviewed < b.reviewed and a.caught <= b.caught for a, b in pairwise(points))
    assert len(points) == 1 or points[-1] == Point(1.0, 1.0)


@given(reviews, st.randoms(use_true_random=False))
def test_the_order_of_reviews_changes_nothing(reviewed, randoms):
    """Every figure is the same in whatever order the reviews come."""
    shuffled = reviewed.copy()
    randoms.shuffle(shuffled)

    assert calibrate(shuffled) == calibrate(reviewed)
    assert threshold(shuffled) == threshold(reviewed)
    assert curve(shuffled) == curve(reviewed)
