"""What a plot shows; `html/templates/parts.html` draws it in SVG.

Places are shares of the plot's width and height (0 to 1), so a plot is as wide as the page lets it
be while its texts keep their size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Bar(NamedTuple):
    """One bar: where it begins, how wide it is, and its layers from the ground up.

    A layer is a class of the style and a height; `label` is shown to who points at the bar.
    """

    begin: float
    width: float
    layers: Sequence[tuple[str, float]]
    label: str


class Stretch(NamedTuple):
    """A stretch of the plot's whole height, in a class of the style."""

    style: str
    begin: float
    end: float
    label: str


class Curve(NamedTuple):
    """A line through points, in a class of the style."""

    style: str
    points: Sequence[tuple[float, float]]


class Chart(NamedTuple):
    """A plot: the places of its ticks with their labels, and what is drawn."""

    title: str
    across: Sequence[tuple[float, str]]
    upwards: Sequence[tuple[float, str]]
    bars: Sequence[Bar] = ()
    stretches: Sequence[Stretch] = ()
    curves: Sequence[Curve] = ()
