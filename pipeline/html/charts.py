"""Curves and bars in SVG; pure.

Places are shares of the plot's width and height, so a plot is as wide as the page lets it be while
its texts keep their size. Curves stand in a plane of a thousand by a thousand, stretched likewise.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GAP = 0.16
"""The share of its stretch that a bar leaves free."""


class Frame(NamedTuple):
    """What stands around a plot: `ticks` are places (0 to 1) with their labels."""

    title: str
    across: Sequence[tuple[float, str]]
    upwards: Sequence[tuple[float, str]]


class Bar(NamedTuple):
    """One bar: where it begins and how wide it is (0 to 1), and its parts from the ground up.

    Parts are a class of the style and a height (0 to 1); `words` are shown to who points at it.
    """

    begin: float
    width: float
    parts: Sequence[tuple[str, float]]
    words: str


def plot(frame: Frame, inside: Iterable[str]) -> str:
    """A plot in its frame; `inside` is SVG."""
    lines = "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{_down(y)}" y2="{_down(y)}"/>'
        f'<text x="0" y="{_down(y)}" dx="-8" dy="4" text-anchor="end">{escape(label)}</text>'
        for y, label in frame.upwards
    )
    labels = "".join(
        f'<text{_minor(n)} x="{_share(x)}" y="100%" dy="20" text-anchor="{_anchor(x)}">'
        f"{escape(label)}</text>"
        for n, (x, label) in enumerate(frame.across)
    )
    return (
        f'<svg class="plot" role="img" aria-label="{escape(frame.title)}">'
        f"{lines}{''.join(inside)}{labels}</svg>"
    )


def plane(paths: Iterable[str]) -> str:
    """The plane of curves."""
    return (
        '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%">'
        f"{''.join(paths)}</svg>"
    )


def curve(style: str, points: Sequence[tuple[float, float]]) -> str:
    """A line through places."""
    return f'<path class="{style}" d="M{_points(points)}"/>' if points else ""


def stretch(style: str, begin: float, end: float, words: str) -> str:
    """A stretch of the plot's whole height."""
    return (
        f'<rect class="{style}" x="{_share(begin)}" width="{_share(end - begin)}" y="0" '
        f'height="100%"><title>{escape(words)}</title></rect>'
    )


def bars(drawn: Iterable[Bar]) -> Iterable[str]:
    """Bars, each with its words."""
    for bar in drawn:
        begin, width = bar.begin + _GAP / 2 * bar.width, (1 - _GAP) * bar.width
        height, rects = 0.0, ""
        for style, part in bar.parts:
            height += part
            if part:
                rects += (
                    f'<rect class="{style}" x="{_share(begin)}" width="{_share(width)}" '
                    f'y="{_down(height)}" height="{_share(part)}"/>'
                )
        yield f"<g><title>{escape(bar.words)}</title>{rects}</g>"


def _minor(number: int) -> str:
    """Every other label makes room where the page is narrow."""
    return ' class="minor"' if number % 2 else ""


def _anchor(share: float) -> str:
    return "start" if share < 0.02 else "end" if share > 0.98 else "middle"  # noqa: PLR2004 # at the edge


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{1000 * x:.4g},{1000 - 1000 * y:.4g}" for x, y in points)


def _share(share: float) -> str:
    return f"{100 * share:.4g}%"


def _down(height: float) -> str:
    return _share(1 - height)
