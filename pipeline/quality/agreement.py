"""Where two people reviewed the same recording: how far their texts are apart; pure.

The rate is the number of words in which two texts differ over the mean of their lengths, so that it
does not matter who comes first (characters in languages without spaces). Both texts are normalised
as a review and its prediction are.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.ground_truth.choice import rank, why
from pipeline.ground_truth.record import REVIEWED, read_ground_truth
from pipeline.ground_truth.unusable import usable
from pipeline.quality.error_rate import compare
from pipeline.quality.normalise import has_words
from pipeline.quality.pace import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth

_MOST = 50


class Pair(msgspec.Struct):
    """What two reviewers have in common: recordings, how many alike, and units that differ."""

    recordings: int = 0
    alike: int = 0
    differing: int = 0
    units: float = 0.0

    @property
    def rate(self) -> float | None:
        """Differing units per unit; None where nobody wrote any."""
        return self.differing / self.units if self.units else None

    def facts(self) -> dict[str, Any]:
        """The figures as `--json` prints them."""
        return msgspec.structs.asdict(self) | {"rate": self.rate}


class Disagreement(NamedTuple):
    """A recording whose reviews differ: its task's address, in how many units, and which counts.

    The unit is "words", or "characters" in languages without spaces.
    """

    audio: str
    address: str
    reviewers: tuple[str, str]
    differing: int
    unit: str
    counts: str
    why: str


class Agreement(msgspec.Struct, frozen=True):
    """By pairs of reviewers, and the disagreements, the largest first; `total` counts all."""

    pairs: dict[tuple[str, str], Pair]
    disagreements: list[Disagreement]
    total: int

    def facts(self) -> dict[str, Any]:
        """The figures as `--json` prints them."""
        return {
            "pairs": [{"reviewers": names} | pair.facts() for names, pair in self.pairs.items()],
            "disagreements": [each._asdict() for each in self.disagreements],
            "total": self.total,
        }


def agreement_in(path: Path, prefer: Sequence[str] = ()) -> Agreement:
    """The agreement of all who reviewed the same recordings; holds the texts of these alone.

    Raises:
        OutputUnusable: as of `read_ground_truth`.
    """
    reviewers: dict[str, str] = {}
    several = set()
    for line in read_ground_truth(path):
        reviewed = line.source == REVIEWED
        if reviewed and reviewers.setdefault(line.recording, _who(line)) != _who(line):
            several.add(line.recording)
    return agreement((e for e in read_ground_truth(path) if e.recording in several), prefer)


def agreement(lines: Iterable[GroundTruth], prefer: Sequence[str] = ()) -> Agreement:
    """The agreement of all who reviewed the same recordings.

    Args:
        lines: of the ground truth.
        prefer: as of `rank`.
    """
    groups: dict[str, list[GroundTruth]] = {}
    for line in lines:
        if line.source == REVIEWED:
            groups.setdefault(line.recording, []).append(line)
    pairs: dict[tuple[str, str], Pair] = {}
    apart = []
    for group in groups.values():
        counts = max(group, key=lambda line: rank(line, prefer))
        for one, other, differing, units in _differences(group, prefer):
            names = (_who(one), _who(other))
            pair = pairs.setdefault(names, Pair())
            pair.recordings += 1
            pair.alike += not differing
            pair.differing += differing
            pair.units += units
            if differing:
                unit = "words" if has_words(one.language) else "characters"
                told = unit, _who(counts), why(counts, prefer)
                apart.append(Disagreement(one.audio, one.address, names, differing, *told))
    apart.sort(key=lambda each: (-each.differing, each))
    return Agreement(dict(sorted(pairs.items())), apart[:_MOST], len(apart))


def _differences(
    group: Iterable[GroundTruth], prefer: Sequence[str]
) -> Iterator[tuple[GroundTruth, GroundTruth, int, float]]:
    """Each two reviews of a recording by two people: in what they differ, and their mean size.

    A person's review is the one that would count; what is marked as unusable has no text.
    """
    own: dict[str, GroundTruth] = {}
    for line in sorted(filter(None, map(usable, group)), key=lambda line: rank(line, prefer)):
        own[_who(line)] = line
    for one, other in combinations([own[name] for name in sorted(own)], 2):
        units = compare(one.text, other.text, one.language).units
        yield one, other, units.errors, (units.reference + units.predicted) / 2


def _who(line: GroundTruth) -> str:
    return line.reviewer or UNKNOWN
