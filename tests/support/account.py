"""A model of an account's quotas, starts per second and slots for jobs, and of who uses it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import NoFreeSlot, Throttled
from pipeline.net.concurrency import JobSlots
from pipeline.net.retry import RateLimitedCall
from pipeline.net.wait_times import WaitTimes
from pipeline.stages.poller import Look, next_look
from tests.support.owned_time import in_owned_time, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LATENCY = 0.05
_SOONEST, _LONGEST = 0.2, 10.0


class _Bucket:
    """Calls that a quota allows: a second's worth of them is in hand at first."""

    def __init__(self, rate: float) -> None:
        self._tokens, self._counted_at = max(1.0, rate), 0.0

    def take(self, rate: float) -> None:
        """Take one call of those that have become free at this rate."""
        most = max(1.0, rate)
        self._tokens = min(most, self._tokens + (now() - self._counted_at) * rate)
        self._counted_at = now()
        if self._tokens < 1 - 1e-9:
            raise Throttled("Rate exceeded")
        self._tokens -= 1


@dataclass
class Account:
    """Takes starts and listings at a rate each, and starts only while a slot is free.

    `changes` are the quotas of later moments: (seconds, rate, slots). What is asked, and how it
    was answered, is kept by its moment.
    """

    rate: float
    slots: int
    job_seconds: tuple[float, float] = (2, 6)
    changes: Iterable[tuple[float, float, int]] = ()
    list_rate: float = 1e6
    seed: int = 7
    running: int = 0
    most_running: int = 0
    started_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    jobs: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._starts, self._lists = _Bucket(self.rate), _Bucket(self.list_rate)

    @property
    def calls(self) -> int:
        """Start calls of any answer."""
        return len(self.started_at) + len(self.refused_at)

    def refused_share(self, since: float = 0) -> float:
        """Which part of the start calls was refused."""
        refused = sum(moment >= since for moment in self.refused_at)
        return refused / max(1, refused + sum(moment >= since for moment in self.started_at))

    def rate_between(self, begin: float, end: float) -> float:
        """Starts a second that were taken in this stretch of time."""
        return sum(begin <= moment < end for moment in self.started_at) / (end - begin)

    async def start(self) -> float:
        """One call; returns how long the job will take."""
        await asyncio.sleep(_LATENCY / 2)
        refusal = self._refusal()
        (self.refused_at if refusal else self.started_at).append(now())
        if refusal:
            await asyncio.sleep(_LATENCY / 2)
            raise refusal
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        seconds = self._random.uniform(*self.job_seconds)
        self.jobs.append(seconds)
        asyncio.get_running_loop().call_later(seconds, self._end)
        await asyncio.sleep(_LATENCY / 2)
        return seconds

    def _refusal(self) -> Exception | None:
        for moment, rate, slots in self.changes:
            if now() >= moment:
                self.rate, self.slots = rate, slots
        try:
            self._starts.take(self.rate)
        except Throttled as error:
            return error
        return NoFreeSlot("Too many jobs.") if self.running >= self.slots else None

    async def list(self) -> float:
        """One page of the jobs; returns the moment that it shows."""
        await asyncio.sleep(_LATENCY / 2)
        self._lists.take(self.list_rate)
        shown = now()
        await asyncio.sleep(_LATENCY / 2)
        return shown

    def _end(self) -> None:
        self.running -= 1

    def best(self, count: int) -> float:
        """Seconds that the best possible schedule takes for so many jobs."""
        typical = sum(self.job_seconds) / 2
        return max(count / self.rate, count * typical / max(1, self.slots))


def side_by_side(customers: Sequence[Customer], counts: Sequence[int]) -> float:
    """Have each customer start so many jobs; returns the seconds until the last one has ended."""

    async def all_of_them() -> float:
        async with asyncio.TaskGroup() as together:
            for customer, count in zip(customers, counts, strict=True):
                together.create_task(customer.work(count))
        return now()

    return in_owned_time(all_of_them())


@dataclass
class Customer:
    """Starts jobs as the pipeline does: a pool, an operation with a pace, a gate of slots."""

    account: Account
    start_rate: float = 25
    max_in_flight: int = 250
    workers: int = 16
    list_rate: float = 1e6
    begins_at: float = 0

    def __post_init__(self) -> None:
        waiting = WaitTimes()
        self.gate = JobSlots(self.max_in_flight, waiting)
        self.operation = RateLimitedCall("Start", self.start_rate, waiting, slots=self.gate)
        self.listing = RateLimitedCall("List", self.list_rate, waiting)
        self.most_held = 0
        self.looks = 0
        self.started = 0
        self.ended_at = 0.0
        self._in_flight: list[tuple[float, float]] = []
        self._all_started = False
        self._all_ended = asyncio.Event()

    def run(self, count: int, at_most: float = float("inf")) -> float:
        """Start so many jobs and wait for their ends; returns the seconds that took."""
        return in_owned_time(self.work(count, at_most))

    async def work(self, count: int, at_most: float = float("inf")) -> float:
        """The same within a loop that others share."""
        await asyncio.sleep(self.begins_at)
        left = iter(range(count))
        looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(at_most if at_most < float("inf") else None):
                async with asyncio.TaskGroup() as pool:
                    for _ in range(self.workers):
                        pool.create_task(self._work(left))
                self._all_started = True
                await self._all_ended.wait()
        except TimeoutError:
            pass
        looking.cancel()
        self.ended_at = now()
        return self.ended_at

    async def _work(self, left: Iterable[int]) -> None:
        for _ in left:
            seconds = await self._started()
            self.started += 1
            self._all_ended.clear()
            self._in_flight.append((now() + seconds, seconds))

    async def _started(self) -> float:
        while True:
            try:
                return await self.operation.call(self._start)
            except NoFreeSlot:
                continue

    async def _start(self) -> float:
        self.most_held = max(self.most_held, self.gate.limit.held)
        return await self.account.start()

    async def _look(self) -> None:
        """Look at the jobs as the poller does, a call for each hundred."""
        interval, typical = _SOONEST, None
        while True:
            await asyncio.sleep(interval)
            begun = now()
            if not self._in_flight:
                self.gate.on_poll(begun, 0, uncollected=0)
                interval = _SOONEST
                continue
            calls = self.account.running // 100 + 1
            self.looks += calls
            there = list(self._in_flight)
            shown = min([await self.listing.call(self.account.list) for _ in range(calls)])
            ended = [each for each in there if each[0] <= shown]
            self._in_flight = [each for each in self._in_flight if each not in ended]
            self.gate.on_poll(begun, len(ended), uncollected=len(ended))
            for _, seconds in ended:
                typical = seconds if typical is None else typical + 0.1 * (seconds - typical)
                self.gate.give_back()
            if not self.gate.limit.held:
                self._all_ended.set()
            interval = next_look(interval, Look(calls), _LONGEST, typical, ending=self._all_started)
