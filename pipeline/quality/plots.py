"""Figures ─► plots in SVG, coloured by the page they stand in; pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipeline.quality.calibration import CAUGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.quality.calibration import Calibration, Point

_WIDTH, _HEIGHT = 400, 220
_LEFT, _TOP, _RIGHT, _BOTTOM = 50, 24, 365, 182
_ROW = 22
_NAME = 150
_LONGEST_NAME = 24
_MOST_POINTS = 500
_LARGEST, _SMALLEST = 9.0, 3.0


def curve_plot(points: Sequence[Point]) -> str:
    """The share of errors caught over the share reviewed, and the share that is asked for."""
    shown = points[:: max(1, len(points) // _MOST_POINTS)]
    path = " ".join(f"{_x(p.reviewed)},{_y(p.caught)}" for p in [*shown, points[-1]])
    level = _y(CAUGHT)
    return _plot(
        "Share of the errors caught by reviewing the least certain recordings first",
        ("reviewed", "errors caught"),
        f'<line class="limit" x1="{_LEFT}" x2="{_RIGHT}" y1="{level}" y2="{level}"/>'
        f'<text x="{_RIGHT + 4}" y="{level + 4}">{CAUGHT:.0%}</text>'
        f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>'
        f'<polyline class="path" points="{path}"/>',
    )


def reliability_plot(bands: Sequence[Calibration]) -> str:
    """What share was right over the mean score: on the diagonal, scores tell the truth."""
    most = max((each.reviews for each in bands), default=1)
    dots = "".join(
        f'<circle class="mark" cx="{_x(each.mean_score)}" cy="{_y(each.right)}" '
        f'r="{max(_SMALLEST, _LARGEST * (each.reviews / most) ** 0.5):.1f}">'
        f"<title>{escape(each.band)}: {each.reviews:,} reviews</title></circle>"
        for each in bands
        if each.mean_score is not None and each.right is not None
    )
    return _plot(
        "Share of the prediction that was right, by its mean score",
        ("mean score", "right"),
        f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>{dots}',
    )


def bars(rows: Sequence[tuple[str, float | None]]) -> str:
    """A bar for each name's error rate; a name without a rate has none."""
    longest = max((rate for _, rate in rows if rate is not None), default=0.0) or 1.0
    drawn = []
    for place, (name, rate) in enumerate(rows):
        top = place * _ROW
        short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        width = (_WIDTH - _NAME - 60) * (rate or 0.0) / longest
        share = "-" if rate is None else f"{100 * rate:.1f} %"
        drawn.append(
            f'<text class="name" x="{_NAME - 8}" y="{top + 15}" text-anchor="end">'
            f"{escape(short)}</text>"
            f'<rect class="mark" x="{_NAME}" y="{top + 4}" width="{width:.1f}" height="14"/>'
            f'<text x="{_NAME + width + 6:.1f}" y="{top + 15}">{share}</text>'
        )
    return _svg("Error rates", len(rows) * _ROW, "".join(drawn))


def _plot(title: str, axes: tuple[str, str], inside: str) -> str:
    """A square of shares from 0 to 100 %, with its axes."""
    ticks = "".join(
        f'<text x="{_LEFT - 6}" y="{_y(share) + 4}" text-anchor="end">{share:.0%}</text>'
        f'<text x="{_x(share)}" y="{_BOTTOM + 19}" text-anchor="middle">{share:.0%}</text>'
        for share in (0.0, 0.5, 1.0)
    )
    names = (
        f'<text x="{_RIGHT}" y="{_BOTTOM + 35}" text-anchor="end">{axes[0]} →</text>'
        f'<text x="{_LEFT}" y="{_TOP - 12}">↑ {axes[1]}</text>'
    )
    frame = f'<path class="axis" d="M{_LEFT} {_TOP} V{_BOTTOM} H{_RIGHT}"/>'
    return _svg(title, _HEIGHT, frame + ticks + names + inside)


def _svg(title: str, height: int, inside: str) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {_WIDTH} {height}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{inside}</svg>"
    )


def _x(share: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * share, 1)


def _y(share: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)
