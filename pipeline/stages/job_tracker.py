"""Where each job of a run stands between its claim and its end, and what follows from a change.

The state file is the queue between producer and starters; this holds only what is in memory, and
all of it can be made again from the state file and the service.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import TYPE_CHECKING

from pipeline.logs import WARNING, event
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from pipeline.stages.counters import Counters
from pipeline.stages.job_clock import JobClock
from pipeline.stages.pending_jobs import PendingJobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.model import Job
    from pipeline.state.run_state import RunState


class JobTracker:
    """The transitions of jobs.

    A job is `waiting` from its start until the poller sees, or an event tells, that it has ended;
    it holds its slot until its end is certain, and is given up after `timeout_hours`. `queueing`
    tells whether the service was seen to queue jobs, `audio_seconds` the length of open jobs whose
    recordings were probed. Whoever is in `on_recorded` is told the name of each job whose end is
    written down for good.
    """

    def __init__(
        self,
        state: RunState,
        most_in_flight: int,
        most_starts: int | None = None,
        *,
        queueing: bool = False,
        timeout_hours: float = math.inf,
    ) -> None:
        self.state = state
        self.counters = Counters()
        self.waits = WaitTimes()
        self.slots = JobSlots(most_in_flight, self.waits)
        self.clock = JobClock(timeout_hours * 3600)
        self.pending = PendingJobs(state, self.counters, most_starts)
        self.waiting: dict[str, Job] = {}
        self.queueing = queueing
        self.audio_seconds: dict[str, float] = {}
        self.on_recorded: list[Callable[[str], None]] = []
        self._holding: set[str] = set()
        self._restarts: Counter[str] = Counter()

    # Start

    def resume(self) -> None:
        """Take up the jobs that an earlier run left in flight."""
        for job, started in self.state.recordings.in_flight():
            self.pending.resume()
            self.counters.resumed += 1
            self.slots.adopt()
            self._wait_for(job)
            self.clock.resume(job.name, started)

    def is_running(self, job: Job, *, queued: bool = False) -> None:
        """The job runs at the service, or is queued there, and holds its slot."""
        now = time.monotonic()
        self._wait_for(job)
        self.queueing |= queued
        self.clock.start(job.name, now)
        self.counters.stage_times.runs(job.name, now)

    def _wait_for(self, job: Job) -> None:
        self._holding.add(job.name)
        self.waiting[job.name] = job

    # End

    def on_poll(self, ended: Iterable[Job], begun: float) -> None:
        """A listing, begun then by the loop's clock, no longer showed these.

        Each holds its slot until its end is certain.
        """
        before = len(self.waiting)
        for job in ended:
            self.seems_ended(job)
        uncollected = len(self._holding) - len(self.waiting)
        self.slots.on_poll(begun, before - len(self.waiting), uncollected=uncollected)

    def on_event(self, name: str) -> Job | None:
        """An event says that the job has ended: its slot is free, and it is waited for no longer.

        None where nobody waits for it.
        """
        job = self.waiting.get(name)
        if job is not None:
            self.seems_ended(job)
            self.slots.on_event()
            self.has_ended(job)
        return job

    def seems_ended(self, job: Job) -> None:
        """The job is waited for no longer; it holds its slot until its end is certain."""
        del self.waiting[job.name]
        self.clock.end_wait(job.name)
        self.counters.stage_times.seems_ended(job.name, time.monotonic())

    def has_ended(self, job: Job) -> None:
        """The service runs it no longer: its slot is free."""
        if job.name in self._holding:
            self._holding.discard(job.name)
            self.slots.give_back()

    def still_running(self, job: Job, *, queued: bool = False) -> None:
        """A listing had left it out: look again, but not at once."""
        if job.name not in self._holding:
            self._holding.add(job.name)
            self.slots.adopt()
        self.queueing |= queued
        self.waiting[job.name] = job
        self.clock.recheck_later(job.name)

    def hand_over(self, job: Job, *, silent: bool) -> None:
        """The job's line is on its way to the writer."""
        self.clock.learn(job.name)
        self.counters.silent += silent
        self.counters.stage_times.handed_over(job.name, time.monotonic())
        self._close(job)

    def wrote(self, jobs: Sequence[Job], count: int) -> None:
        """The jobs' lines are committed; `count` of them were still wanted."""
        now = time.monotonic()
        for job in jobs:
            self.counters.stage_times.written(job.name, now)
        self.counters.written += count
        self._recorded(*jobs)

    def fail(self, job: Job, reason: str, message: str) -> None:
        """The recording ends without a task."""
        if job.name in self.waiting:
            self.seems_ended(job)
        self.state.failed(job, reason, message)
        self._recorded(job)
        self.counters.failures[reason] += 1
        event("recording.failed", WARNING, **_names(job), reason=reason, message=message)
        self._close(job)

    # Not yet

    def defer(self, job: Job) -> None:
        """The recording met faults for too long: the next run goes on with it as it stands."""
        self.counters.deferred += 1
        event("recording.deferred", WARNING, **_names(job))
        self._close(job)

    def try_again(self, job: Job, *, language: str = "") -> None:
        """The job failed for no fault of the recording: it is pending under a new name.

        `language` is given to its next job, where it could not be identified.
        """
        self.state.try_again(job, language=language)
        event("job.replaced", WARNING, **_names(job))
        self._reopen(job)

    def restart(self, job: Job) -> int:
        """The service has forgotten the job: it is pending again; return how often this was."""
        self._restarts[job.name] += 1
        event("job.forgotten", WARNING, **_names(job))
        self.put_back(job)
        return self._restarts[job.name]

    def note(self, sentence: str) -> None:
        """Say, once, that something goes another way than was asked for."""
        if sentence not in self.counters.notes:
            self.counters.notes.append(sentence)
            event("run.note", WARNING, message=sentence)

    def put_back(self, job: Job) -> None:
        """No job runs for the recording: it is pending again."""
        self.state.release(job)
        self._reopen(job)

    def _reopen(self, job: Job) -> None:
        self._recorded(job)
        self._close(job)
        self.pending.wake()

    def _recorded(self, *jobs: Job) -> None:
        for job in jobs:
            for tell in self.on_recorded:
                tell(job.name)

    def _close(self, job: Job) -> None:
        self.audio_seconds.pop(job.name, None)
        self.clock.forget(job.name)
        self.counters.stage_times.left(job.name)
        self.has_ended(job)
        self.pending.settle()


def _names(job: Job) -> dict[str, str]:
    """What a log line calls the job by."""
    return {"recording": job.recording.key, "job": job.name}
