"""How events are received and deleted, in time that the test owns, against a scripted SQS."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from pipeline.errors import ResourceMissing
from pipeline.events.listener import Listener
from pipeline.events.queue import EventQueue
from pipeline.stages.job_tracker import JobTracker
from tests.support.job_events import event
from tests.support.owned_time import in_owned_time, now
from tests.support.state_files import TAG, begun, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.model import Job

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/calls-events"


class Sqs:
    """Answers as SQS does: each of `batches` once, an error where it is one; then nothing comes."""

    def __init__(self, batches: Sequence[Any] = ()) -> None:
        self.batches = list(batches)
        self.received_at: list[float] = []
        self.deleted: list[tuple[float, list[str]]] = []
        self.delete_error: Exception | None = None

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Answer a Receive or a Delete call."""
        await asyncio.sleep(0.02)
        if operation == "DeleteMessageBatch":
            if self.delete_error:
                raise self.delete_error
            self.deleted.append((now(), [each["ReceiptHandle"] for each in request["Entries"]]))
            return {}
        self.received_at.append(now())
        if not self.batches:
            await asyncio.sleep(request["WaitTimeSeconds"])
            return {}
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return {"Messages": batch}

    @property
    def handles(self) -> list[str]:
        """Every handle that was deleted."""
        return [handle for _, handles in self.deleted for handle in handles]


def message(name: str, handle: str = "", age: float = 0) -> dict[str, Any]:
    """An event of a job's end as SQS hands it out, sent so many seconds ago."""
    return {
        "MessageId": handle or name,
        "ReceiptHandle": handle or name,
        "Body": json.dumps(event(TranscriptionJobName=name)),
        "Attributes": {"SentTimestamp": str(int((time.time() - age) * 1000))},
    }


@contextmanager
def board_of(path: Path, count: int) -> Iterator[tuple[JobTracker, list[Job]]]:
    """A board with so many running jobs."""
    with begun(path / "state") as state:
        tracker = JobTracker(state, 1000)
        jobs = running(state, *(f"{n}.mp3" for n in range(count)))
        for job in jobs:
            tracker.slots.adopt()
            tracker.is_running(job)
        yield tracker, jobs


def listening(
    tracker: JobTracker, sqs: Sqs, seconds: float, *, room: int = 0
) -> asyncio.Queue[Job]:
    """What reaches the collectors while somebody listens for so many seconds."""
    return heard(tracker, sqs, seconds, room=room)[1]


def heard(
    tracker: JobTracker, sqs: Sqs, seconds: float, *, room: int = 0
) -> tuple[Listener, asyncio.Queue[Job]]:
    """Who listened for so many seconds, and what reached the collectors."""

    async def listen() -> tuple[Listener, asyncio.Queue[Job]]:
        finished: asyncio.Queue[Job] = asyncio.Queue(room)
        queue = EventQueue(cast("Any", sqs), URL, "us-east-1")
        listener = Listener(queue, TAG, tracker, finished, resumed=False)
        stage = asyncio.create_task(listener.listen())
        await asyncio.wait([stage], timeout=seconds)
        assert not stage.done()
        stage.cancel()
        await asyncio.wait([stage])
        return listener, finished

    return in_owned_time(listen())


def settle_soon(tracker: JobTracker, jobs: Sequence[Job], seconds: float) -> None:
    """Have the writer commit these jobs after a while."""

    def wrote() -> None:
        tracker.wrote(jobs, len(jobs))

    told = tracker.on_event

    def later(name: str) -> Job | None:
        asyncio.get_running_loop().call_later(seconds, wrote)
        tracker.on_event = told  # type: ignore[method-assign] # once
        return told(name)

    tracker.on_event = later  # type: ignore[method-assign] # the loop does not run yet


def test_ten_are_deleted_together(tmp_path):
    """As soon as ten events are of settled recordings they are deleted in one call."""
    with board_of(tmp_path, 10) as (tracker, jobs):
        sqs = Sqs([[message(job.name) for job in jobs]])
        settle_soon(tracker, jobs, 3)

        finished = listening(tracker, sqs, 10)

    [(moment, handles)] = sqs.deleted
    assert finished.qsize() == 10
    assert 3 < moment < 5
    assert sorted(handles) == sorted(job.name for job in jobs)


def test_fewer_wait_for_more(tmp_path):
    """Less than ten are deleted after twenty seconds, long before they would come again."""
    with board_of(tmp_path, 3) as (tracker, jobs):
        sqs = Sqs([[message(job.name) for job in jobs]])
        settle_soon(tracker, jobs, 3)

        listening(tracker, sqs, 40)

    [(moment, handles)] = sqs.deleted
    assert 20 < moment < 30
    assert len(handles) == 3


def test_what_is_not_settled_is_not_deleted(tmp_path):
    """The event of a recording whose task is not written yet stays in the queue."""
    with board_of(tmp_path, 12) as (tracker, jobs):
        sqs = Sqs([[message(job.name) for job in jobs[:10]]])

        listening(tracker, sqs, 100)

    assert sqs.deleted == []
    assert list(tracker.waiting) == [job.name for job in jobs[10:]]


def test_what_is_settled_is_deleted_at_the_end(tmp_path):
    """The writer's last checkpoint settles recordings when the run is over: their events go too."""
    with board_of(tmp_path, 3) as (tracker, jobs):
        sqs = Sqs([[message(job.name) for job in jobs]])
        settle_soon(tracker, jobs, 3)

        listening(tracker, sqs, 5)

    assert sorted(sqs.handles) == sorted(job.name for job in jobs)


def test_a_second_event_of_a_settled_job_is_deleted(tmp_path):
    """Delivery is at least once: what comes after the checkpoint goes as well."""
    with board_of(tmp_path, 1) as (tracker, [job]):
        sqs = Sqs([[message(job.name, "first")], *[[]] * 40, [message(job.name, "second")]])
        settle_soon(tracker, [job], 1)

        listening(tracker, sqs, 60)

    assert sorted(sqs.handles) == ["first", "second"]


def test_a_message_goes_by_its_newest_handle(tmp_path):
    """Where reading a transcript takes longer than a message stays hidden, it comes once more."""
    with board_of(tmp_path, 1) as (tracker, [job]):
        again = message(job.name, "first") | {"ReceiptHandle": "newer"}
        sqs = Sqs([[message(job.name, "first")], [again]])
        settle_soon(tracker, [job], 30)

        finished = listening(tracker, sqs, 60)

    assert (finished.qsize(), sqs.handles) == (1, ["newer"])


def test_an_event_for_nobody_is_left_until_it_is_old(tmp_path):
    """A run beside this one may wait for it; after a quarter of an hour nobody does any more."""
    with board_of(tmp_path, 0) as (tracker, _):
        young, old = (f"{TAG}{number:032x}" for number in (1, 2))
        sqs = Sqs([[message(young, age=800), message(old, age=1000)]])

        listening(tracker, sqs, 60)

    assert sqs.handles == [old]


def test_what_is_no_event_of_ours_is_never_deleted(tmp_path):
    """However old it is: somebody else's messages are not ours to take away."""
    with board_of(tmp_path, 0) as (tracker, _):
        strange = {"MessageId": "a", "ReceiptHandle": "a", "Body": "{}"}
        sqs = Sqs([[strange, message("others-1", age=9999), {}]])

        listening(tracker, sqs, 100)

    assert sqs.deleted == []


def test_a_queue_of_others_is_said_once_and_read_slowly(tmp_path):
    """Where only others' messages come, the run says so and does not hammer the queue."""
    with board_of(tmp_path, 0) as (tracker, _):
        sqs = Sqs([[message(f"others-{n}")] * 10 for n in range(100)])
        tracker.clock.typical_seconds = 60

        listening(tracker, sqs, 60)

    [note] = tracker.counters.notes
    assert "holds messages that are not about this run's jobs" in note
    assert len(sqs.received_at) <= 60


def test_without_the_queue_the_jobs_are_listed(tmp_path):
    """From the moment at which the queue can't be read events are not relied on."""
    with board_of(tmp_path, 1) as (tracker, _):
        listener, _ = heard(tracker, Sqs([ResourceMissing("no queue")]), 30)

    assert not listener.trust.relied_on


def test_a_lost_queue_is_tried_again(tmp_path):
    """It is tried each minute; when it answers again, events are relied on as before."""
    with board_of(tmp_path, 1) as (tracker, [job]):
        lost = ResourceMissing("no queue")
        sqs = Sqs([lost, lost, [message(job.name)]])

        listener, finished = heard(tracker, sqs, 300)

    assert [round(moment) for moment in sqs.received_at[:3]] == [0, 60, 120]
    assert len(tracker.counters.notes) == 1
    assert listener.trust.relied_on
    assert finished.get_nowait() is job


def test_no_job_is_dropped_when_the_queue_is_lost(tmp_path):
    """A job that was about to be handed to the collectors is waited for once more."""
    with board_of(tmp_path, 5) as (tracker, jobs):
        sqs = Sqs([[message(job.name) for job in jobs], ResourceMissing("no queue")])
        sqs.delete_error = ResourceMissing("no queue")
        settle_soon(tracker, [*jobs] * 2, 1)

        finished = listening(tracker, sqs, 30, room=2)

    assert finished.qsize() == 2
    assert len(tracker.waiting) == 3
    assert tracker.slots.limit.held == 3


@pytest.mark.parametrize("count", [10_001, 12_000])
def test_what_is_remembered_does_not_grow_with_the_bucket(tmp_path, count):
    """Of settled jobs the last ten thousand names are kept."""
    with board_of(tmp_path, 0) as (tracker, _):
        listener: list[Listener] = []

        async def settle() -> None:
            queue = EventQueue(cast("Any", Sqs()), URL, "us-east-1")
            listener.append(Listener(queue, TAG, tracker, asyncio.Queue(), resumed=False))
            [recorded] = tracker.on_recorded
            for number in range(count):
                recorded(str(number))

        in_owned_time(settle())

    assert len(listener[0]._recorded) == 10_000
    assert str(count - 1) in listener[0]._recorded
