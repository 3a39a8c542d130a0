"""Whether a vocabulary helps: the same recordings before and after, against their reviews; pure."""

from __future__ import annotations

import math
import random
from operator import mul
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.quality.error_rate import Counts
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESAMPLES = 2_000
_TAIL = 0.025  # of the differences on either side: a 95 % interval
_FEWEST, _MOST_DRAWN = 3, 1_000  # recordings
_FEWEST_JUDGED = 8  # recordings: fewer show too little of how they vary
_SEED = 1  # the same figures give the same interval
_SHOWN = 5


class Recording(NamedTuple):
    """One recording's errors (words, or characters where words have no spaces between them)."""

    audio: str
    before: Counts
    after: Counts
    has_words: bool = True

    @property
    def change(self) -> int:
        """Errors more than before; below 0 it got better."""
        return self.after.errors - self.before.errors


class PairedComparison(NamedTuple):
    """What the recordings add up to.

    `low` and `high` bound the change of the error rate: the 95 % interval of a paired bootstrap
    over the recordings. None where the reviews have no words, or fewer than 8 recordings.
    """

    recordings: Sequence[Recording]
    before: Counts
    after: Counts
    low: float | None
    high: float | None

    @property
    def unit(self) -> str:
        """What is counted: words, characters, or each in its recordings."""
        kinds = {each.has_words for each in self.recordings}
        if len(kinds) > 1:
            return "words and characters"
        return "characters" if False in kinds else "words"

    @property
    def verdict(self) -> str:
        """Whether the vocabulary helps, as far as this sample can tell."""
        if not self.before.reference:
            return "nothing to compare"
        if self.low is None or self.high is None:
            return "too few recordings to tell"
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "no difference that this sample can show"


def judge(recordings: Sequence[Recording]) -> PairedComparison:
    """Add the recordings up, and say how much of the change may be chance."""
    before = sum((each.before for each in recordings), Counts())
    after = sum((each.after for each in recordings), Counts())
    facts = [(each.change, each.before.reference) for each in recordings]
    enough = before.reference and len(recordings) >= _FEWEST_JUDGED
    low, high = rate_interval(facts) if enough else (None, None)
    return PairedComparison(recordings, before, after, low, high)


def rate_interval(recordings: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The 95 % interval of a rate: draw as many recordings again and again, and see how far off.

    It is the bootstrap-t (Efron 1981): each draw is measured by its own standard error, which the
    few recordings with many errors widen on the side where they are missing.

    Args:
        recordings: of each the errors, or how many more they became, and the units of its review;
            not all of them without units.
    """
    draw = random.Random(_SEED).choices  # noqa: S311 # chance, not secrecy
    grouped = _grouped(recordings)
    errors, units = map(sum, zip(*grouped, strict=True))
    rate, size = errors / units, len(grouped)
    off = [each * units - errors * unit for each, unit in grouped]  # whole numbers are exact
    error = math.sqrt(sum(each * each for each in off)) / units**2
    pairs = list(zip(off, (unit for _, unit in grouped), strict=True))
    found = sorted(filter(None, (_deviation(draw(pairs, k=size)) for _ in range(_RESAMPLES))))
    edge = int(_tail(size) * len(found))
    if not found:
        return rate, rate
    return rate - found[-1 - edge] * error, rate - found[edge] * error


def _deviation(drawn: Sequence[tuple[int, int]]) -> float:
    """How many standard errors a draw is off; 0 where all of it is the same."""
    off, units = zip(*drawn, strict=True)
    total, whole = sum(off), sum(units)
    spread = (  # in whole numbers: a draw of copies has none at all
        whole * whole * sum(map(mul, off, off))
        - 2 * total * whole * sum(map(mul, off, units))
        + total * total * sum(map(mul, units, units))
    )
    return total * whole / math.sqrt(spread) if spread else 0.0


def _tail(size: int) -> float:
    """The share of the draws to leave out on either side: few recordings vary more than they show.

    As Hesterberg has it (What Teachers Should Know about the Bootstrap, 2014, 3.1): by Student's t.
    """
    if size < _FEWEST:
        return 0.0
    free = size - 1
    z = NormalDist().inv_cdf(1 - _TAIL)
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return NormalDist().cdf(-math.sqrt(size / free) * t)


def _grouped(recordings: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most so many groups of recordings as a second is enough to draw from."""
    groups = [recordings[start::_MOST_DRAWN] for start in range(min(_MOST_DRAWN, len(recordings)))]
    return [(sum(each[0] for each in group), sum(each[1] for each in group)) for group in groups]


def as_facts(comparison: PairedComparison) -> dict[str, Any]:
    """The comparison as `--json` prints it."""
    return {
        "recordings": len(comparison.recordings),
        "unit": comparison.unit,
        "before": _facts(comparison.before),
        "after": _facts(comparison.after),
        "change": {"low": comparison.low, "high": comparison.high},
        "verdict": comparison.verdict,
        "by_recording": [
            {"audio": each.audio, "before": _facts(each.before), "after": _facts(each.after)}
            for each in comparison.recordings
        ],
    }


def _facts(counts: Counts) -> dict[str, Any]:
    return {"rate": counts.rate, "errors": counts.errors, **counts.facts()}


_RATES = {"words": "WER", "characters": "CER"}


def as_text(comparison: PairedComparison) -> str:
    """The comparison for people."""
    unit, reference = comparison.unit, comparison.before.reference
    rate = _RATES.get(unit, "Error rate")
    recordings = count_of(len(comparison.recordings), "recording")
    lines = [
        f"{rate} of {recordings}, {count_of(reference, unit.removesuffix('s'))}:",
        _line("before", comparison.before),
        _line("after", comparison.after),
    ]
    if reference:
        points = 100 * ((comparison.after.rate or 0.0) - (comparison.before.rate or 0.0))
        lines.append(f"  change  {points:+.2f} points, {_interval(comparison)}")
    ranked = sorted(comparison.recordings, key=lambda each: (each.change, each.audio))
    worse = [each for each in reversed(ranked) if each.change > 0]
    for title, chosen in (("better", [e for e in ranked if e.change < 0]), ("worse", worse)):
        if chosen:
            lines.append(f"{len(chosen):,} got {title}, first of all:")
            lines += [
                f"  {e.before.errors:>4} → {e.after.errors:<4} {e.audio}" for e in chosen[:_SHOWN]
            ]
    return "\n".join(lines)


def _interval(comparison: PairedComparison) -> str:
    if comparison.low is None or comparison.high is None:
        return f"{comparison.verdict}: {len(comparison.recordings)} of {_FEWEST_JUDGED}"
    low, high = 100 * comparison.low, 100 * comparison.high
    return f"95 % interval {low:+.2f} to {high:+.2f}: {comparison.verdict}"


def _line(name: str, counts: Counts) -> str:
    share = f"{100 * counts.rate:6.2f} %" if counts.rate is not None else "     -  "
    return (
        f"  {name:<7} {share}  {count_of(counts.errors, 'error')}: "
        f"{counts.substitutions:,} substituted, {counts.insertions:,} inserted, "
        f"{counts.deletions:,} deleted"
    )
