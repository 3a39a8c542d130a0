"""How long until the next look at the running jobs, and until one is given up."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.board import Board
from pipeline.config import Limits
from pipeline.failures import NEVER_ENDED
from pipeline.poller import Poller, next_interval
from tests.state_files import begun, running

few = settings(max_examples=80, deadline=None)

SOONEST = 0.2
intervals = st.floats(SOONEST, 60)
calls = st.integers(1, 200)
finished = st.integers(0, 20_000)
longest = st.floats(0.01, 60)


@few
@given(intervals, calls, finished, longest)
def test_an_interval_is_within_its_bounds(interval, calls, finished, longest):
    """Never sooner than a fifth of a second, never later than the bound (if that is not sooner)."""
    chosen = next_interval(interval, calls, finished, longest)

    assert SOONEST <= chosen <= max(SOONEST, longest)


@few
@given(intervals, calls, finished)
def test_an_interval_changes_by_half_at_most(interval, calls, finished):
    """One look never changes the pace by more than half, up or down."""
    chosen = next_interval(interval, calls, finished, 3600)

    assert chosen <= interval * 1.5 + 1e-9
    assert chosen >= min(interval, max(SOONEST, interval / 1.5 - 1e-9))


@few
@given(intervals, calls, finished, finished, longest)
def test_the_more_has_finished_the_sooner_is_the_next_look(interval, calls, one, other, longest):
    """More finished jobs never make the next interval longer."""
    fewer, more = sorted((one, other))

    intervals = [next_interval(interval, calls, n, longest) for n in (fewer, more)]

    assert intervals[0] >= intervals[1]


@pytest.mark.parametrize("calls", [1, 3, 100])
def test_ten_finished_jobs_a_call_keep_the_pace(calls):
    """Where each List call found ten finished jobs, the interval stays as it is."""
    assert next_interval(2.0, calls, calls * 10, 60) == pytest.approx(2.0)


def test_nothing_finished_means_looking_less_often():
    """Looks that find nothing become rarer, up to the bound."""
    interval, seen = SOONEST, []

    for _ in range(20):
        interval = next_interval(interval, 1, 0, 10)
        seen.append(interval)

    assert seen == sorted(seen)
    assert seen[-1] == 10


def test_steady_work_settles_at_a_tenth_of_a_call_for_each_job():
    """With 5 jobs ending a second and 3 calls a look, looks settle 6 seconds apart."""
    interval = SOONEST

    for _ in range(60):
        interval = next_interval(interval, 3, round(interval * 5), 60)

    assert interval == pytest.approx(6, rel=0.2)


async def test_a_job_that_never_ends_is_given_up(tmp_path):
    """After its hours a job fails its recording alone, and its slot is free for another."""
    with begun(tmp_path / "state") as state:
        board = Board(state, 9)
        old, new = running(state, "old", "new")
        for job in (old, new):
            board.slots.adopt()
            board.is_running(job)
        board._since[old.name] -= 3601
        limits = Limits(job_timeout=1)
        poller = Poller(board, cast("Any", None), "tag", limits, asyncio.Queue())

        poller._give_up_overdue()

        assert list(board.waiting) == [new.name]
        assert (board.slots.slots.held, state.failures()) == (1, {NEVER_ENDED: 1})
        assert [words for *_, words in state.failed_recordings()] == [
            "The job did not end within 1 h."
        ]
