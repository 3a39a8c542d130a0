"""The driver: starts every shard on the cluster, waits for them, and tells how they ended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.config.deadline import stop_in_time
from pipeline.config.schema import Monitoring
from pipeline.config.shards import Engine, Shard
from pipeline.errors import BadSettings, CannotRun, PipelineError, first_of
from pipeline.extras import require
from pipeline.launch.ending import ended
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.on_ray.cluster import Interrupted, ShardDied, connected
from pipeline.launch.on_ray.merged import INTERRUPTED, Command, ShardEnd, merged
from pipeline.launch.on_ray.shard_task import ShardRun
from pipeline.launch.on_s3 import opened_output
from pipeline.launch.s3_refusals import refuse_unfit
from pipeline.logs import WARNING, event
from pipeline.naming import S3Uri
from pipeline.s3_output.overview import overview
from pipeline.s3_output.parts import parts_there
from pipeline.terminal import CANNOT_RUN, Style, counted, tell
from pipeline.text import count_of

if TYPE_CHECKING:
    from pipeline.launch.on_ray.cluster import RayCluster
    from pipeline.launch.run import RunOptions
    from pipeline.monitoring.summary import Summary

_SEAL_SECONDS = 120.0
"""How long shards that are to end may take to tell so: each has 30 s to seal and 20 s to tell."""

_LOOK_SECONDS = 10.0
_MOST_DEATHS = 5

replace = msgspec.structs.replace


def complete_on_ray(options: RunOptions) -> Summary:
    """Run every shard of the source on a Ray cluster; the summary of all of them.

    Raises:
        MissingExtra: Ray is not installed.
        CannotRun: the run is not one for a cluster, or no cluster takes it.
    """
    shards = shards_of(options)
    require("ray")
    with connected(options.config.cluster.ray_address) as cluster:
        return in_event_loop(_Driver(cluster, options, shards).complete())


def shards_of(options: RunOptions) -> list[ShardRun]:
    """What each shard is to do; pure.

    The driver keeps the time, as a shard that is begun again would have all of it once more.

    Raises:
        BadSettings: other machines can't do what is asked for.
    """
    config, manifest = options.config, options.manifest
    _refuse_unfit(options)
    for_nodes = replace(
        config,
        budget=replace(config.budget, until="", max_hours=0.0),
        monitoring=Monitoring(log_format=config.monitoring.log_format),
    )
    return [
        ShardRun(
            replace(
                for_nodes,
                cluster=replace(
                    config.cluster, shards=config.shard.count, shard=number, engine=Engine.LOCAL
                ),
            ),
            str(options.place),
            str(manifest or ""),
            options.rebuild_state,
        )
        for number in range(config.shard.count)
    ]


def _refuse_unfit(options: RunOptions) -> None:
    config = options.config
    if not config.s3_output:
        raise BadSettings(
            f"The tasks of {config.output_name} would be on whichever node wrote them",
            "With --engine ray name a place on S3 with --output s3://bucket/prefix/.",
        )
    one = replace(config, cluster=replace(config.cluster, shard=0))
    refuse_unfit(one, options.place, rewrites=options.rebuild_output and not options.rebuild_state)
    if config.cluster.shard >= 0:
        raise BadSettings("--engine ray starts every shard itself", "Leave --shard out.")
    if options.manifest and not isinstance(options.manifest, S3Uri):
        raise BadSettings(
            f"{options.manifest} is on this machine, where the nodes do not find it",
            "Copy it to S3, and name it there with --manifest s3://bucket/key.",
        )
    if config.output.state or _watched_here(config.monitoring):
        raise BadSettings(
            "--state, --metrics-port, --metrics-file and --heartbeat-file are of one run on one "
            "machine, and with --engine ray there is one for each shard",
            "Leave them out; `status --output` shows all shards.",
        )


def _watched_here(monitoring: Monitoring) -> bool:
    return bool(monitoring.metrics_port or monitoring.metrics_file or monitoring.heartbeat_file)


class Deaths(NamedTuple):
    """How often in a row a shard has died that had written no part more; `parts` are all it has."""

    in_a_row: int = 0
    parts: int = 0

    def one_more(self, parts: int) -> Deaths:
        """It has died again, with so many parts."""
        in_a_row = 1 if parts > self.parts else self.in_a_row + 1
        return Deaths(in_a_row, max(parts, self.parts))


def given_up(died: ShardDied, deaths: Deaths) -> CannotRun:
    """What is said of a shard that is not begun again."""
    if deaths.in_a_row == 1:
        return died
    return CannotRun(
        f"{died.problem}. It died {deaths.in_a_row} times in a row, and wrote no tasks in between",
        "Look for the reason in the logs of the nodes, such as too little memory, and run the "
        "same command again: it goes on where it stopped.",
    )


class _Driver:
    """The shards of one command on a cluster, and how they ended so far."""

    def __init__(self, cluster: RayCluster, options: RunOptions, shards: list[ShardRun]) -> None:
        self._cluster = cluster
        self._options = options
        self._shards = shards
        self._ends: list[ShardEnd | None] = [None] * len(shards)
        self._ending = False

    async def complete(self) -> Summary:
        """Start every shard, and wait until all have ended or must end."""
        config = self._options.config
        begun = datetime.now(UTC)
        end = await ended(self._work)
        command = Command(str(self._options.place), config.output_name, begun, datetime.now(UTC))
        return merged(command, self._ends, end)

    async def _work(self) -> None:
        waiting = [asyncio.create_task(self._wait_for(n)) for n in range(len(self._shards))]
        try:
            await self._until_ended(waiting)
        except BaseException:
            await self._end_early(waiting)
            raise

    async def _until_ended(self, waiting: list[asyncio.Task[None]]) -> None:
        """Wait for the shards; the time may be over before, or the head gone."""
        budget = self._options.config.budget
        try:
            async with asyncio.TaskGroup() as group:
                beside = (self._cluster.watch_head(), stop_in_time(budget), self._show_progress())
                others = [group.create_task(each) for each in beside]
                await asyncio.wait(waiting)
                for each in others:
                    each.cancel()
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors

    async def _end_early(self, waiting: list[asyncio.Task[None]]) -> None:
        """Have the shards seal what they have, and wait for them."""
        if self._tells:
            tell(self._options.style, "Ending: the shards write what they have collected.")
        self._ending = True
        self._cluster.cancel()
        await asyncio.wait(waiting, timeout=_SEAL_SECONDS)
        for each in waiting:
            each.cancel()

    async def _wait_for(self, number: int) -> None:
        try:
            end = msgspec.json.decode(await self._answer_of(number), type=ShardEnd)
        except Interrupted:
            end = ShardEnd(INTERRUPTED)
        except CannotRun as error:
            end = ShardEnd(CANNOT_RUN, None, error.problem, error.advice)
        self._ends[number] = end
        event("shard.ended", shard=number, exit_code=end.exit_code)
        if self._tells:
            ended_so_far = sum(each is not None for each in self._ends)
            tell(
                self._options.style,
                f"Shard {number} has ended with exit code {end.exit_code}, "
                f"{ended_so_far} of {len(self._ends)} have.",
            )

    async def _answer_of(self, number: int) -> bytes:
        """What a shard answers, which is begun again for as long as it gets on.

        Raises:
            Interrupted: it was cancelled before there was anything to tell.
            CannotRun: its node could not run it, or it died and is not begun again.
        """
        budget, deaths = self._options.config.budget, Deaths()
        # What a dead node had spent of a budget nobody knows: rather less than was allowed.
        most = 1 if budget.limit or budget.max_cost else _MOST_DEATHS
        while True:
            try:
                return await self._cluster.run(number, msgspec.json.encode(self._shards[number]))
            except ShardDied as died:
                deaths = deaths.one_more(await self._parts_of(number))
                event("shard.died", WARNING, shard=number, message=died.problem, **deaths._asdict())
                if self._ending:
                    raise Interrupted from died
                if deaths.in_a_row >= most:
                    raise given_up(died, deaths) from died

    async def _parts_of(self, number: int) -> int:
        """How many parts a shard has written; 0 where that can't be seen."""
        config = self._options.config
        shard = Shard(number, config.shard.count)
        with suppress(PipelineError):
            async with opened_output(config) as (s3, layout):
                there = await parts_there(s3, layout)
            return sum(each.shard == shard for each in there)
        return 0

    async def _show_progress(self) -> None:
        """Show how many tasks all shards have; that they can't be counted stops nothing."""
        style, what = self._options.style, f"tasks of {count_of(len(self._ends), 'shard')}"
        with suppress(PipelineError), counted(style, None, what) as show:
            async with opened_output(self._options.config) as (s3, layout):
                while True:
                    with suppress(PipelineError):
                        show((await overview(s3, layout)).tasks)
                    await asyncio.sleep(_LOOK_SECONDS)

    @property
    def _tells(self) -> bool:
        return self._options.style in (Style.BAR, Style.LINES)
