"""A transcript ─► captions that people can read: short lines, long enough, one at a time; pure.

The bounds are those that broadcasters and streaming services ask for: lines of 42 characters, two
of them, 20 characters a second, and no caption for longer than seven seconds. Words have their
times, so a caption begins with its first word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.transcripts.segmentation import SENTENCE_ENDS
from pipeline.transcripts.subtitles import Caption

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.model import Segment, Transcript

_LONGEST = 7.0
_SHORTEST = 800
"""Milliseconds that a caption stays where nothing follows: a shorter one is a flash."""

_LEAST_SHOWN = 500
"""Milliseconds that a caption keeps where another speaker begins meanwhile, if it has as many."""

_NEVER = (10**12, 10**12)


class Layout(msgspec.Struct, frozen=True):
    """How captions are laid out: characters of a line, lines, and characters read in a second."""

    line_length: int = 42
    lines: int = 2
    reading_speed: float = 20.0

    @property
    def name(self) -> str:
        """The same for the same layout alone."""
        return f"{self.line_length}x{self.lines}@{self.reading_speed:g}"


class _Token(msgspec.Struct, gc=False):
    """A word with its times; `space` tells whether the language sets one before it here."""

    text: str
    start: float
    end: float
    space: bool = True


def captions_of(transcript: Transcript, layout: Layout, *, named: bool = False) -> list[Caption]:
    """The captions in their order, none while another is shown.

    A line is longer than the layout says only where a single word is.

    Args:
        transcript: with its words; what has none is spread evenly over its segment.
        layout: of the captions.
        named: begin a speaker's turn with "SPEAKER: " where there are several.
    """
    several = len({who(each) for each in transcript.segments}) > 1
    captions: list[Caption] = []
    before = ""
    for segment in transcript.segments:
        name = who(segment) if several else ""
        tokens = _tokens(segment, layout)
        if named and name != before and tokens:
            first, *rest = tokens
            label = _Token(f"{name}:", first.start, first.start)
            tokens = [label, _Token(first.text, first.start, first.end), *rest]
        before = name
        captions += _cut(tokens, layout, name)
    return _one_at_a_time(sorted(captions), layout)


def who(segment: Segment) -> str:
    """Who speaks: the speaker's label, else the channel's, else "", on one line."""
    return " ".join((segment.speaker or segment.channel or "").split())


def _tokens(segment: Segment, layout: Layout) -> list[_Token]:
    if not segment.words:
        return _spread(segment, layout)
    tokens, text, place = [], segment.text, 0
    for word in segment.words:
        said = word.text
        found = text.find(said, place)
        space = found != place
        if found >= 0:
            place = found + len(said)
        if " " not in said and said.isprintable():
            tokens.append(_Token(said, word.start, word.end, space))
            continue
        for number, part in enumerate(said.split()):
            tokens.append(_Token(part, word.start, word.end, bool(number) or space))
    return tokens


def _spread(segment: Segment, layout: Layout) -> list[_Token]:
    """The words of a segment that has no times of its own words, by their lengths."""
    words = segment.text.split()
    total = sum(len(word) + 1 for word in words)
    lasts = segment.end - segment.start or total / layout.reading_speed
    tokens, said = [], 0
    for word in words:
        start = segment.start + lasts * said / total
        said += len(word) + 1
        tokens.append(_Token(word, start, segment.start + lasts * said / total))
    return tokens


def _cut(tokens: Sequence[_Token], layout: Layout, speaker: str) -> Iterator[Caption]:
    """Cut where the lines are full, after a sentence that fills one, or after seven seconds."""
    lines: list[str] = []
    line = ""
    start = end = 0.0
    length, most = layout.line_length, layout.lines
    for token in tokens:
        fits = line and len(line) + token.space + len(token.text) <= length
        if line and (
            not (fits or len(lines) + 1 < most)
            or token.end - start > _LONGEST
            or (lines and line.endswith(SENTENCE_ENDS))
        ):
            yield Caption(start, end, "\n".join([*lines, line]), speaker)
            lines, line, fits = [], "", False
        if fits:
            line += f" {token.text}" if token.space else token.text
        else:
            if line:
                lines.append(line)
            else:
                start = end = token.start
            line = token.text
        end = max(end, token.end)
    if line:
        yield Caption(start, end, "\n".join([*lines, line]), speaker)


def _one_at_a_time(captions: Sequence[Caption], layout: Layout) -> list[Caption]:
    """Show each long enough to be read where nobody speaks then, and end it where the next begins.

    Times are whole milliseconds, so that rounding them makes none overlap.
    """
    shown: list[Caption] = []
    free = 0
    times = [(round(each.start * 1000), round(each.end * 1000)) for each in captions]
    for each, (begins, ends), (following, _) in zip(
        captions, times, [*times[1:], _NEVER], strict=False
    ):
        start = max(begins, free)
        needed = max(_SHORTEST, round(len(each.text) / layout.reading_speed * 1000))
        least = max(1, min(_LEAST_SHOWN, ends - begins))
        free = max(min(max(ends, start + needed), following), start + least)
        shown.append(Caption(start / 1000, free / 1000, each.text, each.speaker))
    return shown
