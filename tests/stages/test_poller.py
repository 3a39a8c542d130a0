"""How long until the next look at the running jobs, and until one is given up."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schema import Limits
from pipeline.events.message import EventTrust
from pipeline.failures import NEVER_ENDED
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.poller import Poller, next_interval
from tests.support.state_files import begun, running

few = settings(max_examples=80, deadline=None)


@few
@given(st.floats(0.5, 7_200), st.integers(1, 200), st.integers(1, 200))
def test_more_calls_a_look_mean_fewer_looks(typical, one, other):
    """The more a look costs the later is the next one, within a twentieth and a sixth."""
    fewer, more = sorted((one, other))

    sooner, later = (next_interval(1, n, typical, ending=False) for n in (fewer, more))

    assert typical / 20 <= sooner <= later <= typical / 6


@few
@given(st.floats(0.5, 7_200), st.integers(1, 200))
def test_the_end_of_the_night_is_waited_for_with_quick_looks(typical, calls):
    """When every recording has been started, looks are taken a sixtieth of a job's time apart."""
    assert next_interval(1, calls, typical, ending=True) == pytest.approx(typical / 60)


def test_while_no_job_has_ended_looks_become_rarer():
    """How long jobs take is not known at first; each interval is half as long again."""
    first = next_interval(0.2, 1, None, ending=False)

    assert first == pytest.approx(0.3)
    assert next_interval(first, 1, None, ending=False) == pytest.approx(0.45)


async def test_a_job_that_never_ends_is_given_up(tmp_path):
    """After its hours a job fails its recording alone, and its slot is free for another."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        old, new = running(state, "old", "new")
        for job in (old, new):
            tracker.slots.adopt()
            tracker.is_running(job)
        tracker._since[old.name] -= 3601
        limits = Limits(job_timeout=1)
        poller = Poller(tracker, cast("Any", None), "tag", limits, asyncio.Queue())

        poller._give_up_overdue()

        assert list(tracker.waiting) == [new.name]
        assert (tracker.slots.limit.held, state.failures()) == (1, {NEVER_ENDED: 1})
        assert [words for *_, words in state.failed_recordings()] == [
            "The job did not end within 1 h."
        ]


async def test_a_job_that_an_event_tells_during_a_listing_is_handed_on_once(tmp_path):
    """What is told between the question and the answer has another hand that collects it."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        told, other = running(state, "told", "other")
        for job in (told, other):
            tracker.slots.adopt()
            tracker.is_running(job)

        class NothingRuns:
            """Lists no job, and has an event arrive before it answers."""

            async def pages(self, *_):
                tracker.told(told.name)
                yield []

        finished: asyncio.Queue[Any] = asyncio.Queue()
        poller = Poller(tracker, cast("Any", NothingRuns()), "tag", Limits(), finished)
        looking = asyncio.create_task(poller.poll())

        assert await asyncio.wait_for(finished.get(), 5) == other
        await asyncio.sleep(0)
        assert (looking.done(), finished.empty(), dict(tracker.waiting)) == (False, True, {})
        looking.cancel()


def idle_poller(tracker: JobTracker) -> Poller:
    """A poller that is not going to list."""
    return Poller(tracker, cast("Any", None), "tag", Limits(), asyncio.Queue())


async def test_without_events_every_look_is_a_listing(tmp_path):
    """Where no queue is named nothing is skipped."""
    with begun(tmp_path / "state") as state:
        assert not idle_poller(JobTracker(state, 9))._events_suffice()


async def test_a_job_that_became_late_since_the_last_listing_is_looked_for(tmp_path):
    """One that a listing has shown running, late as it was, is not looked for again."""
    now = asyncio.get_running_loop().time()
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        [job] = running(state, "slow")
        tracker.slots.adopt()
        tracker.is_running(job)
        tracker.typical_seconds = 60
        tracker.event_trust = EventTrust(now - 40)
        tracker.event_trust.told = 1
        tracker.event_trust.looked(now - 40, 0)
        poller = idle_poller(tracker)

        seen = []
        for age in (170, 190, 300):  # late after 180, and known to be so after 220
            tracker._since[job.name] = time.monotonic() - age
            seen.append(poller._events_suffice())

        assert seen == [True, False, True]
