import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.quotas import Pace, Quotas


def test_a_pace_lets_its_rate_through_in_the_first_second_and_no_more():
    """A burst is one second's worth of calls."""
    pace = Pace(5)

    allowed = [pace.take(100.0) for _ in range(7)]

    assert allowed == [True] * 5 + [False] * 2


def test_a_spent_pace_lets_one_call_through_per_interval():
    """Calls come back one at a time, not by the second."""
    pace = Pace(5)
    for _ in range(5):
        pace.take(100.0)

    assert not pace.take(100.19)
    assert pace.take(100.2)
    assert not pace.take(100.2)


@given(
    st.floats(0.5, 50),
    st.lists(st.floats(0, 0.5), min_size=1, max_size=300),
)
def test_no_window_holds_more_calls_than_rate_and_burst(rate, steps):
    """Over any time the calls let through are at most its length times the rate, and a burst."""
    pace, now, passed = Pace(rate), 0.0, []
    for step in steps:
        now += step
        if pace.take(now):
            passed.append(now)

    for first in range(0, len(passed), 7):
        window = passed[-1] - passed[first]
        assert len(passed) - first <= window * rate + max(1.0, rate) + 1e-6


def test_an_unlimited_pace_never_refuses():
    """Infinity is no limit."""
    pace = Pace(math.inf)

    assert all(pace.take(0.0) for _ in range(10_000))


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"start": 0.0}, {"queue": -1}])
def test_limits_under_which_nothing_moves_are_refused(wrong):
    """Quotas that could never let a job through are a mistake."""
    with pytest.raises(ValueError, match="must be"):
        Quotas(**wrong)
