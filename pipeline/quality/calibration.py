"""Whether a prediction's score tells how good it is, and where reviewing pays; pure."""

from __future__ import annotations

from itertools import groupby, pairwise
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
CAUGHT = 0.95
NO_SCORE = "no score"


class Checked(NamedTuple):
    """One review: the prediction's score, its units (words or characters), the recording's length.

    `right` of the `predicted` units are in the review as well; `seconds` is 0 where unknown.
    """

    score: float | None
    predicted: int
    right: int
    errors: int
    seconds: float


class Calibration(msgspec.Struct, frozen=True):
    """The reviews of one band of scores.

    `mean_score` weighs each review by its predicted units, as `right` does: what share of them the
    reviewer left. `unchanged` is the share of reviews without an error. None where there is nothing
    to take a share of.
    """

    band: str
    reviews: int
    mean_score: float | None
    right: float | None
    unchanged: float


class Threshold(msgspec.Struct, frozen=True):
    """What `push --review-below BELOW` would have done.

    `below` None means that every recording has to be reviewed. `caught` is the share of all errors
    that lie below it; the rest are shares that nobody would have had to listen to.
    """

    below: float | None
    caught: float
    recordings_saved: float
    hours_saved: float


class Point(NamedTuple):
    """Shares of 0..1: reviewing the least certain `reviewed` would have caught `caught`."""

    reviewed: float
    caught: float


def band(score: float | None) -> str:
    """The band of scores that a score is in: the lower edge belongs to it, and 1 to the last."""
    if score is None:
        return NO_SCORE
    bands = list(pairwise(EDGES))
    low, high = next((each for each in bands if score < each[1]), bands[-1])
    return f"{low:.2f}-{high:.2f}"


def calibrate(checked: Iterable[Checked]) -> list[Calibration]:
    """How sure and how right the predictions were, band by band, the least sure first."""
    ordered = sorted(checked, key=lambda each: (each.score is None, band(each.score)))
    return [
        _calibration(name, list(group))
        for name, group in groupby(ordered, key=lambda each: band(each.score))
    ]


def _calibration(name: str, reviews: list[Checked]) -> Calibration:
    predicted = sum(each.predicted for each in reviews)
    weighed = fsum((each.score or 0) * each.predicted for each in reviews)
    return Calibration(
        band=name,
        reviews=len(reviews),
        mean_score=weighed / predicted if predicted and name != NO_SCORE else None,
        right=sum(each.right for each in reviews) / predicted if predicted else None,
        unchanged=sum(not each.errors for each in reviews) / len(reviews),
    )


def threshold(checked: Sequence[Checked], share: float = CAUGHT) -> Threshold | None:
    """The lowest score below which `share` of all errors were; None where there were none."""
    errors = sum(each.errors for each in checked)
    if not errors:
        return None
    groups = _by_score(checked)
    caught = count = 0
    while caught < share * errors:
        caught += sum(each.errors for each in groups[count][1])
        count += 1
    reviewed = [each for _, group in groups[:count] for each in group]
    seconds = fsum(each.seconds for each in checked)
    return Threshold(
        below=groups[count][0] if count < len(groups) else None,
        caught=caught / errors,
        recordings_saved=1 - len(reviewed) / len(checked),
        hours_saved=1 - fsum(each.seconds for each in reviewed) / seconds if seconds else 0.0,
    )


def curve(checked: Sequence[Checked]) -> list[Point]:
    """The errors caught by reviewing ever more, the least certain first; from nothing to all."""
    errors = sum(each.errors for each in checked)
    points = [Point(0.0, 0.0)]
    reviewed = caught = 0
    for _, group in _by_score(checked) if errors else ():
        reviewed += len(group)
        caught += sum(each.errors for each in group)
        points.append(Point(reviewed / len(checked), caught / errors))
    return points


def _by_score(checked: Iterable[Checked]) -> list[tuple[float, list[Checked]]]:
    """The reviews of each score, the lowest first; what has none is always reviewed."""
    ordered = sorted(checked, key=_score)
    return [(score, list(group)) for score, group in groupby(ordered, key=_score)]


def _score(each: Checked) -> float:
    return -1.0 if each.score is None else each.score
