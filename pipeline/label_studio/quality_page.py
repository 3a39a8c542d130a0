"""The figures as one page of HTML with plots: no script, nothing from the network; pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pipeline.label_studio import quality_text as words
from pipeline.label_studio.plots import bars, curve_plot, reliability_plot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.label_studio.quality import Figures, Quality

_HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Quality of the transcripts</title>
<style>
:root { color-scheme: light dark; --ink: #1c2430; --faint: #667085; --line: #d5dae2;
  --paper: #ffffff; --mark: #2563a8; --other: #b4540a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --faint: #98a2b3; --line: #3a4351;
  --paper: #14181f; --mark: #6cb0f2; --other: #f0a35e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: 600; }
svg { width: 100%; max-width: 34rem; height: auto; display: block; margin: 1rem 0; }
svg text { fill: var(--faint); font-size: 11px; } svg .name { fill: var(--ink); }
.axis { stroke: var(--line); fill: none; } .ideal { stroke: var(--faint); stroke-dasharray: 4 4; }
.mark { fill: var(--mark); } .path { stroke: var(--mark); stroke-width: 2; fill: none; }
.limit { stroke: var(--other); stroke-dasharray: 2 3; }
</style>
"""


def page(quality: Quality) -> str:
    """The whole page; names and words in it are escaped."""
    return _HEAD + "\n".join(_body(quality)) + "\n</html>\n"


def _body(quality: Quality) -> Iterator[str]:
    yield "<h1>Quality of the transcripts</h1>"
    yield from _paragraphs(words.left_out(quality))
    if not quality.total.reviews:
        yield from _paragraphs([words.NOTHING_YET])
        return
    yield from _paragraphs([words.summary(quality.total), *words.rates(quality.total)])
    yield "<h2>Where reviewing pays</h2>"
    yield from _paragraphs([words.advice(quality.threshold)])
    yield curve_plot(quality.curve)
    yield "<h2>Whether scores tell the truth</h2>"
    yield reliability_plot(quality.calibration)
    yield _table(words.CALIBRATION, words.calibration(quality))
    for name, group in quality.groups.items():
        if group:
            yield from _group(name, group)
    if quality.confusions:
        yield "<h2>The most frequent confusions</h2>"
        yield _table(("Said", "heard", "times"), words.confusions(quality))


def _group(name: str, group: dict[str, Figures]) -> Iterator[str]:
    largest = words.largest(group)
    yield f"<h2>By {escape(name)}</h2>"
    yield bars([(words.row(each, group[each])[0], _rate(group[each])) for each in largest])
    yield _table(
        (name.capitalize(), *words.HEADINGS), [words.row(each, group[each]) for each in largest]
    )
    if len(group) > len(largest):
        yield from _paragraphs([f"The largest {len(largest)} of {len(group):,}."])


def _rate(figures: Figures) -> float | None:
    """The rate to draw: of words, or of characters where there are no words."""
    return figures.characters.rate if figures.words.rate is None else figures.words.rate


def _paragraphs(lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    return (f"<p>{escape(line)}</p>" for line in lines)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>" for cells in rows
    )
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'
