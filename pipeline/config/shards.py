"""Which of a source's recordings one of several runs takes, and which run this is; pure.

Schedulers number the runs of an array from what they set in the environment: AWS Batch,
Kubernetes' indexed jobs and SLURM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from pipeline.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_SHARD = -1
"""What `shard` is where nobody has said which."""

MOST_SHARDS = 256
"""One byte of an identity tells the shard."""

_BATCH = ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE")
_KUBERNETES = "JOB_COMPLETION_INDEX"
_SLURM = "SLURM_ARRAY_TASK_ID"


class Engine(StrEnum):
    """What runs the shards of a source."""

    LOCAL = "local"
    RAY = "ray"


class Cluster(msgspec.Struct, frozen=True):
    """How several runs share one source; for an output on S3."""

    shards: Annotated[
        int,
        Meta(ge=0, le=MOST_SHARDS, description="How many runs share the source; 0 is one alone."),
    ] = 0
    shard: Annotated[
        int,
        Meta(
            ge=NO_SHARD,
            lt=MOST_SHARDS,
            description="Which of them this run is, from 0. [default: as an array job numbers it]",
        ),
    ] = NO_SHARD
    engine: Annotated[
        Engine,
        Meta(description="Where shards run: local, this one here; ray, all on a Ray cluster."),
    ] = Engine.LOCAL
    ray_address: Annotated[
        str,
        Meta(
            min_length=1,
            description="Head of the Ray cluster, HOST:PORT; auto is that of this machine.",
        ),
    ] = "auto"
    seal_seconds: Annotated[
        float,
        Meta(gt=0, le=86_400, description="Seconds that tasks wait to be written to S3, at most."),
    ] = 300.0
    seal_megabytes: Annotated[
        float, Meta(gt=0, le=32, description="Megabytes of tasks that are written at once.")
    ] = 8.0
    beat_seconds: Annotated[
        float,
        Meta(
            gt=0,
            le=30,
            description="Seconds until shards hear of each other again, at most.",
        ),
    ] = 30.0
    lanes: Annotated[
        list[str],
        Meta(
            description="Profiles of the accounts that run the jobs: shard I takes number I modulo "
            "how many these are. They are fixed for the life of an output. [default: the run's own]"
        ),
    ] = msgspec.field(default_factory=list)


_NAME = re.compile(r"s(\d{4})-of-(\d{4})")


@dataclass(frozen=True, order=True)
class Shard:
    """One of `count` parts of a source, `number` from 0."""

    number: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """What its objects are called by."""
        return f"s{self.number:04}-of-{self.count:04}"

    @classmethod
    def of(cls, identity: bytes, count: int) -> Shard:
        """Which of so many the recording of this identity is in."""
        return cls(identity[0] * count // MOST_SHARDS, count)

    def has(self, identity: bytes) -> bool:
        """Whether the recording of this identity is in it."""
        return Shard.of(identity, self.count).number == self.number

    def beside(self, lanes: int) -> range:
        """The numbers of the shards on its account, where so many accounts take turns."""
        step = max(1, lanes)
        return range(self.number % step, self.count, step)

    def share(self, amount: int) -> int:
        """Its part of an amount that all shards have together; the parts add up to it."""
        return amount // self.count + (self.number < amount % self.count)


def lane_of(lanes: Sequence[str], number: int) -> str:
    """The profile whose account runs the jobs of the shard of this number; "" is the run's own."""
    return lanes[number % len(lanes)] if lanes else ""


def parse_shard(name: str) -> Shard | None:
    """The shard of this name; None where it is no name of one."""
    found = _NAME.fullmatch(name)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    return shard if shard and shard.number < shard.count <= MOST_SHARDS else None


def shard_of(number: int, count: int, environment: Mapping[str, str]) -> Shard | None:
    """The shard that a run is: as it is told, else as its scheduler numbers it.

    None where nothing says which of several it is, as a command that looks at all need not know.

    Args:
        number: --shard, `NO_SHARD` where it was not given.
        count: --shards, 0 where it was not given.
        environment: the process environment.

    Raises:
        BadSettings: it can't be told of how many, or there is none of that number.
    """
    if number == NO_SHARD:
        number, size, variable = _numbered(environment)
        if size and count and size != count:
            raise BadSettings(
                f"--shards is {count}, but the array of {variable} has {size}",
                "Leave --shards out, or give the array that size.",
            )
        if variable and not count and not size:
            raise BadSettings(
                f"{variable} is {number}, but nothing says how many there are",
                "Say it with --shards N, or every one of them would take the whole source.",
            )
        count = count or size
    if number == NO_SHARD and count > 1:
        return None
    shard = Shard(max(number, 0), count or 1)
    if shard.count > MOST_SHARDS:
        raise BadSettings(f"--shards is {shard.count}, but there can be {MOST_SHARDS} at most")
    if not 0 <= shard.number < shard.count:
        raise BadSettings(
            f"--shard is {shard.number}, but of {shard.count} the last one is {shard.count - 1}"
        )
    return shard


def is_unnamed(cluster: Cluster) -> bool:
    """Whether there are several shards, and nothing says which of them is meant."""
    return cluster.shard == NO_SHARD and cluster.shards > 1


def refuse_unnamed_shard(cluster: Cluster) -> None:
    """Refuse a command that is about one shard where nothing says which.

    Raises:
        BadSettings: there are several shards, and none is named.
    """
    if is_unnamed(cluster):
        raise BadSettings(
            f"--shards is {cluster.shards}, but nothing says which of them this is",
            f"Say it with --shard, 0 to {cluster.shards - 1}; array jobs of AWS Batch, Kubernetes "
            "and SLURM number them.",
        )


def _numbered(environment: Mapping[str, str]) -> tuple[int, int, str]:
    """The number and size that a scheduler gives, 0 where it gives no size; and the variable.

    SLURM's count is of the tasks that were submitted: of one that is run again it is 1.
    """
    index, size = _BATCH
    if index in environment:
        return _number(environment, index), _number(environment, size), index
    for variable in (_KUBERNETES, _SLURM):
        if variable in environment:
            return _number(environment, variable), 0, variable
    return NO_SHARD, 0, ""


def _number(environment: Mapping[str, str], variable: str) -> int:
    text = environment.get(variable) or "0"
    if not text.isascii() or not text.isdigit():
        raise BadSettings(
            f"{variable} is {text!r}, which is no number",
            "Name the shard with --shard and --shards.",
        )
    return int(text)
