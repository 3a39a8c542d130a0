"""What the stages of one run share."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.stages.job_tracker import JobTracker
from tests.support.owned_time import in_owned_time
from tests.support.state_files import begun, by_hand, keys_of, listed, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.model import Job


@pytest.fixture(name="path")
def state_path(tmp_path):
    return tmp_path / "state"


@contextmanager
def board_of(path: Path, *keys: str, most: int = 9) -> Iterator[JobTracker]:
    """A board over the state file of a run that has listed these keys."""
    with begun(path) as state:
        listed(state, *keys)
        yield JobTracker(state, most)


async def taken(tracker: JobTracker) -> list[Job]:
    """Every job that can be had without waiting."""
    jobs: list[Job] = []
    while True:
        try:
            async with asyncio.timeout(1):
                job = await tracker.pending.next_job()
        except TimeoutError:
            return jobs
        if job is None:
            return jobs
        jobs.append(job)


async def after_a_second(waiters: list[asyncio.Task[Job | None]]) -> list[Any]:
    """What each of them has got by then."""
    await asyncio.sleep(1)
    return [waiter.result() if waiter.done() else "waits" for waiter in waiters]


def failures_of(tracker: JobTracker) -> list[tuple[str, ...]]:
    """Key, reason and words of each failed recording."""
    return [(job.recording.key, *why) for job, *why in tracker.state.failures.recordings()]


def test_every_listed_recording_is_handed_out_once(path):
    """However many there are, each pending recording is one job, in the listing's order."""
    keys = [f"{n:03}.mp3" for n in range(150)]

    with board_of(path, *keys) as tracker:
        jobs = in_owned_time(taken(tracker))

    assert keys == keys_of(jobs)


def test_who_asks_waits_for_the_listing(path):
    """A starter that finds nothing waits until the producer has found more."""

    async def late(tracker: JobTracker) -> Job | None:
        waiter = asyncio.create_task(tracker.pending.next_job())
        await asyncio.sleep(1)
        assert not waiter.done()
        listed(tracker.state, "late.mp3")
        tracker.pending.wake()
        return await waiter

    with board_of(path) as tracker:
        job = in_owned_time(late(tracker))

    assert job is not None
    assert job.recording.key == "late.mp3"


def test_the_end_comes_when_the_listing_is_done_and_everything_is_settled(path):
    """No starter ends while a recording could still come back; then all of them do."""

    async def ending(tracker: JobTracker) -> list[Any]:
        first, second = [await tracker.pending.next_job() for _ in range(2)]
        assert first is not None
        assert second is not None
        waiters = [asyncio.create_task(tracker.pending.next_job()) for _ in range(3)]
        tracker.hand_over(first, silent=False)
        seen = [await after_a_second(waiters)]
        tracker.counters.listing_done = True
        tracker.pending.wake()
        seen.append(await after_a_second(waiters))
        tracker.fail(second, "refused", "no")
        seen.append(await after_a_second(waiters))
        return seen

    with board_of(path, "a", "b") as tracker:
        assert in_owned_time(ending(tracker)) == [["waits"] * 3, ["waits"] * 3, [None] * 3]


def test_an_empty_source_ends_at_once(path):
    """Where nothing was listed, the first question is answered with the end."""
    with board_of(path) as tracker:
        tracker.counters.listing_done = True

        assert in_owned_time(tracker.pending.next_job()) is None


def test_a_forgotten_job_is_handed_out_again(path):
    """A job that the service does not know comes back to the starters, and is counted."""

    async def forgotten(tracker: JobTracker) -> tuple[list[int], list[Job]]:
        (job,) = await taken(tracker)
        counts = []
        for _ in range(2):
            counts.append(tracker.restart(job))
            assert await taken(tracker) == [job]
        return counts, [job]

    with board_of(path, "a.mp3") as tracker:
        counts, _ = in_owned_time(forgotten(tracker))

    assert counts == [1, 2]


def test_resumed_jobs_hold_slots_and_are_waited_for(path):
    """The jobs of an earlier run are under way before the first question, each in its slot."""
    with begun(path) as state:
        jobs = running(state, "a", "b")

    with board_of(path, most=3) as tracker:
        tracker.resume()

        assert jobs == list(tracker.waiting.values())
        assert (tracker.slots.limit.held, tracker.counters.resumed) == (2, 2)


def test_a_run_with_resumed_jobs_does_not_end_before_they_do(path):
    """A second run that lists nothing new waits for what an earlier one left in flight."""
    with begun(path) as state:
        running(state, "a")

    async def ending(tracker: JobTracker) -> bool:
        waiter = asyncio.create_task(tracker.pending.next_job())
        await asyncio.sleep(1)
        before = waiter.done()
        (job,) = tracker.waiting.values()
        tracker.hand_over(job, silent=False)
        return before or await waiter is not None

    with board_of(path) as tracker:
        tracker.resume()
        tracker.counters.listing_done = True

        assert in_owned_time(ending(tracker)) is False


def test_the_oldest_job_may_be_of_an_earlier_run(path):
    """A job's age counts from its start, whichever run that was in; without jobs there is none."""
    with begun(path) as state:
        running(state, "old", "new")
        state.note_started()
        by_hand(state.path, "UPDATE recordings SET changed = changed - 500 WHERE key = 'old'")

    with board_of(path) as tracker:
        before = tracker.clock.oldest_seconds(tracker.waiting)
        tracker.resume()

        assert before == 0
        assert tracker.clock.oldest_seconds(tracker.waiting) == pytest.approx(500, abs=5)


def test_a_finished_job_gives_its_slot_back(path):
    """What has finished is no longer waited for and holds no slot; it is still open."""

    async def finishing(tracker: JobTracker) -> int:
        (job,) = await taken(tracker)
        await tracker.slots.take()
        tracker.is_running(job)
        tracker.on_poll([job], 0.0)
        tracker.has_ended(job)
        return tracker.slots.limit.held

    with board_of(path, "a") as tracker:
        assert in_owned_time(finishing(tracker)) == 0
        assert tracker.waiting == {}


def test_a_job_that_still_runs_holds_its_slot_again(path):
    """Where a listing had left a job out it waits on, and is not looked at again at once."""

    async def lagging(tracker: JobTracker) -> None:
        (job,) = await taken(tracker)
        await tracker.slots.take()
        tracker.is_running(job)
        assert tracker.clock.due(tracker.waiting) == [job]
        tracker.on_poll([job], 0.0)
        tracker.still_running(job)

    with board_of(path, "a") as tracker:
        in_owned_time(lagging(tracker))

        due = tracker.clock.due(tracker.waiting)
        assert (len(tracker.waiting), tracker.slots.limit.held, due) == (1, 1, [])


def test_a_failure_is_counted_and_kept(path):
    """A failed recording is in the figures of the run and in the state file."""

    async def failing(tracker: JobTracker) -> None:
        (job,) = await taken(tracker)
        tracker.fail(job, "too long", "Words.")

    with board_of(path, "a") as tracker:
        in_owned_time(failing(tracker))

        assert tracker.counters.failed == 1
        assert failures_of(tracker) == [("a", "too long", "Words.")]


def test_silence_is_counted(path):
    """Recordings without speech are among the figures, and only those."""

    async def handing(tracker: JobTracker) -> None:
        first, second = await taken(tracker)
        tracker.hand_over(first, silent=True)
        tracker.hand_over(second, silent=False)

    with board_of(path, "a", "b") as tracker:
        in_owned_time(handing(tracker))

        assert tracker.counters.silent == 1


# How many a run takes


@pytest.mark.parametrize("most", [1, 63, 64, 65, 149, 150, 151])
def test_a_run_takes_no_more_than_it_may(path, most):
    """However many are claimed at a time, a limit holds to the recording."""
    keys = [f"{n:03}.mp3" for n in range(150)]

    with begun(path) as state:
        listed(state, *keys)
        tracker = JobTracker(state, 9, most)
        jobs = in_owned_time(taken(tracker))

        assert keys_of(jobs) == keys[:most]
        assert tracker.pending.spent == (most <= 150)
        assert state.recordings.counts().pending >= 150 - most


def test_a_run_that_has_taken_its_share_ends_when_that_is_settled(path):
    """After the last one of a limit the run ends, though the listing goes on and more waits."""

    async def ending(tracker: JobTracker) -> list[Any]:
        job = await tracker.pending.next_job()
        assert job is not None
        waiter = asyncio.create_task(tracker.pending.next_job())
        seen = await after_a_second([waiter])
        tracker.hand_over(job, silent=False)
        return seen + await after_a_second([waiter])

    with begun(path) as state:
        listed(state, "a", "b")

        assert in_owned_time(ending(JobTracker(state, 9, 1))) == ["waits", None]


def test_a_run_without_a_limit_is_never_spent(path):
    """Without a limit a run that has taken everything has no work left."""
    with board_of(path, "a") as tracker:
        in_owned_time(taken(tracker))

        assert not tracker.pending.spent


# Another attempt, and jobs that never end


def test_a_job_that_the_service_spoilt_is_handed_out_under_another_name(path):
    """It is no failure: the recording comes back with its next attempt before the run ends."""

    async def again(tracker: JobTracker) -> tuple[Job, list[Job]]:
        (job,) = await taken(tracker)
        tracker.counters.listing_done = True
        tracker.try_again(job)
        return job, await taken(tracker)

    with board_of(path, "a") as tracker:
        job, (second,) = in_owned_time(again(tracker))

        assert (second.recording, second.attempt) == (job.recording, 2)
        assert second.name != job.name
        assert tracker.counters.failed == 0


def test_a_job_of_an_earlier_run_is_overdue_by_its_own_start(path):
    """The hours that a job may take count from its start, over runs and their ends."""
    with begun(path) as state:
        running(state, "old")
        state.note_started()
        by_hand(state.path, "UPDATE recordings SET changed = changed - 7200")

    with board_of(path, "new") as tracker:
        tracker.resume()
        (new,) = tracker.state.claim(1)
        tracker.is_running(new)

        assert keys_of(tracker.clock.overdue(tracker.waiting, 7_100)) == ["old"]
        assert tracker.clock.overdue(tracker.waiting, 7_300) == []
        assert sorted(keys_of(tracker.clock.overdue(tracker.waiting, -1))) == ["new", "old"]


def test_an_event_frees_the_slot_at_once(path):
    """A job that an event tells of is nobody's to wait for, and another may start."""
    with board_of(path) as tracker:
        [job] = running(tracker.state, "a.mp3")
        tracker.slots.adopt()
        tracker.is_running(job)

        assert tracker.on_event(job.name) is job
        assert (tracker.slots.limit.held, tracker.waiting) == (0, {})


def test_an_event_for_nobody_changes_nothing(path):
    """What an event says of a job that is not waited for is not believed."""
    with board_of(path) as tracker:
        [job] = running(tracker.state, "a.mp3")
        tracker.slots.adopt()
        tracker.is_running(job)

        assert tracker.on_event(f"{job.name}-2") is None
        assert tracker.on_event("../../etc/passwd") is None
        assert (tracker.slots.limit.held, list(tracker.waiting)) == (1, [job.name])


def test_a_job_that_an_event_ended_too_soon_holds_its_slot_again(path):
    """A forged or early event costs a look, and the next one is heeded again."""
    with board_of(path) as tracker:
        [job] = running(tracker.state, "a.mp3")
        tracker.slots.adopt()
        tracker.is_running(job)
        tracker.on_event(job.name)

        tracker.still_running(job)

        assert (tracker.slots.limit.held, list(tracker.waiting)) == (1, [job.name])
        assert tracker.on_event(job.name) is job


def test_who_deletes_events_is_told_when_a_recording_is_settled(path):
    """Written, failed, forgotten or worth another job: each is told once it stands in the state."""
    with board_of(path) as tracker:
        jobs = running(tracker.state, "written", "failed", "forgotten", "spoilt", "deferred")
        seen: list[tuple[str, int]] = []
        tracker.on_recorded.append(
            lambda name: seen.append((name, tracker.state.recordings.counts().in_flight))
        )
        for job in jobs:
            tracker.slots.adopt()
            tracker.is_running(job)
        written, failed, forgotten, spoilt, deferred = jobs

        tracker.fail(failed, "refused", "no")
        tracker.restart(forgotten)
        tracker.try_again(spoilt)
        tracker.defer(deferred)
        with tracker.state.output.checkpoint():
            tracker.state.output.mark_written([written])
        tracker.hand_over(written, silent=False)
        assert len(seen) == 3
        tracker.wrote([written], 1)

        assert seen == [
            (failed.name, 4), (forgotten.name, 3), (spoilt.name, 2), (written.name, 1),
        ]  # fmt: skip


def test_a_run_is_ending_when_nothing_is_left_to_start(path):
    """That the listing is done does not make it so while recordings wait for their turn."""

    async def ending(tracker: JobTracker) -> list[bool]:
        tracker.counters.listing_done = True
        seen = [tracker.pending.ending]
        await tracker.pending.next_job()
        seen.append(tracker.pending.ending)
        await asyncio.wait({asyncio.create_task(tracker.pending.next_job())}, timeout=1)
        return [*seen, tracker.pending.ending]

    with board_of(path, "a") as tracker:
        assert in_owned_time(ending(tracker)) == [False, False, True]


def test_the_length_of_a_recording_is_forgotten_with_its_job(path):
    """However many recordings a run has, memory holds those of its open jobs."""
    with board_of(path) as tracker:
        for job in running(tracker.state, "a", "b", "c"):
            tracker.audio_seconds[job.name] = 60
            tracker.slots.adopt()
            tracker.is_running(job)
            (tracker.fail(job, "refused", "no") if job.recording.key == "a" else None)
            (tracker.defer(job) if job.recording.key == "b" else None)
            (tracker.hand_over(job, silent=False) if job.recording.key == "c" else None)

        assert tracker.audio_seconds == {}
