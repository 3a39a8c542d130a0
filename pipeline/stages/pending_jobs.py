"""The jobs that wait to be started: claimed from the state file, handed to the starters."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.model import Job
    from pipeline.stages.counters import Counters
    from pipeline.state.run_state import RunState

_CLAIM = 64


class PendingJobs:
    """What the starters ask, and the producer tells.

    A job is open from its claim until its line is handed to the writer or it has ended otherwise.
    `limit` says what ended the starts, once `spent`.
    """

    def __init__(self, state: RunState, counters: Counters, most_starts: int | None) -> None:
        self.limit = f"limit {most_starts}"
        self._state = state
        self._counters = counters
        self._starts_left = most_starts
        self._claimed: deque[Job] = deque()
        self._none_left = False
        self._open = 0
        self._changed = asyncio.Event()

    async def next_job(self) -> Job | None:
        """A job to start, waiting for one; None when everything is settled."""
        while not self._claimed:
            self._claim()
            self._none_left = not self._claimed
            if self._claimed:
                break
            if not self._open and self.no_more_come:
                return None
            changed = self._changed
            await changed.wait()
        job = self._claimed.popleft()
        self._counters.stage_times.taken(job.name, time.monotonic())
        return job

    def _claim(self) -> None:
        most = _CLAIM if self._starts_left is None else min(_CLAIM, self._starts_left)
        self._claimed.extend(self._state.claim(most))
        self._open += len(self._claimed)
        if self._starts_left is not None:
            self._starts_left -= len(self._claimed)

    def wake(self) -> None:
        """There may be new pending recordings, or the listing has ended."""
        self._changed.set()
        self._changed = asyncio.Event()

    def resume(self) -> None:
        """A job that an earlier run left in flight is open again."""
        self._open += 1

    def settle(self) -> None:
        """One is open no longer."""
        self._open -= 1
        if not self._open:
            self.wake()

    def end_starts(self, limit: str) -> list[Job]:
        """Start nothing more, for that limit; return what was claimed and is left."""
        self.limit, self._starts_left = limit, 0
        left = list(self._claimed)
        self._claimed.clear()
        return left

    def only_open(self, count: int) -> bool:
        """Whether nothing is left but that many open jobs."""
        return self.ending and self._open == count

    @property
    def ending(self) -> bool:
        """Whether every recording has been started, so that the run waits for jobs alone."""
        return self._none_left and self.no_more_come

    @property
    def wanted(self) -> int:
        """How many jobs are open, or wait to be started, as far as is known."""
        left = self._state.recordings.pending()
        return self._open + (left if self._starts_left is None else min(left, self._starts_left))

    @property
    def spent(self) -> bool:
        """Whether as much was taken as this run may take."""
        return self._starts_left == 0

    @property
    def no_more_come(self) -> bool:
        """Whether all that this run will start is known."""
        return self._counters.listing_done or self.spent
