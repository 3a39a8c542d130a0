"""How far the shards of an output are, from what each has left beside its parts.

When something was left tells S3's own clock: those of the machines may differ by minutes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Generic, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from pipeline.config.shards import Shard, lane_of, parse_shard
from pipeline.errors import OutputUnusable
from pipeline.monitoring.snapshot import SETTLED
from pipeline.s3_output.claim import Lanes, described
from pipeline.s3_output.json_file import read_aged_json
from pipeline.s3_output.shares import Claim
from pipeline.text import count_of, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri
    from pipeline.s3_output.layout import Layout

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

T = TypeVar("T")

_SILENT_SECONDS = 120.0
"""A shard that runs is heard of every 30 s, or sooner."""

_WITHIN_SECONDS = 2.0
"""S3 tells moments in whole seconds; a run's last beat comes right before its summary."""


@dataclass(frozen=True)
class Left(Generic[T]):
    """What a file says, and when it was written, by the monotonic clock of this machine."""

    said: T
    moment: float

    @property
    def age(self) -> float:
        """Seconds since it was written."""
        return max(0.0, time.monotonic() - self.moment)


class ShardStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one shard's last run ended, or that it still runs; counts are of recordings.

    `lane` is the profile whose account runs its jobs, "" where that is the run's own.
    `exit_code` is None where none ended yet, `seen_seconds` how long ago a run was heard of that
    has not ended, None where it has. `tasks` are the lines of its parts as far as it has told.
    """

    shard: int
    exit_code: int | None = None
    stopped: str = ""
    seen_seconds: float | None = None
    tasks: int = 0
    failed: int = 0
    pending: int = 0
    lane: str = ""

    @property
    def runs(self) -> bool:
        """Whether it was heard of just now."""
        return self.seen_seconds is not None and self.seen_seconds < _SILENT_SECONDS

    @property
    def told(self) -> bool:
        """Whether a run of it has ended, so that there is a copy of its state."""
        return self.exit_code is not None

    @property
    def complete(self) -> bool:
        """Whether its last run settled all that it listed."""
        return self.seen_seconds is None and self.exit_code in SETTLED


class Overview(msgspec.Struct, frozen=True):
    """All shards of an output; `incomplete` are the numbers of those to be run again."""

    output: str
    source: str
    shards: tuple[ShardStatus, ...]
    tasks: int
    failed: int
    pending: int
    incomplete: tuple[int, ...]


class _Counts(msgspec.Struct):
    tasks: int = 0
    failed: int = 0
    pending: int = 0
    in_flight: int = 0


class _Told(msgspec.Struct):
    """What of a summary counts here."""

    exit_code: int
    counts: _Counts = msgspec.field(default_factory=_Counts)
    stopped: str = ""


class Beat(msgspec.Struct, frozen=True):
    """What a shard that runs says of itself now and then: the next time in `every` seconds.

    `lanes` are those of the output; without any, `account` runs the jobs, "" where it is not known.
    """

    at: Moment
    tasks: int
    every: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 30.0
    claim: Claim = Claim()
    lanes: Lanes = Lanes()
    account: str = ""

    @property
    def may_have_jobs(self) -> bool:
        """Whether jobs may have been in flight when nothing more was heard of the run."""
        return bool(self.claim.held or self.claim.wanted)


async def overview(s3: S3, layout: Layout) -> Overview:
    """Read what all shards have left.

    Raises:
        OutputUnusable: no run has left anything.
    """
    told, beats = await _read_left(s3, layout)
    count = _newest_count(told, beats)
    if not count:
        raise OutputUnusable(
            f"No run has left anything below {layout.output}", "Name the --output of a run."
        )
    description = await described(s3, layout.description)
    wanted = [Shard(number, count) for number in range(count)]
    shards = tuple(
        replace(
            _status(each, told.get(each), beats.get(each)),
            lane=lane_of(description.lanes.profiles, each.number),
        )
        for each in wanted
    )
    return Overview(
        str(layout.output),
        description.source,
        shards,
        sum(each.tasks for each in shards),
        sum(each.failed for each in shards),
        sum(each.pending for each in shards),
        tuple(each.shard for each in shards if not each.complete and not each.runs),
    )


async def _read_left(
    s3: S3, layout: Layout
) -> tuple[dict[Shard, Left[_Told]], dict[Shard, Left[Beat]]]:
    told = await read_all(s3, layout.summaries, _Told)
    return told, await read_all(s3, layout.beats, Beat)


async def read_all(
    s3: S3, folder: S3Uri, kind: type[T], wanted: Callable[[Shard], bool] = lambda _: True
) -> dict[Shard, Left[T]]:
    """What the files there say, by shard; what has another name is nothing of a run's.

    Raises:
        OutputUnusable: one can't be read.
    """
    places: dict[Shard, S3Uri] = {}
    async for page in s3.pages(folder):
        for each in page:
            shard = parse_shard(each.key.removeprefix(folder.key).removesuffix(".json"))
            if shard and wanted(shard):
                places[shard] = folder._replace(key=each.key)
    told = await asyncio.gather(*(_left(s3, place, kind) for place in places.values()))
    return {shard: left for shard, left in zip(places, told, strict=True) if left}


async def _left(s3: S3, place: S3Uri, kind: type[T]) -> Left[T] | None:
    # Its age is as of its own answer: another's may come a retry later.
    found = await read_aged_json(s3, place, kind)
    return found and Left(found[0], time.monotonic() - found[1])


async def newest_beat(s3: S3, layout: Layout) -> Beat | None:
    """The beat that was written last; None where there is none."""
    beats = await read_all(s3, layout.beats, Beat)
    newest = max(beats.values(), key=lambda each: each.moment, default=None)
    return newest.said if newest else None


async def shard_count(s3: S3, layout: Layout) -> int:
    """Into how many shards the source was cut last; 0 where no run has left anything."""
    return _newest_count(*await _read_left(s3, layout))


def _newest_count(told: Mapping[Shard, Left[_Told]], beats: Mapping[Shard, Left[Beat]]) -> int:
    """Into how many shards the source was cut last; 0 where there is none."""
    moments = [(each.moment, shard.count) for left in (told, beats) for shard, each in left.items()]
    return max(moments)[1] if moments else 0


def _status(shard: Shard, told: Left[_Told] | None, beat: Left[Beat] | None) -> ShardStatus:
    seen = None
    if beat and (told is None or beat.moment > told.moment + _WITHIN_SECONDS):
        seen = round(beat.age, 1)
    ended = told.said if told else None
    counts = ended.counts if ended else _Counts()
    return ShardStatus(
        shard=shard.number,
        exit_code=ended.exit_code if ended else None,
        stopped=ended.stopped if ended else "",
        seen_seconds=seen,
        tasks=beat.said.tasks if beat and seen is not None else counts.tasks,
        failed=counts.failed,
        pending=counts.pending + counts.in_flight,
    )


def refuse_running(found: Overview) -> None:
    """Refuse to change states while a run works with one: it would not see the change.

    Raises:
        OutputUnusable: one was heard of just now.
    """
    if running := [str(each.shard) for each in found.shards if each.runs]:
        raise OutputUnusable(
            f"Runs of {found.output} go on: shard {', '.join(running)}",
            "Wait until they have ended; one that was killed counts for two minutes.",
        )


def lines(found: Overview) -> Iterator[str]:
    """The overview as people read it."""
    count = len(found.shards)
    yield f"Source:    {found.source}"
    yield f"Output:    {found.output}, {count_of(count, 'shard')}"
    yield f"Tasks:     {found.tasks:,} written, {found.pending:,} pending, {found.failed:,} failed"
    if lanes := list(dict.fromkeys(each.lane for each in found.shards if each.lane)):
        yield f"Lanes:     {'; '.join(_shards_of(lane, found.shards) for lane in lanes)}"
    if running := [each for each in found.shards if each.runs]:
        yield f"Running:   {', '.join(_seen(running))}"
    if left := [each for each in found.shards if each.shard in found.incomplete]:
        yield f"Not done:  {', '.join(map(_why, left))}"
        again = ", ".join(f"--shard {each.shard}" for each in left)
        yield f"Next:      run the same command again with --shards {count} and {again}"


def _shards_of(lane: str, shards: Iterable[ShardStatus]) -> str:
    return f"{lane} (shard {', '.join(str(each.shard) for each in shards if each.lane == lane)})"


def _seen(shards: Iterable[ShardStatus]) -> Iterator[str]:
    for each in shards:
        yield f"{each.shard} (heard of {duration(each.seen_seconds or 0.0)} ago)"


def _why(each: ShardStatus) -> str:
    if each.seen_seconds is not None:
        return f"{each.shard} (not heard of for {duration(each.seen_seconds)})"
    if each.exit_code is None:
        return f"{each.shard} (no run of it has ended)"
    return f"{each.shard} (exit code {each.exit_code}{f', {each.stopped}' if each.stopped else ''})"


async def send_beat(s3: S3, layout: Layout, beat: Beat) -> None:
    """Say that a run of this shard goes on, how many tasks it has, and what of the account."""
    await s3.write(layout.beat, msgspec.json.encode(beat))


class Heard(NamedTuple):
    """The last beat of a shard, how many seconds ago it was, and whether its run goes on."""

    beat: Beat
    seconds: float
    runs: bool


async def last_beats(s3: S3, layout: Layout) -> dict[Shard, Heard]:
    """What was last heard of each shard, in the order of their numbers."""
    beats = await read_all(s3, layout.beats, Beat)
    told = await read_all(s3, layout.summaries, _Told) if beats else {}
    return {
        shard: Heard(
            each.said,
            each.age,
            _status(shard, told.get(shard), each).runs,
        )
        for shard, each in sorted(beats.items())
    }
