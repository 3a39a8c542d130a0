"""The worker that starts jobs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from pipeline.config.loading import resolve
from pipeline.errors import (
    Deferred,
    Denied,
    JobExists,
    JobMissing,
    NoFreeSlot,
    PipelineError,
    RecordingFailed,
    ServiceUnreachable,
)
from pipeline.failures import MEDIA_NOT_ACCESSIBLE
from pipeline.jobs.client import JobRecord
from pipeline.jobs.rules import JobRules
from pipeline.model import Job, JobStatus, Recording, SourceObject
from pipeline.naming import S3Uri, identity
from pipeline.recordings.bucket import S3Source
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.starters import Starters
from tests.support.owned_time import in_owned_time
from tests.support.state_files import begun, keys_of, listed

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.net.concurrency import JobSlots


class Service:
    """Answers starts with the next of its answers; a job of any name exists for `media`."""

    def __init__(self, *answers: JobStatus | Exception, media: str = "s3://calls/a.mp3") -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.gate: JobSlots | None = None
        self._media = media

    async def start(self, request: dict[str, Any]) -> JobStatus:
        """One call, in a slot of its own."""
        assert self.gate is not None
        await self.gate.take()
        with self.gate.slot():
            self.asked.append(request["TranscriptionJobName"])
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    async def get(self, name: str) -> JobRecord:
        """What is known of the job that exists."""
        if not self._media or name not in self.asked:
            raise JobMissing
        return JobRecord(JobStatus.COMPLETED, self._media, None, "")


class Worked(NamedTuple):
    """The board afterwards, jobs that were taken for finished, and where recordings stand."""

    tracker: JobTracker
    done: list[Job]
    counts: tuple[int, ...]


def worked(path: Path, service: Service, *, found: bool = False) -> Worked:
    """Let one worker start a.mp3, for a minute."""

    async def work(tracker: JobTracker) -> list[Job]:
        finished: asyncio.Queue[Job] = asyncio.Queue()
        source: Any = S3Source(S3Uri("calls", ""), cast("Any", None))
        job_rules = JobRules(resolve({}, {}), source)
        starters = Starters(tracker, cast("Any", service), job_rules, finished)
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await starters.work()
        if starters.refusals.held:
            starters.refusals.settle()
        return [finished.get_nowait() for _ in range(finished.qsize())]

    with begun(path) as state:
        if found:
            state.note_results([(identity("calls", Recording("a.mp3", "1", 7), ""), 1)])
        listed(state, "a.mp3")
        tracker = JobTracker(state, 9)
        service.gate = tracker.slots
        done = in_owned_time(work(tracker))
        return Worked(tracker, done, tuple(state.recordings.counts()))


def test_a_started_job_runs_in_its_slot(tmp_path):
    """After its start a job is waited for, and holds one slot."""
    tracker, done, counts = worked(tmp_path / "s", Service(JobStatus.IN_PROGRESS))

    assert (len(tracker.waiting), tracker.slots.limit.held, done) == (1, 1, [])
    assert (tracker.counters.started, counts) == (1, (0, 1, 0, 0))


def test_a_recording_with_a_result_is_not_started(tmp_path):
    """What is found goes straight to the collectors: no call, no slot, in flight until written."""
    service = Service()
    tracker, done, counts = worked(tmp_path / "s", service, found=True)

    assert (service.asked, keys_of(done), tracker.slots.limit.held) == ([], ["a.mp3"], 0)
    assert (tracker.counters.adopted, counts) == (1, (0, 1, 0, 0))


def test_a_full_account_is_no_failed_try(tmp_path):
    """A start that is refused for want of a slot is made again under the same name."""
    service = Service(*[NoFreeSlot()] * 3, JobStatus.IN_PROGRESS)
    tracker, *_ = worked(tmp_path / "s", service)

    assert (len(service.asked), len(set(service.asked))) == (4, 1)
    assert (tracker.slots.refused_starts, tracker.slots.limit.held) == (3, 1)


def test_a_job_that_exists_is_adopted(tmp_path):
    """A name that is taken by a job for the same media is that of an earlier run's job."""
    tracker, *_ = worked(tmp_path / "s", Service(JobExists()))

    assert (tracker.counters.adopted, tracker.counters.started) == (1, 0)
    assert (len(tracker.waiting), tracker.slots.limit.held) == (1, 1)


def test_a_job_for_other_media_is_not_adopted(tmp_path):
    """Nobody else's transcript is taken for a recording: it fails, and its slot is free."""
    tracker, _, counts = worked(tmp_path / "s", Service(JobExists(), media="s3://others/a.mp3"))

    assert (tracker.waiting, tracker.slots.limit.held, counts) == ({}, 0, (0, 0, 0, 1))


def test_a_refused_recording_gives_its_slot_back(tmp_path):
    """A recording that the service does not take fails alone."""
    tracker, _, counts = worked(tmp_path / "s", Service(RecordingFailed("too long", "Words.")))

    assert (tracker.counters.failed, tracker.slots.limit.held, counts) == (1, 0, (0, 0, 0, 1))


def test_a_job_that_has_just_been_deleted_is_started_again(tmp_path):
    """Where the name was taken and then is not, the next start decides."""
    service = Service(JobExists(), JobStatus.QUEUED, media="")
    tracker, *_ = worked(tmp_path / "s", service)

    assert (len(service.asked), tracker.counters.started, tracker.queueing) == (2, 1, True)


def test_a_recording_that_meets_faults_for_too_long_is_left_to_the_next_run(tmp_path):
    """It is no failure: it stays pending, its slot is free, and it is counted."""
    tracker, _, counts = worked(tmp_path / "s", Service(Deferred("No answer.")))

    assert (tracker.counters.deferred, tracker.counters.failed) == (1, 0)
    assert (tracker.slots.limit.held, counts) == (0, (1, 0, 0, 0))


def test_a_name_that_exists_and_does_not_ends_the_run(tmp_path):
    """A service that contradicts itself is asked four times, not for ever."""
    service = Service(*[JobExists()] * 9, media="")

    with pytest.raises(ServiceUnreachable, match="exists, and that it does not"):
        worked(tmp_path / "s", service)

    assert len(service.asked) == 4


class Source(S3Source):
    """A bucket in which looking a recording up comes to one outcome."""

    def __init__(self, outcome: SourceObject | PipelineError | None) -> None:
        super().__init__(S3Uri("calls", ""), cast("Any", None))
        self._outcome = outcome

    async def look_up(self, _: str) -> SourceObject | None:
        """What S3 says of every key."""
        if isinstance(self._outcome, PipelineError):
            raise self._outcome
        return self._outcome


@pytest.mark.parametrize(
    ("outcome", "failed", "held"),
    [
        (None, 1, 0),
        (SourceObject("a.mp3", "1", 7), 0, 1),
        (Denied("s3:GetObject is not allowed", "Allow it."), 0, 1),
        (ServiceUnreachable("S3 does not answer", "Try later."), 0, 1),
    ],
)
async def test_a_recording_is_gone_only_where_s3_says_so(tmp_path, outcome, failed, held):
    """A refused start of what can't be looked up is no proof that the recording was deleted."""
    service = Service(RecordingFailed(MEDIA_NOT_ACCESSIBLE, "It can't be accessed."))
    with begun(tmp_path / "s") as state:
        listed(state, "a.mp3")
        tracker = JobTracker(state, 9)
        service.gate = tracker.slots
        rules = JobRules(resolve({}, {}), Source(outcome))
        starters = Starters(tracker, cast("Any", service), rules, asyncio.Queue())
        tracker.counters.listing_done = True
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await starters.work()

        assert (state.recordings.counts().failed, starters.refusals.held) == (failed, held)
