"""What a shard that runs tells now and then, and hears of the others; so they share the account.

How old a beat is tells S3's own clock: those of the machines may differ by minutes. One that can't
be read or written changes nothing: the run keeps the share it has.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.errors import PipelineError
from pipeline.logs import WARNING, event
from pipeline.s3_output.overview import Beat, read_all, send_beat
from pipeline.s3_output.shares import Claim

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.s3 import S3
    from pipeline.config.shards import Shard
    from pipeline.s3_output.account_share import AccountShare
    from pipeline.s3_output.layout import Layout
    from pipeline.s3_output.overview import Left
    from pipeline.stages.job_tracker import JobTracker

_SOONEST = 0.5  # seconds between two beats, at least
_MOST_READS = 1_000  # of beats a second by all shards; S3 takes 5,500 of a prefix
_OF_A_JOB = 0.5  # part of a typical job's time: within it slots change hands
_IN_MOTION = 0.25  # part of the time between two beats, while slots change hands
_MISSED = 4  # so many beats that are not heard, and some seconds more: the run goes on no longer
_LATE_SECONDS = 10.0
_LAST_WORD_SECONDS = 5.0
_UNHEARD = (
    "The shards could not hear of each other for a while: meanwhile each kept its share of the "
    "account's limits."
)


def next_beat(last: float, every: float, soonest: float, *, in_motion: bool) -> float:
    """Seconds until the next beat; the first ones come sooner than later ones. Pure.

    Args:
        last: the seconds before the last beat.
        every: the longest time between two.
        soonest: the shortest.
        in_motion: whether slots change hands, which are idle until the next one hears of them.
    """
    wished = every * _IN_MOTION if in_motion else 2 * last
    return min(every, max(soonest, wished))


@asynccontextmanager
async def heard_of(s3: S3, layout: Layout, beat: Beat, every: float) -> AsyncIterator[None]:
    """Tell that a run is about to begin, and again `every` so many seconds while the body goes on.

    What is told is the beat, but for its time.

    Raises:
        CannotRun: the first beat can't be written.
    """

    async def tell() -> None:
        await send_beat(s3, layout, replace(beat, at=datetime.now(UTC)))

    async def tell_on() -> None:
        while True:
            await asyncio.sleep(every)
            with suppress(PipelineError):  # the next one may be heard
                await tell()

    await tell()
    telling = asyncio.create_task(tell_on())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait([telling])


class Beats:
    """The beats of one run; `first` says what does not change, and the longest time between two."""

    def __init__(
        self, s3: S3, layout: Layout, tracker: JobTracker, share: AccountShare, first: Beat
    ) -> None:
        self._s3 = s3
        self._layout = layout
        self._tracker = tracker
        self._share = share
        self._first = first
        self._most_seconds = first.every

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Beat until the end of what is inside; the last one gives the slots back."""
        await self._try_to_beat()
        beating = asyncio.create_task(self._beat_on())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            with suppress(PipelineError, TimeoutError):  # silence tells the same a little later
                async with asyncio.timeout(_LAST_WORD_SECONDS):
                    await self._tell(Claim(held=self._tracker.slots.limit.held))

    async def _beat_on(self) -> None:
        seconds = min(self._soonest, self._every)
        while True:
            await asyncio.sleep(seconds)
            await self._try_to_beat()
            seconds = next_beat(
                seconds, self._every, self._soonest, in_motion=self._share.in_motion
            )

    async def _try_to_beat(self) -> None:
        try:
            others = await self._others()
            self._share.take(self._claim(), others)  # of now: a start may be refused meanwhile
            await self._tell(self._claim())
        except PipelineError as error:
            event("beat.failed", WARNING, message=str(error))
            self._tracker.note(_UNHEARD)

    def _claim(self) -> Claim:
        pending, started = self._tracker.pending, self._tracker.counters.started
        return self._share.claim(pending.wanted, started, listing=not pending.no_more_come)

    @property
    def _every(self) -> float:
        """Seconds until the next beat: as long as it takes for a part of the slots to be free."""
        typical = self._tracker.clock.typical_seconds or self._most_seconds / _OF_A_JOB
        return min(self._most_seconds, max(self._soonest, typical * _OF_A_JOB))

    @property
    def _soonest(self) -> float:
        """Seconds between two beats, at least: each reads all others, which S3 has to bear."""
        reads = self._layout.shard.count * len(self._share.beside)
        return max(_SOONEST, reads / _MOST_READS)

    async def _tell(self, claim: Claim) -> None:
        tasks = self._tracker.state.facts.output_lines
        what = {"at": datetime.now(UTC), "tasks": tasks, "every": self._every, "claim": claim}
        await send_beat(self._s3, self._layout, replace(self._first, **what))

    async def _others(self) -> dict[int, Claim]:
        """What the other shards of the account that go on have told, by their numbers."""
        told = await read_all(self._s3, self._layout.beats, Beat, self._is_beside)
        goes_on = (each for each in told.items() if _goes_on(each[1]))
        return {shard.number: beat.said.claim for shard, beat in goes_on}

    def _is_beside(self, shard: Shard) -> bool:
        own = self._layout.shard
        return shard != own and shard.count == own.count and shard.number in self._share.beside


def _goes_on(beat: Left[Beat]) -> bool:
    return beat.age < _MISSED * beat.said.every + _LATE_SECONDS
