"""Which recordings are probed, and what they tell of all of them. Pure.

Recordings differ in length a thousandfold, so they are sorted into strata while they are listed: by
extension, by size (each class up to four times the last one) and by what is billed. Each stratum
keeps a random sample of its own (a reservoir, so memory does not grow with the bucket), and more
are probed where more audio is presumed. Totals are ratio estimates: what was found for each
second that sizes let presume, times all those seconds. The error is 2.6 standard errors and more
(99 %, by Student's t with Satterthwaite's degrees of freedom), and none where all were probed.
See Cochran, Sampling Techniques, chapters 5 and 6.
"""

from __future__ import annotations

import math
from itertools import islice
from operator import add
from random import Random
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec

from pipeline.config.pricing import LEAST_BILLED
from pipeline.recordings.formats import extension

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.pricing import Item
    from pipeline.model import Recording

CERTAINTY = 0.99
"""How often the truth lies within the error."""

# Bytes of a second, roughly. A wrong guess makes the error larger, and nothing wrong.
_BYTES_A_SECOND = {
    "wav": 32_000,
    "flac": 20_000,
    "mp3": 12_000,
    "m4a": 12_000,
    "mp4": 16_000,
    "ogg": 8_000,
    "webm": 6_000,
    "amr": 1_600,
}
_OTHER = 12_000
_LEAST = 8
_BITS_OF_A_CLASS = 2


class Estimate(msgspec.Struct, frozen=True):
    """A total, and by how much it is wrong at most, 99 times in 100."""

    value: float
    error: float = 0.0


def presumed_seconds(recording: Recording) -> float:
    """What a recording of that size and extension is billed for, roughly."""
    rate = _BYTES_A_SECOND.get(extension(recording.key), _OTHER)
    return max(float(LEAST_BILLED), recording.size / rate)


class Stratum:
    """Recordings that are alike: how many there are, a reservoir of them, and what was found.

    `sums` are, of each fact and of "", which is the presumed seconds: the sum over those probed,
    the sum of squares, and the sum of products with the presumed seconds.
    """

    def __init__(self) -> None:
        self.count = 0
        self.presumed = 0.0
        self.reservoir: list[Recording] = []
        self.probed = 0
        self._presumed_of_probed = 0.0
        self.sums: dict[str, list[float]] = {}

    def add(self, recording: Recording, most: int, random: Random) -> None:
        """One more of its kind; each has the same chance to be among the `most` that are kept."""
        self.count += 1
        self.presumed += presumed_seconds(recording)
        if len(self.reservoir) < most:
            self.reservoir.append(recording)
        elif (place := random.randrange(self.count)) < most:
            self.reservoir[place] = recording

    def record(self, recording: Recording, facts: Mapping[str, float]) -> None:
        """A recording was probed: what it adds to each total, 0 where nothing is said."""
        size = presumed_seconds(recording)
        self.probed += 1
        self._presumed_of_probed += size
        for name, value in {"": size, **facts}.items():
            sums = self.sums.setdefault(name, [0.0, 0.0, 0.0])
            sums[0] += value
            sums[1] += value * value
            sums[2] += value * size

    def merge(self, other: Stratum) -> None:
        """Add other recordings of its kind; all of both were probed."""
        self.count += other.count
        self.presumed += other.presumed
        self.probed += other.probed
        self._presumed_of_probed += other._presumed_of_probed
        for name, more in other.sums.items():
            sums = self.sums.setdefault(name, [0.0, 0.0, 0.0])
            self.sums[name] = list(map(add, sums, more))

    def in_sample(self, name: str) -> float:
        """The sum of a fact over those that were probed."""
        return self.sums[name][0] if name in self.sums else 0.0

    def estimate(self, name: str) -> tuple[float, float]:
        """The total of a fact over the stratum, and the variance of that."""
        if name not in self.sums:
            return 0.0, 0.0
        value, square, product = self.sums[name]
        ratio = value / self._presumed_of_probed
        errors = square - 2 * ratio * product + ratio**2 * self.sums[""][1]
        scale = self.presumed / self._presumed_of_probed * self.probed
        unseen = 1 - self.probed / self.count
        spread = max(0.0, errors) / max(1, self.probed - 1)
        return ratio * self.presumed, scale**2 * unseen / self.probed * spread


class Sample:
    """The recordings of a plan by stratum, of which about `size` are probed.

    Args:
        size: how many recordings.
        seed: another one takes others.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.strata: dict[tuple[str, int, tuple[Item, ...]], Stratum] = {}
        self.size = size
        self._random = Random(seed)  # noqa: S311 # it chooses, and hides nothing

    def add(self, recording: Recording, items: tuple[Item, ...]) -> Stratum:
        """A recording was listed that would be billed for these items; this is its stratum."""
        key = extension(recording.key), recording.size.bit_length() // _BITS_OF_A_CLASS, items
        stratum = self.strata.setdefault(key, Stratum())
        stratum.add(recording, self.size, self._random)
        return stratum

    def merge(self, other: Sample) -> None:
        """Add the recordings of another one; all of both were probed."""
        for key, each in other.strata.items():
            self.strata.setdefault(key, Stratum()).merge(each)

    def chosen(self) -> Iterator[tuple[Stratum, Recording]]:
        """Those to probe: more in strata where more audio is presumed, a few in each."""
        presumed = sum(stratum.presumed for stratum in self.strata.values())
        for stratum in self.strata.values():
            share = math.ceil(self.size * stratum.presumed / presumed)
            self._random.shuffle(stratum.reservoir)
            for recording in islice(stratum.reservoir, max(_LEAST, share)):
                yield stratum, recording

    @property
    def probed(self) -> int:
        """How many recordings were probed."""
        return sum(stratum.probed for stratum in self.strata.values())

    def total(self, fact: str, item: Item | None = None) -> Estimate:
        """The total of a fact over all recordings, or over those that are billed for an item."""
        whole = variance = spread = 0.0
        for (_, _, items), stratum in self.strata.items():
            if item is None or item in items:
                part, own = stratum.estimate(fact)
                whole += part
                variance += own
                spread += own**2 / max(1, stratum.probed - 1)
        if not spread:
            return Estimate(whole)
        return Estimate(whole, _quantile(variance**2 / spread) * math.sqrt(variance))

    def count(self, fact: str) -> float:
        """Of how many recordings something holds that is recorded as 1."""
        strata = (each for each in self.strata.values() if each.probed)
        return sum(each.count * each.in_sample(fact) / each.probed for each in strata)

    def in_sample(self, fact: str) -> float:
        """The total of a fact over those that were probed."""
        return sum(stratum.in_sample(fact) for stratum in self.strata.values())

    def facts(self) -> set[str]:
        """The names of all facts that were recorded."""
        return {name for stratum in self.strata.values() for name in stratum.sums} - {""}

    def items(self) -> list[Item]:
        """What is billed."""
        return sorted({item for _, _, items in self.strata for item in items})


def _quantile(freedom: float) -> float:
    """How many standard errors a total is off at most, by Student's t (Cornish-Fisher)."""
    z = NormalDist().inv_cdf((1 + CERTAINTY) / 2)
    n = max(3.0, freedom)
    first = (z**3 + z) / (4 * n)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    return z + first + second + third
