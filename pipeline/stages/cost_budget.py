"""What a run may spend: the cost of each job is reserved before it starts, as `plan` reckons it.

A recording's length is read off its container, so that no job starts whose cost would pass the
budget; jobs in flight are in the sum from their start. Where a container can't be read, or claims
more than the service takes, the length is presumed from the size, at 16 kbit/s and eight hours at
the most, which is more than most such files hold. A job that fails keeps what was reserved for it.
Jobs that an earlier run left in flight come first; those that a killed run could not note any more
are counted when they are met.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING

from pipeline.config.pricing import Item, billed_seconds, cost, items_of
from pipeline.errors import Deferred
from pipeline.recordings.probe import LONGEST, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.config.pricing import Prices
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job
    from pipeline.recordings.prober import MediaProber
    from pipeline.stages.job_tracker import JobTracker

_BYTES_A_SECOND = 2_000


class CostBudget:
    """Reserves costs, up to `most`, in the prices' currency."""

    def __init__(
        self,
        most: float,
        prices: Prices,
        job_rules: JobRules,
        tracker: JobTracker,
        prober: MediaProber,
    ) -> None:
        self._most = most
        self._job_rules = job_rules
        self._tracker = tracker
        self._prices = prices
        self._prober = prober
        self._billed: Counter[Item] = Counter()
        self._spent = False

    def __str__(self) -> str:
        """The budget, as a summary names it."""
        return f"max-cost {self._most:g}"

    async def reserve(self, job: Job) -> bool:
        """Reserve the job's cost; False when it is too much, and for every job after that."""
        billed = await self._billed_for(job)
        alone = cost(billed, self._prices)
        if alone > self._most and not self._spent:
            self._tracker.note(
                f"{job.recording.key} alone costs about {self._prices.currency} {alone:,.2f}:"
                f" nothing more starts with {self}. Raise it, or leave that out with --exclude."
            )
        self._spent |= cost(self._billed + billed, self._prices) > self._most
        if not self._spent:
            self._billed += billed
        return not self._spent

    async def count(self, jobs: Iterable[Job]) -> None:
        """Count jobs that run already, whatever they cost."""
        for billed in await asyncio.gather(*map(self._billed_for, jobs)):
            self._billed += billed

    async def _billed_for(self, job: Job) -> Counter[Item]:
        recording = job.recording
        try:
            seconds = (await self._prober.probe(recording)).seconds
        except (Unreadable, Deferred):
            seconds = math.inf
        if seconds <= LONGEST:
            self._tracker.audio_seconds[job.name] = seconds
        else:
            seconds = min(LONGEST, recording.size / _BYTES_A_SECOND)
        return Counter(dict.fromkeys(self._items(job), billed_seconds(seconds)))

    def _items(self, job: Job) -> tuple[Item, ...]:
        return items_of(self._job_rules.of(job.recording.key))
