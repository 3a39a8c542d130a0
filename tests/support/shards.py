"""A model of shards on one account that hear of each other, in a loop of owned time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.config.shards import Shard
from pipeline.s3_output.account_share import AccountShare
from pipeline.s3_output.beats import next_beat
from pipeline.s3_output.shares import Claim
from tests.support.account import Customer
from tests.support.owned_time import in_owned_time, now

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from tests.support.account import Account

_SOONEST = 0.5  # seconds between two beats, at least
_CALL = 0.05  # seconds that reading the others' beats takes, and writing one


@dataclass
class ShardRun(Customer):
    """One shard: a customer whose limits are set at each beat, `every` seconds apart.

    `told` are the beats of all, by number: the claim, and when it was written.
    """

    shard: Shard = field(default_factory=Shard)
    every: float = 2.0
    told: dict[int, tuple[Claim, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.share = AccountShare(self.shard, self.gate, [self.operation, self.listing])
        self._awake = asyncio.Event()
        self._awake.set()

    async def work(self, count: int, at_most: float = float("inf")) -> float:
        """Start so many jobs, hearing of the others meanwhile, and wait for their ends."""
        await asyncio.sleep(self.begins_at)
        self.begins_at = 0
        await self._beat(count)
        beating = asyncio.create_task(self._beat_on(count))
        ended = await super().work(count, at_most)
        beating.cancel()
        self.told[self.shard.number] = (Claim(), now())
        return ended

    async def stop_for(self, seconds: float) -> None:
        """The machine stands still: nothing is started, and nobody hears of it."""
        self._awake.clear()
        await asyncio.sleep(seconds)
        self._awake.set()

    async def _started(self) -> float:
        await self._awake.wait()
        return await super()._started()

    async def _beat_on(self, count: int) -> None:
        seconds = soonest = min(_SOONEST, self.every)
        while True:
            await asyncio.sleep(seconds)
            await self._awake.wait()
            await self._beat(count)
            moving = self.share.in_motion
            seconds = next_beat(seconds, self.every, soonest, in_motion=moving)

    async def _beat(self, count: int) -> None:
        own, silent = self._claim(count), 4 * self.every + 10
        heard = {
            number: claim
            for number, (claim, at) in self.told.items()
            if number != self.shard.number and now() - at < silent
        }
        await asyncio.sleep(_CALL)
        self.share.take(own, heard)
        told = self._claim(count)
        await asyncio.sleep(_CALL)
        self.told[self.shard.number] = (told, now())

    def _claim(self, count: int) -> Claim:
        return self.share.claim(self.gate.limit.held + count - self.started, self.started)


def shards_of(
    account: Account, begins_at: Sequence[float], believed: int, every: float
) -> list[ShardRun]:
    """Shards of one output that begin at these moments and believe the account has so many slots.

    The rates that they believe in are the account's.
    """
    told: dict[int, tuple[Claim, float]] = {}
    return [
        ShardRun(
            account,
            account.rate,
            believed,
            list_rate=account.list_rate,
            begins_at=begin,
            shard=Shard(number, len(begins_at)),
            every=every,
            told=told,
        )
        for number, begin in enumerate(begins_at)
    ]


def by_chance(recordings: int, shards: int) -> list[int]:
    """How many recordings are in each shard: which one a recording is in is left to chance."""
    found = random.choices(range(shards), k=recordings)
    return [found.count(number) for number in range(shards)]


def watched(runs: Sequence[ShardRun], work: Coroutine[Any, Any, None]) -> None:
    """Let shards with more than enough to do run beside `work`, which ends it all."""

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(each.work(100_000)) for each in runs]
        await work
        for task in tasks:
            task.cancel()

    in_owned_time(all_of_them())
