"""What was said as a page to read: speaker, time and text of each segment, in HTML; pure.

Label Studio (1.23) shows it by a tag `Markdown`, which takes HTML as it is from a line that begins
with `<p` to the next empty line, and shows nothing for a task without the key. A `Paragraphs` in
its place makes 25 elements of a segment, and without a segment leaves the whole page empty.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.model import Segment

MOST_SEGMENTS = 300
"""Of a longer recording the page would open slowly."""

SPEECH = "speech"
"""The label where nobody was told apart."""

_ONE_LINE = str.maketrans("\r\n", "  ")


def dialogue(segments: Sequence[Segment]) -> str:
    """A line of HTML for each segment; "" where there is none, or more than `MOST_SEGMENTS`."""
    return "\n".join(map(_line, segments)) if len(segments) <= MOST_SEGMENTS else ""


def speaker_of(segment: Segment) -> str:
    """Who speaks; a region needs a label, also where nobody was told apart."""
    return segment.speaker or segment.channel or SPEECH


def _line(segment: Segment) -> str:
    minutes, seconds = divmod(int(segment.start), 60)
    who, text = escape(speaker_of(segment)), escape(segment.text).translate(_ONE_LINE)
    # A script is written in its own direction.
    return f'<p dir="auto"><b>{who}</b> {minutes}:{seconds:02}<br>{text}</p>'
