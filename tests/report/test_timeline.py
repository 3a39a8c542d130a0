"""What is drawn over time, from the samples of a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.timeline import bounds, clock_ticks, mean_in_flight, rates, scale
from pipeline.state.history import Sample
from tests.support.runs import BEGUN

moments = st.floats(BEGUN, BEGUN + 1e6)


def test_a_limit_bound_where_it_was_waited_for_most_of_the_time():
    """Stretches of the same limit are joined; waiting for other calls holds no start back."""
    waited = [0.0, 0.0, 5.0, 15.0, 25.0, 25.0, 25.0]
    seen = [
        Sample(at=10.0 * n, waits={"slots": each, "GetTranscriptionJob": 10.0 * n})
        for n, each in enumerate(waited)
    ]

    assert [tuple(each) for each in bounds(seen, 60)] == [(10.0, 40.0, "slots")]


def test_rates_are_what_was_written_in_the_time():
    """The stretches are equally long however the samples lie, and lose no recording."""
    seen = [Sample(at=0.0), Sample(at=10.0, written=10), Sample(at=40.0, written=100, failed=30)]

    found = rates(seen, 2)

    assert (found.edges, found.unit) == ([0.0, 20.0, 40.0], "minute")
    assert found.written == pytest.approx([60 * 2.0, 60 * 3.0])
    assert found.failed == pytest.approx([60 * 0.5, 60 * 1.0])


@given(
    st.lists(st.tuples(moments, st.integers(0, 50)), min_size=2, max_size=40), st.integers(1, 60)
)
def test_no_recording_is_lost_between_samples(given, most):
    """Over any samples the rates add up to what was written in all."""
    at, total, seen = sorted({moment for moment, _ in given}), 0, []
    for moment, (_, more) in zip(at, given, strict=False):
        total += more
        seen.append(Sample(at=moment, written=total))
    found = rates(seen, most)

    factor = {"second": 1, "minute": 60, "hour": 3_600}[found.unit]
    sums = sum(
        rate / factor * (last - first)
        for rate, first, last in zip(found.written, found.edges, found.edges[1:], strict=False)
    )
    first = seen[0].written
    assert sums == pytest.approx(total - first if at[-1] > at[0] else 0, abs=1e-3)


def test_slots_in_use_are_weighted_by_time():
    """A long time with few jobs counts for more than a short one with many."""
    seen = [Sample(at=0.0, in_flight=10), Sample(at=1.0, in_flight=10), Sample(at=1.0),
            Sample(at=10.0)]  # fmt: skip

    assert mean_in_flight(seen) == pytest.approx(1.0)


@given(moments, st.floats(1, 1e6))
def test_ticks_lie_within_the_run_and_are_few(begin, seconds):
    """There are never more labels than a page has room for, in rising order."""
    ticks = [moment for moment, _ in clock_ticks(begin, begin + seconds, 7)]

    assert len(ticks) <= 9
    assert ticks == sorted(set(ticks))
    assert all(begin <= each <= begin + seconds for each in ticks)


@given(st.floats(0, 1e7), st.booleans())
def test_scales_reach_over_what_is_drawn(most, whole):
    """The highest tick is over the highest figure, and not far over it; whole ones are whole."""
    ticks = scale(most, whole=whole)

    assert ticks[0] == 0
    assert ticks[-1] >= most * (1 - 1e-9)
    assert not whole or all(each == int(each) for each in ticks)
    assert ticks[-1] <= max(1.0, 2.5 * most)
    assert 2 <= len(ticks) <= 6
