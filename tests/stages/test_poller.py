"""How long until the next look at the running jobs, and until one is given up."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events.trust import EventTrust
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.poller import Look, Poller, next_look
from pipeline.state.reader import read_state
from tests.support.owned_time import in_owned_time
from tests.support.state_files import begun, running


@given(st.floats(0.5, 7_200), st.integers(1, 200), st.integers(1, 200))
def test_more_calls_a_look_mean_fewer_looks(typical, one, other):
    """The more a look costs the later is the next one, within a twentieth and a sixth."""
    fewer, more = sorted((one, other))

    sooner, later = (next_look(1, Look(n), math.inf, typical, ending=False) for n in (fewer, more))

    assert max(0.2, typical / 20) <= sooner <= later <= max(0.2, typical / 6)


@given(st.floats(0.5, 7_200), st.integers(1, 200))
def test_the_end_of_the_night_is_waited_for_with_quick_looks(typical, calls):
    """When every recording has been started, looks are taken a sixtieth of a job's time apart."""
    seconds = next_look(1, Look(calls), math.inf, typical, ending=True)

    assert seconds == pytest.approx(max(0.2, typical / 60))


def test_while_no_job_has_ended_looks_become_rarer():
    """How long jobs take is not known at first; each interval is half as long again."""
    first = next_look(0.2, Look(1), 10, None, ending=False)

    assert first == pytest.approx(0.3)
    assert next_look(first, Look(1), 10, None, ending=False) == pytest.approx(0.45)


@given(st.floats(0.2, 100), st.integers(0, 200), st.none() | st.floats(0.1, 7_200), st.booleans())
def test_no_look_is_sooner_than_a_fifth_of_a_second_nor_later_than_allowed(
    last, calls, typical, ending
):
    """However long jobs take, `max_poll_seconds` bounds the interval, and looks never hurry."""
    assert 0.2 <= next_look(last, Look(calls), 10, typical, ending=ending) <= 10


def test_a_look_at_nothing_is_taken_again_at_once():
    """Where no job was waited for the first one that starts is not kept waiting."""
    assert next_look(10, Look(0), 10, 60, ending=False) == 0.2


def test_while_events_suffice_they_are_asked_again_soon():
    """Where events made a look unnecessary the question comes again after five seconds."""
    assert next_look(0.2, Look(skipped=True), 10, 60, ending=False) == 5
    assert next_look(0.2, Look(skipped=True), 2, 60, ending=False) == 2


async def test_a_job_that_is_old_by_this_clock_is_looked_at(tmp_path):
    """Its hours being over fails no job: it goes to the collectors, and still holds its slot."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9, timeout_hours=1)
        old, new = running(state, "old", "new")
        for job in (old, new):
            tracker.slots.adopt()
            tracker.is_running(job)
        tracker.clock.note_age(old.name, 3601)
        ended: asyncio.Queue[Any] = asyncio.Queue()
        poller = Poller(tracker, cast("Any", None), 10, ended)

        await poller.look_at_overdue()

        assert (list(tracker.waiting), ended.get_nowait()) == ([new.name], old)
        assert (tracker.slots.limit.held, state.failures.by_reason()) == (2, {})


async def test_a_job_that_was_just_looked_at_is_not_looked_at_again_at_once(tmp_path):
    """One that is too old and still runs at the service costs few calls."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9, timeout_hours=1)
        (old,) = running(state, "old")
        tracker.slots.adopt()
        tracker.is_running(old)
        tracker.clock.note_age(old.name, 3601)
        ended: asyncio.Queue[Any] = asyncio.Queue()
        poller = Poller(tracker, cast("Any", None), 10, ended)

        await poller.look_at_overdue()
        tracker.still_running(ended.get_nowait())
        await poller.look_at_overdue()

        assert ended.empty()


async def test_a_job_that_an_event_tells_during_a_listing_is_handed_on_once(tmp_path):
    """What is told between the question and the answer has another hand that collects it."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        told, other = running(state, "told", "other")
        for job in (told, other):
            tracker.slots.adopt()
            tracker.is_running(job)

        async def no_job_but_an_event(*_):
            tracker.on_event(told.name)
            yield []

        finished: asyncio.Queue[Any] = asyncio.Queue()
        poller = Poller(tracker, no_job_but_an_event, 10, finished)
        looking = asyncio.create_task(poller.poll())

        assert await asyncio.wait_for(finished.get(), 5) == other
        await asyncio.sleep(0)
        assert (looking.done(), finished.empty(), dict(tracker.waiting)) == (False, True, {})
        looking.cancel()


def idle_poller(tracker: JobTracker, events: EventTrust | None = None) -> Poller:
    """A poller that is not going to list."""
    return Poller(tracker, cast("Any", None), 10, asyncio.Queue(), events)


async def test_without_events_every_look_is_a_listing(tmp_path):
    """Where no queue is named nothing is skipped."""
    with begun(tmp_path / "state") as state:
        assert not idle_poller(JobTracker(state, 9)).events_suffice()


async def test_a_job_that_became_late_since_the_last_listing_is_looked_for(tmp_path):
    """One that a listing has shown running, late as it was, is not looked for again."""
    now = asyncio.get_running_loop().time()
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        [job] = running(state, "slow")
        tracker.slots.adopt()
        tracker.is_running(job)
        tracker.clock.typical_seconds = 60
        event_trust = EventTrust(now - 40)
        event_trust.on_event()
        event_trust.on_poll(now - 40, 0)
        poller = idle_poller(tracker, event_trust)

        seen = []
        for age in (170, 190, 300):  # late after 180, and known to be so after 220
            tracker.clock._started[job.name] = time.monotonic() - age
            seen.append(poller.events_suffice())

        assert seen == [True, False, True]


def test_what_was_started_is_written_down_with_the_next_look(tmp_path):
    """A run that is killed knows its jobs, though no start costs a commit of its own."""

    async def looking(tracker: JobTracker) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await idle_poller(tracker).poll()

    with begun(tmp_path / "state") as state, read_state(tmp_path / "state") as beside:
        running(state, "a", "b")
        before = beside.recordings.counts().in_flight
        in_owned_time(looking(JobTracker(state, 9)))

        assert (before, beside.recordings.counts().in_flight) == (0, 2)


async def test_jobs_that_the_service_queues_are_not_taken_for_ended(tmp_path):
    """From the first queued job on both kinds are listed, the queued ones first."""
    asked = []
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        queued, runs, ended = running(state, "queued", "runs", "ended")
        for job in (queued, runs, ended):
            tracker.slots.adopt()
            tracker.is_running(job, queued=job is queued)

        async def pages(status):
            asked.append(status.value)
            yield [queued.name] if status.value == "QUEUED" else [runs.name]

        finished: asyncio.Queue[Any] = asyncio.Queue()
        looking = asyncio.create_task(Poller(tracker, pages, 10, finished).poll())
        job = await asyncio.wait_for(finished.get(), 10)
        looking.cancel()

        assert (job, asked) == (ended, ["QUEUED", "IN_PROGRESS"])
        assert list(tracker.waiting) == [queued.name, runs.name]


def test_the_slots_hear_of_a_look_at_nothing(tmp_path):
    """Where no job is waited for none can have ended unseen, whatever was guessed before."""

    async def looking(tracker: JobTracker) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await idle_poller(tracker).poll()

    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        tracker.slots.limit._free.on_refused_start(3, 0.0, guessed=False)
        in_owned_time(looking(tracker))

        assert tracker.slots.limit._free.count(0.0) == 0
