"""Where two people reviewed the same recording: how far their texts are apart; pure.

The rate is the number of words in which two texts differ over the mean of their lengths, so that it
does not matter who comes first (characters in languages without spaces). Both texts are normalised
as a review and its prediction are. Of a long recording that was several tasks each part that two
people reviewed is compared as a recording is, also while other parts are not reviewed.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from pipeline.ground_truth.choice import rank, why
from pipeline.ground_truth.record import REVIEWED
from pipeline.ground_truth.unusable import usable
from pipeline.ground_truth.waiting_parts import lines_and_partial
from pipeline.quality.error_rate import compare
from pipeline.quality.normalise import has_words
from pipeline.quality.pace import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth, OtherReview, ReviewedPart

_MOST = 50


class Pair(msgspec.Struct):
    """What two reviewers have in common: recordings, how many alike, and units that differ.

    A part of a long recording counts as a recording.
    """

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
    for line in lines_and_partial(path):
        if line.source == REVIEWED:
            another = reviewers.setdefault(line.recording, _who(line)) != _who(line)
            if another or any(part.others for part in line.parts):
                several.add(line.recording)
    return agreement((e for e in lines_and_partial(path) if e.recording in several), prefer)


def agreement(lines: Iterable[GroundTruth], prefer: Sequence[str] = ()) -> Agreement:
    """The agreement of all who reviewed the same recordings.

    Args:
        lines: of the ground truth.
        prefer: as of `rank`.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    apart = []
    for group in _groups(lines, prefer):
        counts = group[0]
        for one, other, differing, units in _differences(group):
            names = (_who(one), _who(other))
            pair = pairs.setdefault(names, Pair())
            pair.recordings += 1
            pair.alike += not differing
            pair.differing += differing
            pair.units += units
            if differing:
                unit = "words" if has_words(one.language) else "characters"
                told = unit, _who(counts), why(counts, prefer, (one, other))
                apart.append(Disagreement(one.audio, one.address, names, differing, *told))
    apart.sort(key=lambda each: (-each.differing, each))
    return Agreement(dict(sorted(pairs.items())), apart[:_MOST], len(apart))


def _groups(lines: Iterable[GroundTruth], prefer: Sequence[str]) -> Iterator[list[GroundTruth]]:
    """The reviews of each recording and of each part, the one that counts first."""
    of_recordings: dict[str, list[GroundTruth]] = {}
    for line in lines:
        if line.source == REVIEWED:
            yield from _of_parts(line)
            if not line.partial:
                of_recordings.setdefault(line.recording, []).append(line)
    for group in of_recordings.values():
        yield sorted(group, key=lambda line: rank(line, prefer), reverse=True)


def _of_parts(line: GroundTruth) -> Iterator[list[GroundTruth]]:
    """The reviews of each part that can be compared, as if it were a recording; first what counts.

    Where it is said of the part that it is unusable there is nothing to compare.
    """
    for part in line.parts:
        reviews: list[ReviewedPart | OtherReview] = [part, *part.others]
        if part.text is not None:
            yield [_of_part(line, part, each) for each in reviews if each.text is not None]


def _of_part(line: GroundTruth, part: ReviewedPart, of: ReviewedPart | OtherReview) -> GroundTruth:
    return replace(
        line,
        reviewer=of.reviewer,
        text=of.text,
        task_id=part.task_id,
        annotation_id=of.annotation_id,
        starred=part.starred,
        segments=(),
        controls={},
        parts=(),
        partial=False,
    )


def _differences(
    group: Sequence[GroundTruth],
) -> Iterator[tuple[GroundTruth, GroundTruth, int, float]]:
    """Each two reviews of a recording by two people: in what they differ, and their mean size.

    A person's review is the one that would count; what is marked as unusable has no text.

    Args:
        group: the reviews, the one that counts first.
    """
    own: dict[str, GroundTruth] = {}
    for line in filter(None, map(usable, group)):
        own.setdefault(_who(line), line)
    for one, other in combinations([own[name] for name in sorted(own)], 2):
        units = compare(one.text, other.text, one.language).units
        yield one, other, units.errors, (units.reference + units.predicted) / 2


def _who(line: GroundTruth) -> str:
    return line.reviewer or UNKNOWN
