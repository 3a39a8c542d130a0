"""Whether a vocabulary helps: the same recordings before and after, against their reviews; pure."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.quality.error_rate import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESAMPLES = 2_000
_TAIL = 0.025  # of the differences on either side: a 95 % interval
_SEED = 1  # the same figures give the same interval
_SHOWN = 5


class Recording(NamedTuple):
    """One recording's errors (words, or characters where words have no spaces between them)."""

    audio: str
    before: Counts
    after: Counts

    @property
    def change(self) -> int:
        """Errors more than before; below 0 it got better."""
        return self.after.errors - self.before.errors


class PairedComparison(NamedTuple):
    """What the recordings add up to.

    `low` and `high` bound the change of the error rate: the 95 % interval of a paired bootstrap
    over the recordings. None where the reviews have no words.
    """

    recordings: Sequence[Recording]
    before: Counts
    after: Counts
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Whether the vocabulary helps, as far as this sample can tell."""
        if self.low is None or self.high is None:
            return "nothing to compare"
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "no difference that this sample can show"


def judge(recordings: Sequence[Recording]) -> PairedComparison:
    """Add the recordings up, and say how much of the change may be chance."""
    before = sum((each.before for each in recordings), Counts())
    after = sum((each.after for each in recordings), Counts())
    low, high = _interval(recordings) if before.reference else (None, None)
    return PairedComparison(recordings, before, after, low, high)


def _interval(recordings: Sequence[Recording]) -> tuple[float, float]:
    """The bootstrap: draw as many recordings, each with both its results, again and again."""
    draw = random.Random(_SEED).choices  # noqa: S311 # chance, not secrecy
    facts = [(each.change, each.before.reference) for each in recordings]
    changes = []
    for _ in range(_RESAMPLES):
        drawn = draw(facts, k=len(facts))
        reference = sum(words for _, words in drawn)
        changes.append(sum(change for change, _ in drawn) / reference if reference else 0.0)
    changes.sort()
    edge = int(_TAIL * _RESAMPLES)
    return changes[edge], changes[-1 - edge]


def as_facts(comparison: PairedComparison) -> dict[str, Any]:
    """The comparison as `--json` prints it."""
    return {
        "recordings": len(comparison.recordings),
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


def as_text(comparison: PairedComparison, unit: str) -> str:
    """The comparison for people; `unit` is "words" or "characters"."""
    rate, reference = "WER" if unit == "words" else "CER", comparison.before.reference
    lines = [
        f"{rate} of {len(comparison.recordings)} recordings, {reference:,} {unit}:",
        _line("before", comparison.before),
        _line("after", comparison.after),
    ]
    if comparison.low is not None and comparison.high is not None:
        points = 100 * ((comparison.after.rate or 0.0) - (comparison.before.rate or 0.0))
        lines.append(
            f"  change  {points:+.2f} points, 95 % interval {100 * comparison.low:+.2f} to "
            f"{100 * comparison.high:+.2f}: {comparison.verdict}"
        )
    ranked = sorted(comparison.recordings, key=lambda each: (each.change, each.audio))
    worse = [each for each in reversed(ranked) if each.change > 0]
    for title, chosen in (("better", [e for e in ranked if e.change < 0]), ("worse", worse)):
        if chosen:
            lines.append(f"{len(chosen):,} got {title}, first of all:")
            lines += [
                f"  {e.before.errors:>4} → {e.after.errors:<4} {e.audio}" for e in chosen[:_SHOWN]
            ]
    return "\n".join(lines)


def _line(name: str, counts: Counts) -> str:
    share = f"{100 * counts.rate:6.2f} %" if counts.rate is not None else "     -  "
    return (
        f"  {name:<7} {share}  {counts.errors:,} errors: {counts.substitutions:,} substituted, "
        f"{counts.insertions:,} inserted, {counts.deletions:,} deleted"
    )
