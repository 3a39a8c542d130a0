"""Samples of a run over time in its state file."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from pipeline.errors import StateUnusable
from pipeline.model import Cost
from pipeline.monitoring.history_sampler import MOST_SAMPLES, history_kept, sample_of
from pipeline.monitoring.snapshot import RunSnapshot
from pipeline.state.history import Sample
from tests.support.owned_time import in_owned_time
from tests.support.state_files import begun, by_hand


@pytest.mark.parametrize("seconds", [0, 10, 700, 30_000])
def test_a_long_run_keeps_some_hundred_samples(tmp_path, seconds):
    """However long a run is, its samples are few, evenly spaced, and the last one is of its end."""
    written = 0

    async def sampled_run(state) -> None:
        nonlocal written
        take = lambda: RunSnapshot(source="s3://calls/", written=written)  # noqa: E731 # one line
        async with history_kept(state, take):
            await asyncio.sleep(seconds + 0.5)
            written = seconds

    with begun(tmp_path / "state") as state:
        in_owned_time(sampled_run(state))
        numbers = [n for (n,) in by_hand(state.path, "SELECT number FROM samples ORDER BY number")]
        kept = state.history.samples(1)

    steps = {after - before for before, after in pairwise(numbers)}
    assert len(steps) <= 1
    assert min(seconds, MOST_SAMPLES / 2) <= len(numbers) <= MOST_SAMPLES + 2
    assert numbers[-1] >= seconds
    assert kept[-1].written == seconds


def test_a_sample_holds_what_is_drawn_over_time():
    """What only tells of the moment is left out, so that samples stay small."""
    kept = Sample(at=5.0, listed=9, jobs=6, failed=3, cost=Cost(1.25, "USD", 60, "2026-10"))

    snapshot = RunSnapshot(
        **msgspec.structs.asdict(kept), started=4, adopted=2, failures={"too long": 3}, seconds=5.0
    )

    assert sample_of(snapshot) == kept


def test_a_sample_that_can_not_be_written_stops_nothing(tmp_path):
    """The run goes on without its history."""

    def take() -> RunSnapshot:
        raise StateUnusable("The disk is full")

    async def sampled_run(state) -> str:
        async with history_kept(state, take):
            await asyncio.sleep(5)
            return "done"

    with begun(tmp_path / "state") as state:
        assert in_owned_time(sampled_run(state)) == "done"
