"""When each open job was started, and how long a job of this run takes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.model import Job

_RECHECK_SECONDS = 5.0
_LEARNING = 0.1


class JobClock:
    """The start of each open job by its name, in seconds, monotonic.

    `longest_seconds` is after how long a job is given up.
    `typical_seconds` is how long a job takes from its start until its transcript is here, a moving
    mean; None while none has ended that this run has started.
    """

    def __init__(self, longest_seconds: float = math.inf) -> None:
        self.longest_seconds = longest_seconds
        self.typical_seconds: float | None = None
        self._started: dict[str, float] = {}
        self._resumed: set[str] = set()
        self._not_before: dict[str, float] = {}

    def start(self, name: str, now: float) -> None:
        """The job was started, or met, just now."""
        self._started[name] = now

    def resume(self, name: str, started: float) -> None:
        """An earlier run started the job then, in seconds since the epoch."""
        self._started[name] = started + time.monotonic() - time.time()
        self._resumed.add(name)

    def recheck_later(self, name: str) -> None:
        """A listing had left the job out though it runs: it is due again, but not at once."""
        self._not_before[name] = time.monotonic() + _RECHECK_SECONDS

    def learn(self, name: str) -> None:
        """The job's transcript is here."""
        seconds = self.seconds_since_start(name)
        if seconds is not None:
            known = self.typical_seconds or seconds
            self.typical_seconds = known + _LEARNING * (seconds - known)

    def end_wait(self, name: str) -> None:
        """The job's end is no longer waited for."""
        self._not_before.pop(name, None)

    def forget(self, name: str) -> None:
        """The job is open no longer."""
        self._started.pop(name, None)
        self._resumed.discard(name)
        self._not_before.pop(name, None)

    def note_age(self, name: str, seconds: float | None) -> None:
        """The service says for how long the job has run; None where it does not."""
        if seconds is not None:
            self._started[name] = time.monotonic() - seconds

    def age(self, name: str) -> float:
        """For how many seconds the job has run: by the service's clock, where it was asked."""
        now = time.monotonic()
        return now - self._started.get(name, now)

    def seconds_since_start(self, name: str) -> float | None:
        """How long ago this run started the job; None where it did not.

        How long one lay about that an earlier run started says nothing.
        """
        started = None if name in self._resumed else self._started.get(name)
        return None if started is None else time.monotonic() - started

    def oldest_seconds(self, names: Iterable[str]) -> float:
        """How long ago the oldest of these was started; 0 where there is none."""
        now = time.monotonic()
        return now - min((self._started.get(name, now) for name in names), default=now)

    def due(self, jobs: Mapping[str, Job]) -> list[Job]:
        """Those of the jobs that were not looked at just now."""
        if not self._not_before:
            return list(jobs.values())
        now = time.monotonic()
        return [job for name, job in jobs.items() if self._not_before.get(name, 0) <= now]

    def overdue(self, jobs: Mapping[str, Job], seconds: float) -> list[Job]:
        """Those of the jobs that were started longer ago than that."""
        before = time.monotonic() - seconds
        return [job for name, job in jobs.items() if self._started.get(name, 0) < before]
