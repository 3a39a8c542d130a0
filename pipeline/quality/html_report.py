"""The figures as one page of HTML with plots: no script, nothing from the network; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.html.page import render
from pipeline.quality import text_report
from pipeline.quality.calibration import CAUGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.quality.calibration import Point
    from pipeline.quality.metrics import Quality, QualityStats

_MOST_POINTS = 500


def page(quality: Quality) -> str:
    """The whole page."""
    return render(
        "quality/templates/quality.html",
        quality=quality,
        text=text_report,
        target=CAUGHT,
        curve=_thinned(quality.curve),
        rate=_rate,
    )


def _thinned(points: Sequence[Point]) -> list[Point]:
    """As many points as a plot needs, with the last one."""
    return [*points[:: max(1, len(points) // _MOST_POINTS)], *points[-1:]]


def _rate(stats: QualityStats) -> float | None:
    """The rate to draw: of words, or of characters where there are no words."""
    return stats.characters.rate if stats.words.rate is None else stats.words.rate
