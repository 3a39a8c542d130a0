"""The figures as one page of HTML with plots: no script, nothing from the network; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.html.page import render
from pipeline.quality import text_report
from pipeline.quality.calibration import CAUGHT
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pipeline.quality.calibration import Point
    from pipeline.quality.metrics import Quality, QualityStats

_MOST_POINTS = 500


def page(quality: Quality, made: date) -> str:
    """The whole page.

    Args:
        quality: the figures.
        made: the day.
    """
    return render(
        "quality/templates/quality.html",
        quality=quality,
        text=text_report,
        target=CAUGHT,
        curve=_thinned(quality.curve),
        rate=_rate,
        tiles=list(_tiles(quality)) if quality.total.reviews else [],
        made=f"{made.day} {made:%B %Y}",
        version=__version__,
    )


def _tiles(quality: Quality) -> Iterator[tuple[str, str, str]]:
    """What each tile says: a figure, its name, and more about it."""
    total = quality.total
    if total.words.rate is not None:
        yield text_report.percent(total.words.rate), "WER", count_of(total.words.reference, "word")
    else:
        counted = count_of(total.characters.reference, "character")
        yield text_report.percent(total.characters.rate), "CER", counted
    unchanged = text_report.percent(total.unchanged / total.reviews)
    yield f"{total.reviews:,}", "reviews", f"{unchanged} without a correction"
    if quality.audit and (found := quality.audit.auto):
        between = text_report.without_interval(quality.audit)
        if found.low is not None:
            between = f"{text_report.percent(found.low)} to {text_report.percent(found.high)}"
        yield text_report.percent(found.rate), "errors in what nobody reviewed", between
    spent = sum(each.spent for each in quality.pace.values())
    if audio := sum(each.audio for each in quality.pace.values()):
        hours = f"{spent / 3_600_000:,.1f} h of work"
        yield f"{spent / audio:.1f} h", "of work for an hour of audio", hours
    pairs = quality.agreement.pairs.values()
    if units := sum(each.units for each in pairs):
        rate = text_report.percent(sum(each.differing for each in pairs) / units)
        yield (
            rate,
            "error rate between reviewers",
            count_of(sum(e.recordings for e in pairs), "comparison"),
        )


def _thinned(points: Sequence[Point]) -> list[Point]:
    """As many points as a plot needs, with the last one."""
    return [*points[:: max(1, len(points) // _MOST_POINTS)], *points[-1:]]


def _rate(stats: QualityStats) -> float | None:
    """The rate to draw: of words, or of characters where there are no words."""
    return stats.characters.rate if stats.words.rate is None else stats.words.rate
