"""What an output on S3 is not for; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.shards import refuse_unnamed_shard
from pipeline.errors import BadSettings
from pipeline.naming import S3Uri

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.schema import Config


def refuse_unfit(config: Config, place: S3Uri | Path, *, rewrites: bool) -> None:
    """Refuse a run over `place` whose output can't be parts on S3.

    `rewrites` tells that every task is to be written once more.

    Raises:
        BadSettings: the settings ask for what an output on S3 can't have.
    """
    refuse_unnamed_shard(config.cluster)
    if not isinstance(place, S3Uri):
        raise BadSettings(
            "The tasks of a folder can't be written to S3, where no other machine has the folder",
            "Name a file with --output, or put the recordings into a bucket.",
        )
    if not config.output.results:
        raise BadSettings(
            "An output on S3 needs a place for the transcripts that other machines can read",
            "Name one with --results s3://bucket/prefix/.",
        )
    if rewrites:
        raise BadSettings(
            "What is sealed on S3 is never rewritten",
            "Name another --output: the tasks are made from the transcripts that exist.",
        )
    if len(lanes := config.cluster.lanes) > config.shard.count:
        raise BadSettings(
            f"lanes names {len(lanes)} profiles, and the last ones would have no shard, as there "
            f"{'is 1' if config.shard.count == 1 else f'are {config.shard.count}'}",
            "Cut the source into as many with --shards, or name fewer.",
        )
    if config.aws.events and config.shard.count > 1:
        raise BadSettings(
            "Several shards can't share one queue of events: each would take the others'",
            "Leave --events out.",
        )
