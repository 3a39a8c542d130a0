"""What the stages of one run share: the jobs under way, the brakes, and what has happened so far.

The state file is the queue between producer and starters; this holds only what is in memory, and
all of it can be made again from the state file and the service.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from pipeline.config.pricing import cost
from pipeline.config.schema import Prices
from pipeline.errors import SystematicFailure
from pipeline.logs import WARNING, event
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from pipeline.stages.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.events.message import EventTrust
    from pipeline.model import Job
    from pipeline.stages.cost_budget import CostBudget
    from pipeline.state.run_state import State

_CLAIM = 64
_ALL_ALIKE = 20
_RECHECK_SECONDS = 5.0
_LEARNING = 0.1


class JobTracker:
    """The jobs between their claim and their end.

    A job is open from the claim until its line is handed to the writer or it has failed;
    it is waiting from its start until the poller sees, or an event tells, that it has finished.
    `queueing` tells whether the service was seen to queue jobs, `typical_seconds` how long a job
    takes, `lengths` the seconds of audio of open jobs whose recordings were looked into. A `purse`
    says what may be started for the money, `over` which budget is over. With events `reliance` says
    how far to rely on them, and `on_settled` is told the name of each job that is written down as
    ended.
    """

    def __init__(self, state: State, most_in_flight: int, most_starts: int | None = None) -> None:
        self.state = state
        self._starts_left = most_starts
        self.figures = Counters()
        self.braking = WaitTimes()
        self.slots = JobSlots(most_in_flight, self.braking)
        self.waiting: dict[str, Job] = {}
        self.queueing = False
        self.prices = Prices()
        self.typical_seconds: float | None = None
        self.cost_budget: CostBudget | None = None
        self.over = f"limit {most_starts}"
        self.lengths: dict[str, float] = {}
        self.event_trust: EventTrust | None = None
        self.on_settled: Callable[[str], None] | None = None
        self._holding: set[str] = set()
        self._since: dict[str, float] = {}
        self._resumed: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._restarts: Counter[str] = Counter()
        self._claimed: deque[Job] = deque()
        self._nothing_left = False
        self._open = 0
        self._changed = asyncio.Event()
        self._anything_ran = False
        self._refused: deque[tuple[Job, str]] = deque(maxlen=_ALL_ALIKE)

    @property
    def cost(self) -> float:
        """What the transcripts cost that this run has collected, in the prices' currency."""
        return cost(self.figures.billed, self.prices)

    # The producer tells, the starters ask

    def resume(self) -> None:
        """Take up the jobs that an earlier run left in flight."""
        ago = time.monotonic() - time.time()
        for job, started in self.state.in_flight():
            self._open += 1
            self.figures.resumed += 1
            self.slots.adopt()
            self._hold(job)
            self.waiting[job.name] = job
            self._since[job.name] = started + ago
            self._resumed.add(job.name)

    def listed(self) -> None:
        """There may be new pending recordings, or the listing has ended."""
        self._wake()

    async def next_job(self) -> Job | None:
        """A job to start, waiting for one; None when everything is settled."""
        while not self._claimed:
            self._claim()
            self._nothing_left = not self._claimed
            if self._claimed:
                break
            if not self._open and (self.figures.listing_done or self.spent):
                return None
            changed = self._changed
            await changed.wait()
        job = self._claimed.popleft()
        self.figures.passage.taken(job.name, time.monotonic())
        return job

    def _claim(self) -> None:
        most = _CLAIM if self._starts_left is None else min(_CLAIM, self._starts_left)
        self._claimed.extend(self.state.claim(most))
        self._open += len(self._claimed)
        if self._starts_left is not None:
            self._starts_left -= len(self._claimed)

    def end_starts(self, job: Job, over: str) -> None:
        """A budget is over: the job, and those that were claimed, are left to the next run."""
        self.over, self._starts_left = over, 0
        for each in (job, *self._claimed):
            self.state.release(each)
            self._settle(each)
        self._claimed.clear()
        self._wake()

    @property
    def ending(self) -> bool:
        """Whether every recording has been started, so that the run waits for jobs alone."""
        return self._nothing_left and (self.figures.listing_done or self.spent)

    @property
    def spent(self) -> bool:
        """Whether as much was taken as this run may take."""
        return self._starts_left == 0

    # A job's way

    def is_running(self, job: Job) -> None:
        """The job runs at the service and holds its slot."""
        self._refused.clear()
        self._anything_ran = True
        self._hold(job)
        self.waiting[job.name] = job
        self._since[job.name] = now = time.monotonic()
        self.figures.passage.runs(job.name, now)

    def seem_finished(self, jobs: Iterable[Job], begun: float) -> None:
        """A look at the jobs, begun then by the loop's clock, no longer showed these.

        Each holds its slot until its end is certain.
        """
        before = len(self.waiting)
        for job in jobs:
            self.give_up(job)
        ended = before - len(self.waiting)
        self.slots.on_poll(begun, ended, uncollected=len(self._holding) - len(self.waiting))

    def told(self, name: str) -> Job | None:
        """An event says that the job has ended: its slot is free, and it is waited for no longer.

        None where nobody waits for it.
        """
        job = self.waiting.get(name)
        if job is None:
            return None
        self.give_up(job)
        self.slots.on_event()
        self.has_ended(job)
        return job

    def give_up(self, job: Job) -> None:
        """Wait for its end no longer."""
        del self.waiting[job.name]
        self._not_before.pop(job.name, None)
        self.figures.passage.seems_ended(job.name, time.monotonic())

    def has_ended(self, job: Job) -> None:
        """The service runs it no longer: its slot is free."""
        if job.name in self._holding:
            self._holding.discard(job.name)
            self.slots.give_back()

    def still_running(self, job: Job) -> None:
        """A listing had left it out: look again, but not at once."""
        if job.name not in self._holding:
            self._hold(job)
            self.slots.adopt()
        self.waiting[job.name] = job
        self._not_before[job.name] = time.monotonic() + _RECHECK_SECONDS

    def due(self) -> list[Job]:
        """The waiting jobs that a listing may show as finished."""
        if not self._not_before:
            return list(self.waiting.values())
        now = time.monotonic()
        return [job for name, job in self.waiting.items() if self._not_before.get(name, 0) <= now]

    def overdue(self, seconds: float) -> list[Job]:
        """The waiting jobs that were started longer ago than that."""
        before = time.monotonic() - seconds
        return [job for name, job in self.waiting.items() if self._since.get(name, 0) < before]

    @property
    def oldest_seconds(self) -> float:
        """How long ago the oldest of the waiting jobs was started; 0 where none is."""
        now = time.monotonic()
        return now - min((self._since.get(name, now) for name in self.waiting), default=now)

    def _hold(self, job: Job) -> None:
        self._holding.add(job.name)

    def postpone(self, job: Job) -> None:
        """The recording met faults for too long: the next run goes on with it as it stands."""
        self.figures.postponed += 1
        event("recording.postponed", WARNING, recording=job.recording.key, job=job.name)
        self._settle(job)

    def try_again(self, job: Job) -> None:
        """The job failed for no fault of the recording: it is pending under a new name."""
        self.state.try_again(job)
        self._settled(job)
        event("job.replaced", WARNING, recording=job.recording.key, job=job.name)
        self._settle(job)
        self._wake()

    def refuse(self, job: Job, reason: str, words: str) -> None:
        """The service does not take the recording.

        Raises:
            SystematicFailure: so it was with twenty in a row, and none ever ran; they are pending
                again, as it is not the recordings.
        """
        self.fail(job, reason, words)
        if self._anything_ran or self.figures.resumed:
            return
        self._refused.append((job, reason))
        if len(self._refused) >= _ALL_ALIKE and {why for _, why in self._refused} == {reason}:
            for each, _ in self._refused:
                self.state.release(each)
            raise SystematicFailure(
                f"The service refused {_ALL_ALIKE} recordings in a row, each for the same reason "
                f"({reason}): {words} Nothing was started; mend that and run the same command "
                "again."
            )

    def restart(self, job: Job) -> int:
        """The service has forgotten the job: it is pending again; return how often this was."""
        self._restarts[job.name] += 1
        event("job.forgotten", WARNING, recording=job.recording.key, job=job.name)
        self.state.release(job)
        self._settled(job)
        self._settle(job)
        self._wake()
        return self._restarts[job.name]

    def seconds_of(self, job: Job) -> float | None:
        """How long ago this run started the job; None where it did not.

        How long one lay about that an earlier run started says nothing.
        """
        since = None if job.name in self._resumed else self._since.get(job.name)
        return None if since is None else time.monotonic() - since

    def hand_over(self, job: Job, *, silent: bool) -> None:
        """The job's line is on its way to the writer."""
        seconds = self.seconds_of(job)
        self._since.pop(job.name, None)
        if seconds is not None:
            known = self.typical_seconds or seconds
            self.typical_seconds = known + _LEARNING * (seconds - known)
        self.figures.silent += silent
        self.figures.passage.handed_over(job.name, time.monotonic())
        self._settle(job)

    def fail(self, job: Job, reason: str, words: str) -> None:
        """The recording ends without a task."""
        self._since.pop(job.name, None)
        self.state.failed(job, reason, words)
        self._settled(job)
        self.figures.failures[reason] += 1
        about = {"recording": job.recording.key, "job": job.name}
        event("recording.failed", WARNING, **about, reason=reason, words=words)
        self._settle(job)

    def note(self, sentence: str) -> None:
        """Say, once, that something goes another way than was asked for."""
        if sentence not in self.figures.notes:
            self.figures.notes.append(sentence)
            event("run.note", WARNING, message=sentence)

    def wrote(self, jobs: Sequence[Job], count: int) -> None:
        """The jobs' lines are committed; `count` of them were still wanted."""
        now = time.monotonic()
        for job in jobs:
            self.figures.passage.written(job.name, now)
        self.figures.written += count
        self._settled(*jobs)

    def _settled(self, *jobs: Job) -> None:
        """What became of the jobs is written down for good."""
        if self.on_settled is not None:
            for job in jobs:
                self.on_settled(job.name)

    def _settle(self, job: Job) -> None:
        self.lengths.pop(job.name, None)
        self.figures.passage.left(job.name)
        self.has_ended(job)
        self._open -= 1
        if not self._open:
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
