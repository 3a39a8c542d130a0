import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.quotas import Quotas, TokenBucket


def test_a_bucket_lets_its_rate_through_in_the_first_second_and_no_more():
    """A burst is one second's worth of calls."""
    bucket = TokenBucket(5)

    allowed = [bucket.take(100.0) for _ in range(7)]

    assert allowed == [True] * 5 + [False] * 2


def test_an_empty_bucket_lets_one_call_through_per_interval():
    """Calls come back one at a time, not by the second."""
    bucket = TokenBucket(5)
    for _ in range(5):
        bucket.take(100.0)

    assert not bucket.take(100.19)
    assert bucket.take(100.2)
    assert not bucket.take(100.2)


@given(
    st.floats(0.5, 50),
    st.lists(st.floats(0, 0.5), min_size=1, max_size=300),
)
def test_no_window_holds_more_calls_than_rate_and_burst(rate, steps):
    """Over any time the calls let through are at most its length times the rate, and a burst."""
    bucket, now, passed = TokenBucket(rate), 0.0, []
    for step in steps:
        now += step
        if bucket.take(now):
            passed.append(now)

    for first in range(0, len(passed), 7):
        window = passed[-1] - passed[first]
        assert len(passed) - first <= window * rate + max(1.0, rate) + 1e-6


def test_an_unlimited_bucket_never_refuses():
    """Infinity is no limit."""
    bucket = TokenBucket(math.inf)

    assert all(bucket.take(0.0) for _ in range(10_000))


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"start": 0.0}, {"queue": -1}])
def test_limits_under_which_nothing_moves_are_refused(wrong):
    """Quotas that could never let a job through are a mistake."""
    with pytest.raises(ValueError, match="must be"):
        Quotas(**wrong)
