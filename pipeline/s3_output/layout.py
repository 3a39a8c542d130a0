"""What lies where below an output on S3; pure.

cluster.json                          source, kind and results: who disagrees is refused
parts/s0003-of-0008/00000017.jsonl    tasks; written once and never changed
state/s0003-of-0008.sqlite.gz         a copy of the state file, which may be lost
summaries/s0003-of-0008.json          how the last run ended
beats/s0003-of-0008.json              that a run goes on, and its share of the account
failures/s0003-of-0008.jsonl          the failed recordings, as the local file has them
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pipeline.config.shards import Shard, parse_shard

if TYPE_CHECKING:
    from pipeline.naming import S3Uri

_PART = re.compile(r"([^/]+)/(\d{8})\.jsonl")


class Part(NamedTuple):
    """One part: the shard that wrote it, and its number there, from 0."""

    shard: Shard
    number: int

    @property
    def name(self) -> str:
        """Its name below `parts/`."""
        return f"{self.shard.name}/{self.number:08}.jsonl"


class Layout(NamedTuple):
    """The places of one shard below `output`, which ends with a slash or is a bucket."""

    output: S3Uri
    shard: Shard

    @property
    def description(self) -> S3Uri:
        """What the output is of."""
        return self._at("cluster.json")

    @property
    def parts(self) -> S3Uri:
        """Where the parts of all shards are."""
        return self._at("parts/")

    def part(self, part: Part) -> S3Uri:
        """Where a part is."""
        return self._at(f"parts/{part.name}")

    @property
    def state(self) -> S3Uri:
        """The copy of the state file."""
        return self._at(f"state/{self.shard.name}.sqlite.gz")

    @property
    def states(self) -> S3Uri:
        """The copies of the state files of all shards."""
        return self._at("state/")

    @property
    def summaries(self) -> S3Uri:
        """How the last run of each shard ended."""
        return self._at("summaries/")

    @property
    def summary(self) -> S3Uri:
        """How the last run ended."""
        return self._at(f"summaries/{self.shard.name}.json")

    @property
    def beats(self) -> S3Uri:
        """What each shard that runs says of itself."""
        return self._at("beats/")

    @property
    def beat(self) -> S3Uri:
        """What this shard says of itself."""
        return self._at(f"beats/{self.shard.name}.json")

    @property
    def failures(self) -> S3Uri:
        """The failed recordings."""
        return self._at(f"failures/{self.shard.name}.jsonl")

    def part_of(self, key: str) -> Part | None:
        """The part that has this key; None for an object that is none."""
        found = _PART.fullmatch(key.removeprefix(self.parts.key))
        shard = parse_shard(found[1]) if found else None
        return Part(shard, int(found[2])) if found and shard else None

    def concerns(self, part: Part) -> bool:
        """Whether it may hold recordings of this shard.

        Shards of one count share nothing; those of another count cut the source elsewhere.
        """
        return part.shard == self.shard or part.shard.count != self.shard.count

    def _at(self, name: str) -> S3Uri:
        return self.output._replace(key=f"{self.output.key}{name}")
