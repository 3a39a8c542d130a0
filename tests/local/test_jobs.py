import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local import Quotas
from pipeline.local.errors import Refused
from pipeline.local.jobs import Job, Jobs, Outcome
from pipeline.model import JobStatus

DEFERRED = {"JobExecutionSettings": {"AllowDeferredExecution": True, "DataAccessRoleArn": "r"}}


def ask(name: str, *, deferred: bool = False):
    return {"TranscriptionJobName": name, **(DEFERRED if deferred else {})}


def test_a_name_is_taken_until_its_job_is_deleted():
    """The same name conflicts, also when its job has ended."""
    jobs = Jobs(Quotas())
    jobs.finish(jobs.create(ask("a"), 1.0), Outcome(), 2.0)

    with pytest.raises(Refused, match="ConflictException: The requested job name already exists"):
        jobs.create(ask("a"), 3.0)
    jobs.delete("a")
    jobs.create(ask("a"), 4.0)


def test_a_job_over_the_slots_is_refused_or_waits():
    """Without deferred execution there are too many jobs; with it the job is queued."""
    jobs = Jobs(Quotas(slots=1))
    jobs.create(ask("a"), 1.0)

    with pytest.raises(Refused, match="LimitExceededException: You have too many jobs running"):
        jobs.create(ask("b"), 2.0)
    waiting = jobs.create(ask("c", deferred=True), 3.0)

    assert (waiting.status, waiting.started) == (JobStatus.QUEUED, None)


def test_a_full_queue_refuses():
    """Beyond the queue's places even a deferred job is over the limit."""
    jobs = Jobs(Quotas(slots=1, queue=1))
    jobs.create(ask("a"), 1.0)
    jobs.create(ask("b", deferred=True), 1.0)

    with pytest.raises(Refused, match="LimitExceeded"):
        jobs.create(ask("c", deferred=True), 1.0)


def test_a_running_job_can_not_be_deleted():
    """Only jobs that have ended are."""
    jobs = Jobs(Quotas())
    jobs.create(ask("a"), 1.0)

    with pytest.raises(Refused, match="in progress"):
        jobs.delete("a")


@given(st.integers(1, 4), st.lists(st.integers(0, 9), max_size=60))
def test_slots_are_never_exceeded_and_the_queue_is_first_in_first_out(slots, moves):
    """Whatever ends when: no more jobs run than slots, none idles, and all begin in order."""
    jobs, now, waiting = Jobs(Quotas(slots=slots)), 0.0, 0
    running: list[Job] = []
    begun: list[int] = []
    for number, move in enumerate(moves):
        now += 1
        if move < 6:
            job = jobs.create(ask(str(number), deferred=True), now)
            new = [job] if job.status == JobStatus.IN_PROGRESS else []
            waiting += 1
        else:
            new = jobs.finish(running.pop(move % len(running)), Outcome(), now) if running else []
        running += new
        begun += [job.number for job in new]
        waiting -= len(new)

        assert len(running) <= slots
        assert len(running) == slots or waiting == 0
    assert begun == sorted(begun)


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 45))
def test_a_listing_is_newest_first_and_goes_on_below_a_job(failed, below):
    """Jobs of one status by falling number, whatever order they ended in."""
    jobs = Jobs(Quotas())
    created = [jobs.create(ask(str(n)), float(n)) for n in range(len(failed))]
    for job, fails in reversed(list(zip(created, failed, strict=True))):
        jobs.finish(job, Outcome(reason="x" if fails else None), 99.0)

    found = [job.number for job in jobs.newest_first(JobStatus.FAILED, below)]

    assert found == [n for n in reversed(range(len(failed))) if failed[n] and n < below]
