"""Which recordings are for training, for development and for testing; pure.

A recording's side follows from a hash of the seed and of what is kept together: its own name, a
value of its metadata, or its speakers. So the same data has the same sides everywhere, and a side
stays when other data comes. Values that a recording has together are on one side together.

    0 ────── test ─────┬──────────────── train ─────────────┬───── dev ────── 1

The two ends grow towards one another: a larger share for testing takes nothing from development.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.ground_truth.record import GroundTruth

SPEAKER = "speaker"
_OF_ONE_RECORDING = re.compile(r"speech|(spk|ch|speaker|channel)[ _-]?\d+", re.IGNORECASE)
"""Labels that mean somebody else in each recording; `speech` where nobody was told apart."""


class Side(StrEnum):
    """What a recording is for."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Splits(NamedTuple):
    """How recordings are split: shares from 0 to 1, and what is kept together.

    `keep_together` is "speaker", a name of metadata, or "" for each recording by itself.
    """

    dev: float = 0.1
    test: float = 0.1
    seed: str = ""
    keep_together: str = ""


def side_of(value: str, splits: Splits) -> Side:
    """The side of everything that has this value."""
    content = f"{splits.seed}\0{value}".encode("utf-8", "surrogatepass")
    place = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) / 2**64
    if place < splits.test:
        return Side.TEST
    return Side.DEV if place >= 1 - splits.dev else Side.TRAIN


def sides(
    lines: Callable[[], Iterable[GroundTruth]], splits: Splits
) -> Callable[[GroundTruth], Side]:
    """What tells the side of each line.

    Args:
        lines: reads them; it is called where a line may have several values.
        splits: how they are split.
    """
    if splits.keep_together != SPEAKER:
        return lambda line: side_of(values_of(line, splits.keep_together)[0], splits)
    groups = _Groups()
    for line in lines():
        groups.join(values_of(line, SPEAKER))
    return lambda line: side_of(groups.first(values_of(line, SPEAKER)[0]), splits)


def values_of(line: GroundTruth, keep_together: str) -> tuple[str, ...]:
    """What a recording is kept together by: its own URI where it has none of what was named."""
    found: tuple[str, ...] = ()
    if keep_together == SPEAKER:
        names = {(each.speaker or "").strip() for each in line.segments}
        found = tuple(sorted(filter(is_named, names)))
    elif (value := line.metadata.get(keep_together)) is not None:
        found = (f"{keep_together}={value}",)
    return found or (line.audio,)


def is_named(speaker: str) -> bool:
    """Whether a label is somebody's name, and not only one of a recording's speakers."""
    return bool(speaker) and not _OF_ONE_RECORDING.fullmatch(speaker)


class _Groups:
    """Values that are together somewhere, and so everywhere."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, values: Iterable[str]) -> None:
        """These are together."""
        first, *others = (self.first(each) for each in values)
        for each in others:
            low, high = sorted((self.first(first), self.first(each)))
            if low != high:
                self._above[high] = low

    def first(self, value: str) -> str:
        """The first of its group, by the order of texts."""
        while (above := self._above.get(value, value)) != value:
            self._above[value] = self._above.get(above, above)
            value = above
        return value
