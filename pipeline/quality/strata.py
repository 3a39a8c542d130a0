"""Lines of ground truth ─► the two strata that the audit speaks of; pure.

Where `--review-below` was raised over the score of a recording of the audit since, the others like
it are reviewed as well, and it is one of them: its score is below all that nobody reviewed, and not
above all whose score asked for a review.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.quality.audit import Audit, Heard, Stratum, audited
from pipeline.quality.normalise import has_words, normalised
from pipeline.quality.pace import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.ground_truth.record import GroundTruth
    from pipeline.quality.error_rate import Counts


class _Review(NamedTuple):
    score: float
    heard: Heard
    is_doubtful: bool


class Strata:
    """The reviews and the `auto` lines so far."""

    def __init__(self, doubtful: Collection[str]) -> None:
        self._doubtful = doubtful
        self._low, self._good = Stratum(), Stratum()
        self._sample: list[_Review] = []
        self._lowest, self._asked = 1.0, 0.0
        self._waiting = 0

    def add_auto(self, line: GroundTruth) -> None:
        """Count a line that nobody reviewed."""
        text = normalised(line.text, line.language)
        self._good.leave(len(text.split() if has_words(line.language) else text))
        self._waiting += line.audit
        self._lowest = min(self._lowest, line.score or 0.0)

    def add_review(self, line: GroundTruth, units: Counts) -> None:
        """Count a review, with its units."""
        heard = Heard(units.errors, units.reference, units.predicted)
        is_doubtful = any((each or UNKNOWN) in self._doubtful for each in line.reviewers)
        review = _Review(line.score or 0.0, heard, is_doubtful)
        if line.audit:
            self._sample.append(review)
        else:
            self._asked = max(self._asked, review.score)
            _put(self._low, review)

    def merge(self, other: Strata) -> None:
        """Count the lines of another one as well."""
        self._low.merge(other._low)
        self._good.merge(other._good)
        self._sample += other._sample
        self._lowest = min(self._lowest, other._lowest)
        self._asked = max(self._asked, other._asked)
        self._waiting += other._waiting

    def audit(self) -> Audit | None:
        """What they tell; None where nothing is of the audit."""
        if not self._sample and not self._waiting:
            return None
        bound = min(self._lowest, self._asked)
        for each in self._sample:
            _put(self._good if each.score >= bound else self._low, each)
        self._sample, sample = [], self._sample
        doubted = sum(each.is_doubtful for each in sample)
        return audited(self._low, self._good, self._waiting, doubted)


def _put(stratum: Stratum, review: _Review) -> None:
    if review.is_doubtful:
        stratum.leave(review.heard.predicted)
    else:
        stratum.heard.append(review.heard)
