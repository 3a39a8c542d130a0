"""Lines of ground truth ─► figures of how good the predictions were; pure.

Only reviews count: `auto` lines are predictions that nobody has heard, and a review without a
prediction has nothing to be compared with. Where several people or projects reviewed a recording,
the review counts that `convert` takes; the pace is that of all reviews.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pipeline.ground_truth.choice import one_each
from pipeline.ground_truth.record import REVIEWED, GroundTruth, Segment, read_ground_truth
from pipeline.ground_truth.unusable import usable
from pipeline.ground_truth.waiting_parts import lines_and_partial
from pipeline.quality.agreement import Agreement, agreement_in
from pipeline.quality.audit import Audit  # noqa: TC001 # msgspec reads the annotation
from pipeline.quality.calibration import (
    Calibration,
    Checked,
    Point,
    Threshold,
    band,
    calibrate,
    curve,
    threshold,
)
from pipeline.quality.error_rate import Comparison, Confusion, Counts, compare
from pipeline.quality.pace import UNKNOWN, Pace, is_quicker, paces
from pipeline.quality.strata import Strata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    Summing = Callable[[Iterable[GroundTruth], int, Collection[str]], "Sums"]

_MOST_CONFUSIONS = 50
_MOST_PLACES = 3


class QualityStats(msgspec.Struct):
    """What a group of reviews adds up to.

    `words` lacks the reviews in languages without spaces, `characters` has all. `unchanged` counts
    reviews without an error; `milliseconds` is the length of what was reviewed, where it is known.
    """

    reviews: int = 0
    unchanged: int = 0
    milliseconds: int = 0
    words: Counts = msgspec.field(default_factory=Counts)
    characters: Counts = msgspec.field(default_factory=Counts)

    def add(self, compared: Comparison, seconds: float | None) -> None:
        """Count one review."""
        self.reviews += 1
        self.unchanged += not compared.units.errors
        self.milliseconds += round((seconds or 0.0) * 1000)
        self.words += compared.words or Counts()
        self.characters += compared.characters

    def merge(self, other: QualityStats) -> None:
        """Count the reviews of another group as well."""
        self.reviews += other.reviews
        self.unchanged += other.unchanged
        self.milliseconds += other.milliseconds
        self.words += other.words
        self.characters += other.characters


class Quality(msgspec.Struct, frozen=True):
    """Every figure.

    `groups` are by language, speaker, prefix, score and reviewer; `confusions` the most frequent
    first, with how often they were made. `auto`, `unpredicted` and `unusable` count the lines that
    are no part of the figures, `unusable_segments` the segments of other lines; `superseded` the
    reviews in whose place another of the recording counts, `quick` those that took too little time.
    `pace` is by reviewer; `audit` is None where nothing of the audit is there.
    `agreement` is that of people who reviewed the same recordings. `places` are the addresses of
    tasks with each of the confusions, three at most, and `projects` those of the projects.
    """

    total: QualityStats
    groups: dict[str, dict[str, QualityStats]]
    confusions: list[tuple[Confusion, int]]
    calibration: list[Calibration]
    threshold: Threshold | None
    curve: list[Point]
    auto: int
    unpredicted: int
    unusable: int = 0
    unusable_segments: int = 0
    superseded: int = 0
    quick: int = 0
    pace: dict[str, Pace] = {}
    audit: Audit | None = None
    places: list[list[str]] = []
    projects: list[str] = []
    agreement: Agreement = Agreement({}, [], 0)


def sums_of(lines: Iterable[GroundTruth], depth: int, doubtful: Collection[str]) -> Sums:
    """The sums of some reviews; those of all can be merged from those of each part."""
    sums = Sums(depth, doubtful)
    for line in lines:
        sums.add(line)
    return sums


def measure_file(
    path: Path,
    depth: int = 1,
    least_pace: float = 0.0,
    prefer: Sequence[str] = (),
    summed: Summing = sums_of,
) -> Quality:
    """Measure one review for each recording of a ground truth, and the pace of all.

    Args:
        path: the ground truth.
        depth: how many folders of a key are its prefix.
        least_pace: reviews that took less than so many times the recording's length are left out.
        prefer: as of `rank`.
        summed: adds reviews up, as `sums_of` does.

    Raises:
        OutputUnusable: as of `read_ground_truth`.
    """

    def counts(line: GroundTruth) -> bool:
        """A review with nothing to compare it with takes no other one's place."""
        is_measured = line.source != REVIEWED or line.predicted is not None
        return is_measured and not is_quicker(line, least_pace)

    pace = paces(lines_and_partial(path))
    doubtful = {name for name, each in pace.items() if each.is_doubtful}
    quality = summed(one_each(path, counts, prefer), depth, doubtful).quality()
    reviewed = quick = unpredicted = 0
    for line in read_ground_truth(path):
        reviewed += line.source == REVIEWED
        quick += is_quicker(line, least_pace)
        unpredicted += not counts(line) and not is_quicker(line, least_pace)
    left_out = quick + unpredicted + quality.unusable
    superseded = reviewed - left_out - quality.total.reviews
    more = {
        "agreement": agreement_in(path, prefer),
        "pace": pace,
        "quick": quick,
        "unpredicted": unpredicted,
        "superseded": superseded,
    }
    return replace(quality, **more)


def prefix(audio: str, depth: int) -> str:
    """The bucket and the first folders of an URI's key, as they are written there."""
    scheme, _, rest = audio.rpartition("://")
    place, *folders = rest.split("/")[:-1] or [rest]
    return "/".join([f"{scheme}://{place}", *folders[:depth], ""])


class Sums:
    """The sums so far: what is kept of a line does not hold its text."""

    def __init__(self, depth: int, doubtful: Collection[str]) -> None:
        self._depth = depth
        self._strata = Strata(doubtful)
        self._total = QualityStats()
        self._groups: dict[str, dict[str, QualityStats]] = {
            name: {} for name in ("language", "speaker", "prefix", "score", "reviewer")
        }
        self._confusions: Counter[Confusion] = Counter()
        self._places: dict[Confusion, list[str]] = {}
        self._projects: set[str] = set()
        self._checked: list[Checked] = []
        self._auto = self._unpredicted = self._unusable = self._unusable_segments = 0

    def add(self, line: GroundTruth) -> None:
        """Count one line."""
        if line.source != REVIEWED:
            self._auto += 1
            self._strata.add_auto(line)
        elif line.predicted is None:
            self._unpredicted += 1
        elif kept := usable(line):
            spoken = sum(each.is_speech for each in line.segments)
            self._unusable_segments += spoken - len(kept.segments)
            compared = compare(kept.text, kept.predicted or "", kept.language)
            self._strata.add_review(kept, compared.units)
            self._add_review(kept, compared)
        else:
            self._unusable += 1

    def merge(self, other: Sums) -> None:
        """Count the lines of other sums as well; they are not of the same lines."""
        self._strata.merge(other._strata)
        self._total.merge(other._total)
        for group, stats in self._groups.items():
            for name, each in other._groups[group].items():
                stats.setdefault(name, QualityStats()).merge(each)
        self._confusions.update(other._confusions)
        for words, addresses in other._places.items():
            self._keep(words, addresses)
        self._projects |= other._projects
        self._checked += other._checked
        self._auto += other._auto
        self._unpredicted += other._unpredicted
        self._unusable += other._unusable
        self._unusable_segments += other._unusable_segments

    def _keep(self, words: Confusion, addresses: list[str]) -> None:
        """Keep the first addresses of tasks in which words were confused, whatever comes first."""
        known = self._places.get(words, [])
        self._places[words] = sorted({*known, *addresses})[:_MOST_PLACES]

    def _add_review(self, line: GroundTruth, compared: Comparison) -> None:
        units = compared.units
        self._confusions.update(compared.confusions)
        if line.address:
            self._projects.add(line.project)
            for words, address in _addresses(line, compared).items():
                self._keep(words, [address])
        self._checked.append(
            Checked(line.score, units.predicted, units.hits, units.errors, line.duration or 0.0)
        )
        self._total.add(compared, line.duration)
        names = {
            "language": line.language or UNKNOWN,
            "prefix": prefix(line.audio, self._depth),
            "score": band(line.score),
            "reviewer": line.reviewer or UNKNOWN,
        }
        for group, name in names.items():
            self._groups[group].setdefault(name, QualityStats()).add(compared, line.duration)
        for speaker in sorted({_speaker(each) for each in line.segments + line.deleted}):
            stats = self._groups["speaker"].setdefault(speaker, QualityStats())
            stats.add(*_of_speaker(line, speaker))

    def quality(self) -> Quality:
        """What it all adds up to."""
        confusions = sorted(self._confusions.items(), key=lambda item: (-item[1], item[0]))
        return Quality(
            total=self._total,
            groups={name: dict(sorted(group.items())) for name, group in self._groups.items()},
            confusions=confusions[:_MOST_CONFUSIONS],
            places=[self._places.get(each, []) for each, _ in confusions[:_MOST_CONFUSIONS]],
            projects=sorted(self._projects),
            calibration=calibrate(self._checked),
            threshold=threshold(self._checked),
            curve=curve(self._checked),
            auto=self._auto,
            unpredicted=self._unpredicted,
            unusable=self._unusable,
            unusable_segments=self._unusable_segments,
            audit=self._strata.audit(),
        )


def _addresses(line: GroundTruth, compared: Comparison) -> dict[Confusion, str]:
    """The address of a task for each confusion; of a recording in parts the first that has it."""
    places = dict.fromkeys(compared.confusions, line.address)
    for part in reversed(line.parts if places else ()):
        said = [each for each in line.segments if part.start <= each.start < part.end]
        deleted = [each for each in line.deleted if part.start <= each.start < part.end]
        own = _compared(said, deleted, line.language).confusions.keys() & places.keys()
        places |= dict.fromkeys(own, replace(line, task_id=part.task_id).address)
    return places


def _of_speaker(line: GroundTruth, speaker: str) -> tuple[Comparison, float]:
    """What one speaker said, as the reviewer has it, against what was heard there; its seconds.

    A segment that the reviewer gave to another speaker is that one's: its words were heard all the
    same. What was heard in segments that the reviewer deleted stays their speaker's, so that
    merging two segments is no error.
    """
    segments = [each for each in line.segments if _speaker(each) == speaker]
    deleted = [each for each in line.deleted if _speaker(each) == speaker]
    seconds = sum(each.end - each.start for each in segments)
    return _compared(segments, deleted, line.language), seconds


def _compared(segments: list[Segment], deleted: list[Segment], language: str | None) -> Comparison:
    """What is said in some segments against what was heard in them and in deleted ones."""
    predicted = sorted(segments + deleted, key=lambda each: (each.start, each.end))
    return compare(
        " ".join(each.text for each in segments),
        " ".join(each.predicted or "" for each in predicted),
        language,
    )


def _speaker(segment: Segment) -> str:
    return segment.who or UNKNOWN
