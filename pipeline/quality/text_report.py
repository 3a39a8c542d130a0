"""The figures in words, for a terminal; pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.quality.audit import FEWEST
from pipeline.text import count_of, duration, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.quality.agreement import Agreement
    from pipeline.quality.audit import Audit, Rate
    from pipeline.quality.calibration import Threshold
    from pipeline.quality.metrics import Quality, QualityStats

MOST_ROWS = 10
NOTHING_YET = "Nothing is reviewed yet, so there is nothing to measure."
_NOTHING = "(nothing)"


def in_words(quality: Quality) -> Iterator[str]:
    """Line by line; groups of more than ten show their largest."""
    yield from left_out(quality)
    if not quality.total.reviews:
        yield NOTHING_YET
        return
    yield summary(quality.total)
    yield from rates(quality.total)
    yield from audit(quality.audit)
    yield from doubtful(quality)
    for name, group in quality.groups.items():
        if group:
            yield ""
            yield from _table(
                (f"By {name}", *HEADINGS), [row(each, group[each]) for each in largest(group)]
            )
            if len(group) > MOST_ROWS:
                yield f"  and {len(group) - MOST_ROWS:,} more: --json has them all"
    if quality.pace:
        yield ""
        yield from _table(PACE, pace(quality))
    yield from apart(quality.agreement)
    if quality.confusions:
        yield ""
        yield from _table(("Said", "heard", "times"), confusions(quality)[:MOST_ROWS])
    yield ""
    yield from _table(CALIBRATION, calibration(quality))
    yield ""
    yield advice(quality.threshold)


PACE = ("Pace of", "reviews", "audio h", "spent h", "h per audio h", "shorter than audio")
HEADINGS = ("reviews", "WER", "CER", "substituted", "inserted", "deleted")
AGREEMENT = ("Reviewed by both", "recordings", "alike", "error rate")
DISAGREEMENTS = ("They differ", "reviewers", "by", "convert takes")
CALIBRATION = ("Score", "reviews", "mean score", "right", "unchanged")


def summary(total: QualityStats) -> str:
    """How much was reviewed."""
    seconds = total.milliseconds / 1000
    length = f" of {duration(seconds)} of recordings" if seconds else ""
    return f"Reviews: {total.reviews:,}{length}; {total.unchanged:,} without a correction"


def rates(total: QualityStats) -> Iterator[str]:
    """The error rates and what they are made of."""
    words, characters = total.words, total.characters
    if words.reference or words.insertions:
        yield (
            f"WER:     {percent(words.rate)} of {count_of(words.reference, 'word')}: "
            f"{words.substitutions:,} substituted, {words.insertions:,} inserted, "
            f"{words.deletions:,} deleted"
        )
    yield f"CER:     {percent(characters.rate)} of {count_of(characters.reference, 'character')}"


def left_out(quality: Quality) -> Iterator[str]:
    """The lines that are no part of the figures."""
    if quality.auto:
        yield f"Not counted: {quality.auto:,} taken without a review (auto)"
    if quality.unpredicted:
        yield f"Not counted: {quality.unpredicted:,} reviewed without a prediction"
    if quality.superseded:
        yield f"Not counted: {quality.superseded:,} in whose place another of the recording counts"
    if quality.quick:
        yield f"Not counted: {quality.quick:,} reviewed in too little time (--min-pace)"
    if quality.unusable or quality.unusable_segments:
        yield (
            f"Not counted: {quality.unusable:,} marked as unusable, and "
            f"{count_of(quality.unusable_segments, 'segment')} of others"
        )


def audit(found: Audit | None) -> Iterator[str]:
    """What the audit says of what nobody reviewed, and how it would say more."""
    if found is None:
        return
    if found.auto:
        reviews = count_of(found.reviews, "review")
        yield f"Not reviewed (auto): {_rate(found.auto)}, by {reviews} of the audit"
    if found.whole:
        yield f"All recordings here: {_rate(found.whole)}"
    if found.halve and found.share is not None:
        yield (
            f"{count_of(found.halve, 'more review')} would halve the interval of all recordings "
            f"(push --audit {_enough(found.share)}% has them)"
        )
    elif found.auto and found.auto.low is None:
        yield f"No interval: {without_interval(found)}"
    elif not found.reviews and found.waiting + found.doubted:
        drawn = count_of(found.waiting + found.doubted, "recording")
        yield f"Audit: none of its {drawn} is reviewed yet"
    if found.doubted:
        reviews = count_of(found.doubted, "review")
        yield f"Not counted: {reviews} of the audit that nobody can have heard"


def without_interval(found: Audit) -> str:
    """Why the audit's estimate has no interval."""
    if found.waiting:
        waiting = count_of(
            found.waiting, "of the audit waits for its review", "of the audit wait for their review"
        )
        drawn = found.waiting + found.reviews
        return f"{waiting}; the estimate holds only when all {drawn:,} are reviewed"
    return f"too few reviews of the audit to tell: {found.reviews:,} of {FEWEST}"


def apart(found: Agreement) -> Iterator[str]:
    """How far reviewers of the same recordings are apart, and where."""
    if found.pairs:
        yield ""
        yield from _table(AGREEMENT, pairs(found))
    if found.disagreements:
        yield ""
        yield from _table(DISAGREEMENTS, disagreements(found)[:MOST_ROWS])
        if found.total > MOST_ROWS:
            yield f"  and {found.total - MOST_ROWS:,} more: --json has them"


def pairs(found: Agreement) -> list[tuple[str, ...]]:
    """Each two reviewers under AGREEMENT."""
    return [
        (
            printable(" and ".join(names)),
            f"{each.recordings:,}",
            f"{each.alike:,}",
            percent(each.rate),
        )
        for names, each in found.pairs.items()
    ]


def disagreements(found: Agreement) -> list[tuple[str, ...]]:
    """The recordings whose reviews differ under DISAGREEMENTS."""
    return [
        (
            printable(each.address or each.audio),
            printable(" and ".join(each.reviewers)),
            count_of(each.differing, each.unit.removesuffix("s")),
            printable(f"{each.counts} {each.why}"),
        )
        for each in found.disagreements
    ]


def doubtful(quality: Quality) -> Iterator[str]:
    """Who can't have heard what they reviewed."""
    for name, each in quality.pace.items():
        if each.is_doubtful:
            yield (
                f"Faster than it can be heard: {printable(name)}, {each.unhearable:,} of "
                f"{each.timed:,} reviews took less than half of the recording's length"
            )


def _rate(found: Rate) -> str:
    errors = f"{percent(found.rate)} errors"
    if found.low is None:
        return errors
    return f"{errors}, 95 % interval {percent(found.low)} to {percent(found.high)}"


def _enough(share: float) -> int:
    """A share in whole percent, which is not too little."""
    return min(100, math.ceil(100 * share))


def advice(threshold: Threshold | None) -> str:
    """What a review threshold would have saved."""
    if threshold is None:
        return "The predictions had no errors, so no threshold is needed."
    if threshold.below is None:
        return "No score tells where errors are: 95 % of them are found only by reviewing all."
    return (
        f"Reviewing only scores below {threshold.below} (push --review-below) would have "
        f"caught {percent(threshold.caught)} of the errors and saved "
        f"{percent(threshold.recordings_saved)} of the recordings, "
        f"{percent(threshold.hours_saved)} of the hours."
    )


def largest(group: dict[str, QualityStats]) -> list[str]:
    """The names of the groups with the most characters, at most ten, in their own order."""
    by_size = sorted(group, key=lambda each: (-group[each].characters.reference, each))
    shown = set(by_size[:MOST_ROWS])
    return [name for name in group if name in shown]


def row(name: str, stats: QualityStats) -> tuple[str, ...]:
    """A group under the HEADINGS; errors are words, where there are none characters."""
    words = stats.words
    units = words if words.reference or words.insertions else stats.characters
    return (
        printable(name),
        f"{stats.reviews:,}",
        percent(words.rate),
        percent(stats.characters.rate),
        *(f"{count:,}" for count in (units.substitutions, units.insertions, units.deletions)),
    )


def pace(quality: Quality) -> list[tuple[str, ...]]:
    """Each reviewer under PACE, those with the most reviews first."""
    by_size = sorted(quality.pace.items(), key=lambda item: (-item[1].reviews, item[0]))
    return [
        (
            printable(name),
            f"{each.reviews:,}",
            f"{each.audio / 3_600_000:,.1f}",
            f"{each.spent / 3_600_000:,.1f}",
            "-" if each.ratio is None else f"{each.ratio:.1f}",
            f"{each.unheard:,}",
        )
        for name, each in by_size
    ]


def confusions(quality: Quality) -> list[tuple[str, ...]]:
    """What was said, what was heard, how often."""
    return [
        (*(printable(each) or _NOTHING for each in words), f"{count:,}")
        for words, count in quality.confusions
    ]


def calibration(quality: Quality) -> list[tuple[str, ...]]:
    """The bands of scores under CALIBRATION."""
    return [
        (
            each.band,
            f"{each.reviews:,}",
            "-" if each.mean_score is None else f"{each.mean_score:.3f}",
            percent(each.right),
            percent(each.unchanged),
        )
        for each in quality.calibration
    ]


def percent(share: float | None) -> str:
    """A share of one in percent; "-" where there is nothing to take a share of."""
    return "-" if share is None else f"{100 * share:.1f} %"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Names on the left, figures on the right, under each other."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for cells in (headings, *rows):
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()
