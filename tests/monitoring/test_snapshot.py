"""A run at one moment, as one value."""

from __future__ import annotations

import asyncio
from functools import partial

import msgspec
import pytest

from pipeline.config.pricing import FREE, Item
from pipeline.model import Cost
from pipeline.monitoring.snapshot import SETTLED, RunSnapshot, RunStatus, take_snapshot
from pipeline.stages.stage_times import BOUNDS
from tests.support.idle_run import idle_run
from tests.support.state_files import running


async def test_a_snapshot_has_the_run_s_own_counts(tmp_path):
    """What the stages count is in it, and the seconds of a wait that still goes on."""
    async with idle_run(tmp_path, most=7) as run:
        tracker, figures = run.tracker, run.tracker.counters
        figures.begun -= 1_000
        figures.listed, figures.unchanged, figures.deferred = 9, 8, 6
        figures.started, figures.adopted, figures.resumed = 4, 2, 1
        figures.written, figures.silent = 5, 1
        figures.notes.append("Something is new.")
        figures.skipped["not audio"] = 2
        figures.failures["too long"] = 3
        run.transcriber.start_calls.calls, run.transcriber.start_calls.refused = 13, 2
        tracker.slots.refused_starts = 3
        for job in running(tracker.state, "a.mp3", "b.mp3"):
            tracker.is_running(job)
        figures.stage_times.taken("job", 1)
        figures.stage_times.runs("job", 3.5)
        with tracker.waits.on("slots"):
            await asyncio.sleep(0.01)
            found = take_snapshot(run)

    assert found.waits["slots"] >= 0.01
    assert found.calls["StartTranscriptionJob"] == 13
    assert found.refused["StartTranscriptionJob"] == 2
    assert (found.stages["start"].count, found.stages["start"].seconds) == (1, 2.5)
    assert len(found.stages["start"].buckets) == len(BOUNDS) + 1
    expected = {
        "source": "s3://calls/",
        "listed": 9,
        "listing_done": False,
        "unchanged": 8,
        "skipped": {"not audio": 2},
        "started": 4,
        "adopted": 2,
        "resumed": 1,
        "jobs": 7,
        "in_flight": 2,
        "written": 5,
        "silent": 1,
        "failures": {"too long": 3},
        "failed": 3,
        "deferred": 6,
        "notes": ("Something is new.",),
        "slots_held": 0,
        "slots_found": 7,
        "slots_allowed": 7,
        "refused_starts": 3,
        "refused_calls": 5,
    }
    assert {name: getattr(found, name) for name in expected} == expected
    assert 1_000 <= found.seconds < 1_060


async def test_a_snapshot_does_not_change(tmp_path):
    """What happens after it was taken is in the next one."""
    async with idle_run(tmp_path) as run:
        before = take_snapshot(run)
        run.tracker.counters.skipped["not audio"] = 2
        run.tracker.counters.notes.append("Something is new.")

        run.tracker.counters.stage_times.taken("job", 1)
        run.tracker.counters.stage_times.runs("job", 3.5)

        assert (before.skipped, before.notes, before.stages["start"].count) == ({}, (), 0)
        assert take_snapshot(run).notes == ("Something is new.",)


async def test_what_is_paid_is_in_it_and_a_folder_pays_nothing(tmp_path):
    """The cost is that of the transcripts collected so far."""
    async with idle_run(tmp_path) as run:
        run.tracker.counters.bill(60, [Item.TRANSCRIPTION])
        paid = take_snapshot(run).cost
        run.config = msgspec.structs.replace(run.config, prices=FREE)

        assert take_snapshot(run).cost is None
    assert paid is not None
    assert msgspec.structs.replace(paid, amount=0) == Cost(0, "USD", 60, paid.prices_date)
    assert paid.amount > 0


@pytest.mark.parametrize(("code", "settled"), [(0, True), (1, True), (2, False), (130, False)])
def test_a_success_is_a_run_that_settled_all_it_listed(code, settled):
    """The moment of the last success is that of its end, or the one before."""
    status = RunStatus(partial(RunSnapshot, source="s3://calls/"), 7.0)
    status.end(code)

    assert (code in SETTLED) == settled
    assert (status.last_success > 10**9) == settled
    assert (status.exit_code, status.take().source) == (code, "s3://calls/")


async def test_slots_that_were_found_are_not_those_allowed(tmp_path):
    """After a refusal it is what really runs, which people compare with their setting."""
    async with idle_run(tmp_path, most=7) as run:
        limit = run.tracker.slots.limit
        for _ in range(3):
            limit.take(0.0)
        limit.refused(0.0)

        found = take_snapshot(run)

    assert (found.slots_found, found.slots_allowed) == (2, 7)
