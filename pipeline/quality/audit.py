"""How wrong is what nobody reviewed: an estimate from the audit's sample, with an interval; pure.

The recordings form two strata. Those that were reviewed because their score is low are known. Of
those that needed no review (`auto` lines) the audit's reviews are a sample. In each stratum the
error rate of what is not known is that of its reviews. Its 95 % interval is a bootstrap over the
recordings, and never narrower than the exact interval of Poisson for as many errors: few errors, or
none, resample to less chance than there is. The interval is wider where what is not known is small,
as that is itself a draw (finite population). The strata's intervals add up as independent ones do
(the method of variance estimates recovery, Zou and Donner 2008).

Reviews of those who can't have heard the recordings tell nothing: they count as not reviewed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.quality.bootstrap import rate_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TAIL = 0.025  # on either side: a 95 % interval
FEWEST = 10  # reviews of a sample: fewer hold the truth far less often than 95 %
_FEW = 100  # errors from which Poisson's interval is that of a normal distribution


class Heard(NamedTuple):
    """A recording's errors, and the units (words or characters) of its review and prediction."""

    errors: int
    reference: int
    predicted: int


class Rate(msgspec.Struct, frozen=True):
    """An error rate and its 95 % interval; None where the sample is too small or not complete."""

    rate: float
    low: float | None = None
    high: float | None = None


class Audit(msgspec.Struct, frozen=True):
    """What the audit says.

    `auto` is the error rate of the lines that nobody reviewed, `whole` that of all recordings in
    the ground truth; None where no review tells it. `reviews` are those that the sample has,
    `waiting` those that are still to be made, and `doubted` those of reviewers who can't have heard
    what they reviewed. While some wait no rate has an interval: who reviews the lowest scores first
    has not drawn by chance. `halve` is how many reviews more would halve the interval of the whole,
    and `share` that of `push --audit` which has them.
    """

    auto: Rate | None
    whole: Rate | None
    reviews: int
    waiting: int
    doubted: int = 0
    halve: int | None = None
    share: float | None = None


class Stratum:
    """Recordings of which some were heard, and of the others only the prediction's size is known.

    `others` counts these, and `others_predicted` the units of their predictions.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.others = self.others_predicted = 0

    def leave(self, predicted: int) -> None:
        """Count a recording that nobody has heard."""
        self.others += 1
        self.others_predicted += predicted

    def merge(self, other: Stratum) -> None:
        """Count the recordings of another one as well."""
        self.heard += other.heard
        self.others += other.others
        self.others_predicted += other.others_predicted

    @property
    def sums(self) -> Heard:
        """What was heard, added up."""
        return Heard(*map(sum, zip(*self.heard, strict=True))) if self.heard else Heard(0, 0, 0)

    @property
    def is_told(self) -> bool:
        """Whether enough were heard for an interval of the others."""
        return not self.others or len(self.heard) >= FEWEST

    def others_reference(self) -> float:
        """How many units the others have, as the reviews have for each that was predicted."""
        known = self.sums
        return self.others_predicted * (known.reference / known.predicted if known.predicted else 1)

    def rate(self) -> Rate | None:
        """The error rate of the others, as the reviews tell it; None where none does."""
        known = self.sums
        if not known.reference:
            return None
        rate = known.errors / known.reference
        if not self.is_told:
            return Rate(rate)
        low, high = rate_interval([(each.errors, each.reference) for each in self.heard])
        fewest, most = poisson_bounds(known.errors)
        low, high = min(low, fewest / known.reference), max(high, most / known.reference)
        wider = math.sqrt(1 + len(self.heard) / self.others) if self.others else 1.0
        return Rate(rate, max(0.0, rate - wider * (rate - low)), rate + wider * (high - rate))


def audited(low: Stratum, good: Stratum, waiting: int, doubted: int) -> Audit:
    """What the two strata tell.

    Args:
        low: the recordings whose scores asked for a review.
        good: those that needed none, with the audit's reviews of them.
        waiting: how many of the audit nobody has reviewed yet.
        doubted: reviews of people who can't have heard the recordings.
    """
    auto, whole = good.rate() if good.others else None, _whole([low, good])
    if waiting:
        auto, whole = (each and Rate(each.rate) for each in (auto, whole))
    is_told = whole is not None and whole.low is not None
    halve = _halving(len(good.heard), good.others) if is_told else None
    size = len(good.heard) + good.others
    return Audit(
        auto=auto,
        whole=whole,
        reviews=len(good.heard),
        waiting=waiting,
        doubted=doubted,
        halve=halve,
        share=None if halve is None else min(1.0, (len(good.heard) + doubted + halve) / size),
    )


def _whole(strata: Sequence[Stratum]) -> Rate | None:
    """The error rate of all recordings; None where those of a stratum are not known."""
    errors = reference = below = above = 0.0
    for each in strata:
        errors += each.sums.errors
        reference += each.sums.reference
        if not each.others:
            continue
        rate, units = each.rate(), each.others_reference()
        if rate is None:
            return None
        errors += rate.rate * units
        reference += units
        if rate.low is not None and rate.high is not None:
            below += ((rate.rate - rate.low) * units) ** 2
            above += ((rate.high - rate.rate) * units) ** 2
    if not reference:
        return None
    found = errors / reference
    if not all(each.is_told for each in strata):
        return Rate(found)
    least = max(0.0, found - math.sqrt(below) / reference)
    return Rate(found, least, found + math.sqrt(above) / reference)


def _halving(reviews: int, others: int) -> int | None:
    """How many reviews more would halve the whole's interval; None if there is none.

    The variance of a sample of n of N goes with 1/n - 1/N.
    """
    if not reviews or not others:
        return None
    size = reviews + others
    return min(others, math.ceil(4 * reviews * size / (size + 3 * reviews)) - reviews)


def poisson_bounds(count: int) -> tuple[float, float]:
    """The exact 95 % interval of the mean of which so many events are a draw (Garwood 1936)."""
    if count >= _FEW:
        width = 1.96 * math.sqrt(count)
        return count - width, count + width
    low = _solved(lambda mean: 1 - _at_most(count - 1, mean) - _TAIL) if count else 0.0
    return low, _solved(lambda mean: _TAIL - _at_most(count, mean))


def _solved(rises: Callable[[float], float]) -> float:
    """Where a function that rises is 0, between 0 and twice _FEW."""
    low, high = 0.0, 2.0 * _FEW
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) < 0 else (low, middle)
    return low


def _at_most(count: int, mean: float) -> float:
    """How probable it is that at most so many events happen, of which `mean` are expected."""
    term = math.exp(-mean)
    total = 0.0
    for number in range(count + 1):
        total += term
        term *= mean / (number + 1)
    return total
