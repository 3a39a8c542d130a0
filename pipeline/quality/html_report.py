"""The figures as one page of HTML with plots: no script, nothing from the network; pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipeline.html.page import document, paragraphs, table
from pipeline.quality import text_report as words
from pipeline.quality.plots import bars, curve_plot, reliability_plot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.quality.metrics import Quality, QualityStats

_STYLE = """
section svg { width: 100%; max-width: 34rem; height: auto; display: block; margin: 1rem 0; }
.ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
.limit { stroke: var(--other); stroke-dasharray: 2 3; }
"""


def page(quality: Quality) -> str:
    """The whole page; names and words in it are escaped."""
    return document("Quality of the transcripts", _STYLE, _body(quality))


def _body(quality: Quality) -> Iterator[str]:
    yield "<h1>Quality of the transcripts</h1>"
    yield from paragraphs(words.left_out(quality))
    if not quality.total.reviews:
        yield from paragraphs([words.NOTHING_YET])
        return
    yield from paragraphs([words.summary(quality.total), *words.rates(quality.total)])
    yield "<section><h2>Where reviewing pays</h2>"
    yield from paragraphs([words.advice(quality.threshold)])
    yield curve_plot(quality.curve)
    yield "</section>\n<section><h2>Whether scores tell the truth</h2>"
    yield reliability_plot(quality.calibration)
    yield table(words.CALIBRATION, words.calibration(quality))
    yield "</section>"
    for name, group in quality.groups.items():
        if group:
            yield from _group(name, group)
    if quality.confusions:
        yield "<section><h2>The most frequent confusions</h2>"
        yield table(("Said", "heard", "times"), words.confusions(quality))
        yield "</section>"


def _group(name: str, group: dict[str, QualityStats]) -> Iterator[str]:
    largest = words.largest(group)
    yield f"<section><h2>By {escape(name)}</h2>"
    yield bars([(words.row(each, group[each])[0], _rate(group[each])) for each in largest])
    yield table(
        (name.capitalize(), *words.HEADINGS), [words.row(each, group[each]) for each in largest]
    )
    if len(group) > len(largest):
        yield from paragraphs([f"The largest {len(largest)} of {len(group):,}."])
    yield "</section>"


def _rate(figures: QualityStats) -> float | None:
    """The rate to draw: of words, or of characters where there are no words."""
    return figures.characters.rate if figures.words.rate is None else figures.words.rate
