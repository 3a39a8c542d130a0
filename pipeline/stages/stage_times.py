"""How long recordings spend in each stage, as histograms. Arithmetic with the clock passed in."""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum

import msgspec

# From a call's answer to the longest job: the service takes four hours of audio, and queues.
BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200)
"""The upper bounds of the buckets in seconds, each inclusive; behind the last is one more."""


class Stage(StrEnum):
    """The stages that a recording passes, in their order."""

    START = "start"
    WAIT = "wait"
    COLLECT = "collect"
    WRITE = "write"


class Histogram(msgspec.Struct):
    """Durations, counted by bucket; `seconds` is their sum."""

    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.buckets)


class StageTimes:
    """Where each open recording is and since when; what has passed a stage is in its histogram.

    Moments are in seconds, monotonic. `start` is from the moment a starter takes the recording
    until its job runs, waiting for a slot and for the pace included; `wait` until a look or an
    event shows the job's end; `collect` until its line is with the writer; `write` until that is
    committed. What this run did not see begin is not counted: the start and the wait of a job that
    an earlier run started or whose result was found.
    """

    def __init__(self) -> None:
        self.stages = {stage: Histogram() for stage in Stage}
        self._entered: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._handed: dict[str, float] = {}

    def taken(self, job: str, now: float) -> None:
        """A starter has taken the recording, from its beginning."""
        self._entered[job] = now
        self._ended.pop(job, None)

    def runs(self, job: str, now: float) -> None:
        """The job runs at the service."""
        if (since := self._entered.get(job)) is not None:
            self.stages[Stage.START].add(now - since)
        self._entered[job] = now
        self._ended.pop(job, None)

    def seems_ended(self, job: str, now: float) -> None:
        """The job has finished, or a listing lags: another one may follow."""
        self._ended[job] = now

    def handed_over(self, job: str, now: float) -> None:
        """The job's line is with the writer."""
        since, ended = self._entered.pop(job, None), self._ended.pop(job, None)
        if since is not None and ended is not None:
            self.stages[Stage.WAIT].add(ended - since)
        begun = ended if ended is not None else since
        if begun is not None:
            self.stages[Stage.COLLECT].add(now - begun)
        self._handed[job] = now

    def written(self, job: str, now: float) -> None:
        """The job's line is committed."""
        if (since := self._handed.pop(job, None)) is not None:
            self.stages[Stage.WRITE].add(now - since)

    def left(self, job: str) -> None:
        """The recording ends otherwise, or begins again."""
        self._entered.pop(job, None)
        self._ended.pop(job, None)
