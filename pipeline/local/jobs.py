"""The account's jobs: which there are, where each stands, and who gets a slot next.

No input or output here, and no clock: `now` is passed in, in seconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from pipeline.local import messages
from pipeline.local.errors import Refused, bad_request
from pipeline.local.request import deferrable
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.local.quotas import Quotas

ENDED = (JobStatus.COMPLETED, JobStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `reason` for a failed one, else what was detected, and the files written.

    `duration` is in seconds; `files` are those of the job by their suffixes, the transcript's
    (`json`) first.
    """

    reason: str | None = None
    media_format: str | None = None
    sample_rate: int | None = None
    duration: float = 0.0
    files: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Job:
    """One job as the service keeps it; `request` is what Start was asked."""

    number: int
    request: Mapping[str, Any]
    created: float
    status: JobStatus = JobStatus.QUEUED
    started: float | None = None
    completed: float | None = None
    outcome: Outcome = field(default_factory=Outcome)

    @property
    def name(self) -> str:
        """The name Start gave it."""
        return str(self.request["TranscriptionJobName"])


_number = attrgetter("number")


class Jobs:
    """Every job of the account, newest last."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._by_name: dict[str, Job] = {}
        self._by_status: dict[JobStatus, list[Job]] = {status: [] for status in JobStatus}
        self._queue: deque[Job] = deque()
        self._next = 0

    def create(self, request: Mapping[str, Any], now: float) -> Job:
        """A new job: in progress where a slot is free, else queued where it may wait.

        Raises:
            Refused: the name is taken, or neither a slot nor a place in the queue is free.
        """
        name = str(request["TranscriptionJobName"])
        if name in self._by_name:
            raise Refused("ConflictException", messages.NAME_TAKEN)
        free = self._free_slots() > 0
        if not free:
            self._check_queue(request)
        job = Job(self._next, request, now)
        self._next += 1
        self._by_name[name] = job
        self._by_status[job.status].append(job)
        if free:
            self._begin(job, now)
        else:
            self._queue.append(job)
        return job

    def _check_queue(self, request: Mapping[str, Any]) -> None:
        if not deferrable(request):
            raise Refused("LimitExceededException", messages.NO_FREE_SLOT)
        if len(self._queue) >= self._quotas.queue:
            raise Refused("LimitExceededConcurrentJobException", messages.QUEUE_FULL)

    def _free_slots(self) -> int:
        return self._quotas.slots - len(self._by_status[JobStatus.IN_PROGRESS])

    def _begin(self, job: Job, now: float) -> None:
        self._move(job, JobStatus.IN_PROGRESS)
        job.started = now

    def _move(self, job: Job, status: JobStatus) -> None:
        self._take_out(job)
        insort(self._by_status[status], job, key=_number)
        job.status = status

    def _take_out(self, job: Job) -> None:
        jobs = self._by_status[job.status]
        del jobs[bisect_left(jobs, job.number, key=_number)]

    def finish(self, job: Job, outcome: Outcome, now: float) -> list[Job]:
        """End a job in progress; returns the queued jobs that begin in its place."""
        self._move(job, JobStatus.FAILED if outcome.reason else JobStatus.COMPLETED)
        job.outcome = outcome
        job.completed = now
        begun = []
        while self._queue and self._free_slots() > 0:
            begun.append(self._queue.popleft())
            self._begin(begun[-1], now)
        return begun

    def get(self, name: str) -> Job:
        """The job of that name.

        Raises:
            Refused: there is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise bad_request(messages.NO_SUCH_JOB) from None

    def delete(self, name: str) -> Job:
        """Forget a job that has ended, and return it; its name is free again.

        Raises:
            Refused: there is none of that name, or it has not ended.
        """
        job = self.get(name)
        if job.status not in ENDED:
            raise bad_request(messages.STILL_RUNNING)
        self._take_out(job)
        return self._by_name.pop(name)

    def newest_first(self, status: JobStatus | None, below: int | None = None) -> Iterator[Job]:
        """Jobs of one status (None: of all), newest creation first, created before `below`."""
        jobs = self._by_status[status] if status else list(self._by_name.values())
        end = len(jobs) if below is None else bisect_left(jobs, below, key=_number)
        for position in range(end - 1, -1, -1):
            yield jobs[position]
