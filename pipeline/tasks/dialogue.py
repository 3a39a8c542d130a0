"""What was said as a page to read: speaker, time and text of each segment, in HTML; pure.

Words that the service was not sure of are marked in it, as the boxes in which a text is corrected
hold plain text. Label Studio (1.23) shows it by a tag `Markdown`, which takes HTML as it is from a
line that begins with `<p` to the next empty line, and shows nothing for a task without the key. A
`Paragraphs` in its place makes 25 elements of a segment, and without a segment leaves the whole
page empty.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.model import Segment, Word

MOST_SEGMENTS = 300
"""With more the page would open slowly."""

SPEECH = "speech"
"""The label where nobody was told apart."""

Said = tuple[str, float, str]
"""Who speaks, from which second on, and the text."""

_MARK, _END_OF_MARK = "<mark>", "</mark>"
_UNBROKEN = re.compile(r"\S+")


def dialogue(segments: Sequence[Segment], mark_below: float = 0.0, *, in_full: bool = True) -> str:
    """A line of HTML for each segment; "" where there is none.

    Args:
        segments: with their words where any is to be marked.
        mark_below: words with a lower confidence are marked.
        in_full: whether also segments are shown in which no word is marked, while they are not too
            many; else all with such words, as the task may be cut, and otherwise the first ones.
    """
    if in_full and len(segments) <= MOST_SEGMENTS:
        shown = list(segments)
    else:
        unsure = [each for each in segments if _unsure(each.words, mark_below)]
        shown = unsure if in_full else unsure[:MOST_SEGMENTS]
    return "\n".join([_line(each, mark_below) for each in shown])


def speaker_of(segment: Segment) -> str:
    """Who speaks; a region needs a label, also where nobody was told apart."""
    return segment.speaker or segment.channel or SPEECH


def _unsure(words: Sequence[Word], mark_below: float) -> bool:
    return any(each.confidence is not None and each.confidence < mark_below for each in words)


def dialogue_of_whole(whole: str) -> str:
    """The dialogue of a task that is not cut: as many of its lines as open quickly."""
    return "\n".join(whole.split("\n")[:MOST_SEGMENTS])


def dialogue_of_part(said: Iterable[Said], whole: str) -> str:
    """The lines of some of a task's segments, of which those with marks alone where it is many.

    Args:
        said: the segments.
        whole: the dialogue of the whole task, in which words are marked.
    """
    marked = {_unmarked(line): line for line in whole.split("\n")}
    plain = [_line_of(who, start, escape(text)) for who, start, text in said]
    lines = [marked.get(line, line) for line in plain]
    if len(lines) > MOST_SEGMENTS:
        lines = [line for line in lines if _MARK in line][:MOST_SEGMENTS]
    return "\n".join(lines)


def clock(seconds: float) -> str:
    """A time in a recording as its player shows it."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _line(segment: Segment, mark_below: float) -> str:
    return _line_of(speaker_of(segment), segment.start, _marked(segment, mark_below))


def _line_of(who: str, start: float, text: str) -> str:
    """A line of HTML, as the text is already."""
    # A script is written in its own direction.
    line = f'<p dir="auto"><b>{escape(who)}</b> {clock(start)}<br>{text}</p>'
    return line.replace("\r", " ").replace("\n", " ")


def _unmarked(line: str) -> str:
    return line.replace(_MARK, "").replace(_END_OF_MARK, "")


def _marked(segment: Segment, mark_below: float) -> str:
    """The segment's text as HTML; a word whose place in it is not certain is not marked."""
    text, pieces, done = segment.text, [], 0
    if not _unsure(segment.words, mark_below):
        return escape(text)
    unsure = [
        (at, at + len(word.text.strip()))
        for word, at in zip(segment.words, _places(segment), strict=True)
        if at is not None and word.confidence is not None and word.confidence < mark_below
    ]
    for begin, end in sorted(unsure):
        pieces += [escape(text[done:begin]), f"{_MARK}{escape(text[begin:end])}{_END_OF_MARK}"]
        done = end
    return "".join([*pieces, escape(text[done:])])


def _places(segment: Segment) -> list[int | None]:
    """Where each word begins in the text; None for blank ones, and where that is not certain.

    The text is the words one after the other. Where it is not (the service's order is not always
    that of the times), a word is certain that stands once in it and once among the words.
    """
    at, places = 0, []
    for word in (each.text.strip() for each in segment.words):
        at = _behind_spaces(segment.text, at)
        if not segment.text.startswith(word, at):
            return _places_of_unique(segment)
        places.append(at if word else None)
        at += len(word)
    return places if not segment.text[at:].strip() else _places_of_unique(segment)


def _behind_spaces(text: str, at: int) -> int:
    found = _UNBROKEN.search(text, at)
    return found.start() if found else len(text)


def _places_of_unique(segment: Segment) -> list[int | None]:
    standing: dict[str, list[int]] = {}
    for found in _UNBROKEN.finditer(segment.text):
        standing.setdefault(found[0], []).append(found.start())
    words = [each.text.strip() for each in segment.words]
    number = Counter(words)
    return [
        standing[word][0] if number[word] == len(standing.get(word, ())) == 1 else None
        for word in words
    ]
