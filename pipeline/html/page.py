"""Pages that need nothing else: one file of HTML, no script, nothing from the network; pure.

What stands in them comes from keys and services, so everything is escaped where it is put in.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_BEFORE_A_UNIT = re.compile(
    r"(?<=\d) (?=(?:s|min|h|d)\b|%)|(?<=\d min) (?=\d+ s\b)|(?<=\d [hd]) (?=\d+ (?:min|h)\b)"
)

# Every text is at least 4.5 times as bright or dark as what it stands on (WCAG AA), in both
# schemes; tests/browser measures it.
STYLE = """
:root { color-scheme: light dark; --ink: #17202b; --soft: #566171; --line: #e1e5ea;
  --paper: #f5f6f8; --card: #ffffff; --mark: #2364aa; --wash: #dbe7f4; --other: #b4540a;
  --good: #1b7345; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --soft: #9aa5b3; --line: #2c3541;
  --paper: #10151b; --card: #181f28; --mark: #6cb0f2; --wash: #1f3347; --other: #f0a35e;
  --good: #5ec48d; --bad: #f2857c; } }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: var(--paper); max-width: 66rem; margin: 0 auto; padding: 2rem 1rem 3rem;
  -webkit-text-size-adjust: 100%; }
h1 { font-size: 1.6rem; line-height: 1.25; letter-spacing: -.01em; margin: 0 0 .5rem;
  text-wrap: balance; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 .35rem; }
h1, h2, h3, p, li, dd { overflow-wrap: anywhere; min-width: 0; }
p { margin: 0 0 .75rem; max-width: 46rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.25rem 1.5rem; margin: 1.25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; }
svg text { fill: var(--soft); font-size: 12px; }
svg .name { fill: var(--ink); }
.axis { stroke: var(--line); fill: none; }
.mark { fill: var(--mark); }
.path { stroke: var(--mark); stroke-width: 2; fill: none; }
@media (max-width: 40rem) { body { padding-top: 1.25rem; }
  section { padding: 1rem; border-radius: .5rem; } h1 { font-size: 1.35rem; } }
"""


def document(title: str, style: str, body: Iterable[str]) -> str:
    """A whole page; `style` is added to what all pages have, `body` is HTML.

    The policy lets nothing but this very style be loaded or run, whatever stands in the body.
    """
    whole = STYLE + style
    digest = base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode()
    inside = "\n".join(body)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{whole}</style>
</head>
<body>
{inside}
</body>
</html>
"""


def text(words: str) -> str:
    """A text as HTML, in which no figure is parted from its unit."""
    return _BEFORE_A_UNIT.sub("\u00a0", escape(words))


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Each line as a paragraph of text."""
    return (f"<p>{text(line)}</p>" for line in lines)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, which scrolls in itself where it is wider than the page."""
    cells = ([text(cell) for cell in row] for row in rows)
    return table_of(headings, cells)


def table_of(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are HTML already."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in rows)
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody>\n</table></div>"
    )
