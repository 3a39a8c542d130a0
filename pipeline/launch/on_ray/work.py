"""What a Ray cluster does for commands that compute more than they wait: `plan --exact`, `quality`.

Read `pieces.py` first. Each piece is what the command itself does without a cluster, to a part of
what there is, and the sums of the parts are merged.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.extras import require
from pipeline.jobs.rules import JobRules
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.on_ray.cluster import connected
from pipeline.launch.on_ray.driver import shards_of
from pipeline.launch.on_ray.pieces import spread
from pipeline.launch.on_ray.shard_task import options_of
from pipeline.launch.on_s3 import known_of_earlier_runs
from pipeline.launch.services import services
from pipeline.net.wait_times import WaitTimes
from pipeline.plan.forecast import forecast
from pipeline.plan.planning import Probing, Surveyed, survey
from pipeline.plan.sampling import Sample
from pipeline.recordings.manifest import named_by
from pipeline.s3_output.shard_source import ShardSource
from pipeline.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth
    from pipeline.launch.on_ray.shard_task import ShardRun
    from pipeline.launch.run import RunOptions
    from pipeline.plan.forecast import Plan
    from pipeline.quality.metrics import Quality, Sums

_REVIEWS = 500
"""Of a piece: some hundredths of a second of work, and a megabyte at most of usual ones."""


def measure_on_ray(
    address: str, path: Path, depth: int, least_pace: float, prefer: Sequence[str] = ()
) -> Quality:
    """`measure_file` with the reviews compared on the cluster at this address.

    Raises:
        MissingExtra: Ray is not installed.
        CannotRun: the ground truth can't be read, or no cluster takes the work.
    """
    require("ray")
    from pipeline.quality.metrics import Sums, measure_file, sums_of  # `plan` needs no error rates

    def summed(lines: Iterable[GroundTruth], depth: int, doubtful: Collection[str]) -> Sums:
        sums = Sums(depth, doubtful)
        work = partial(sums_of, depth=depth, doubtful=doubtful)
        with connected(address) as cluster:
            for part in spread(cluster, work, _batches(lines)):
                sums.merge(part)
        return sums

    return measure_file(path, depth, least_pace, prefer, summed)


def _batches(lines: Iterable[GroundTruth]) -> Iterator[list[GroundTruth]]:
    left = iter(lines)
    while batch := list(islice(left, _REVIEWS)):
        yield batch


def plan_on_ray(options: RunOptions) -> Plan:
    """The exact plan of a run, with every shard's recordings probed by a node of the cluster.

    Raises:
        MissingExtra: Ray is not installed.
        CannotRun: the run is not one for a cluster, no cluster takes it, or a shard can't be read.
    """
    shards = shards_of(options)
    require("ray")
    with (
        counted(options.style, None, "probed") as tell,
        connected(options.config.cluster.ray_address) as cluster,
    ):
        parts = spread(cluster, survey_shard, shards)
        surveyed = next(parts)
        for part in parts:
            surveyed = surveyed.merge(part)
            tell(surveyed.found.sample.probed)
    surveyed.found.refuse_unread()
    return in_event_loop(_forecast(options, surveyed))


async def _forecast(options: RunOptions, surveyed: Surveyed) -> Plan:
    async with (
        services(options.config, options.place, WaitTimes()) as (config, source, _, s3),
        known_of_earlier_runs(config, JobRules(config, source), s3) as earlier,
    ):
        return forecast(surveyed.found, config, earlier, surveyed.calls, source.uri)


def survey_shard(shard: ShardRun) -> Surveyed:
    """What a shard of the source holds, with all of its recordings probed that are to be started.

    Raises:
        CannotRun: the source, or what earlier runs have left, can't be read.
    """
    return in_event_loop(_survey(options_of(shard)))


async def _survey(options: RunOptions) -> Surveyed:
    async with services(options.config, options.place, WaitTimes()) as (config, whole, _, s3):
        source = named_by(options.manifest, whole, s3, config.metadata)
        rules = JobRules(config, source)
        own = JobRules(config, ShardSource(source, config.shard, rules.identity))
        probing = Probing(Sample(0), config.limits.collectors, lambda _: None)
        async with known_of_earlier_runs(config, rules, s3) as earlier:
            return await survey(own, s3, earlier, probing)
