"""Words ─► segments, for transcripts in which the service made none; pure.

Reviewers hear one segment at a time, so a segment is what one person says in one breath. The
service's own segments of 2024 and later end at pauses from 0.6 s on, whatever the punctuation;
where speech goes on and on, the end of a sentence is the better place.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from pipeline.model import Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.model import Word

PAUSE = 0.6
LONG_ENOUGH = 5.0
LONGEST = 30.0
"""Seconds: a pause that ends a segment; from when a sentence's end does; and when any word does."""

SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "｡", "؟", "۔", "।")  # noqa: RUF001 # as the service writes them
"""What a sentence ends with in the languages of the service: a mark behind its last word."""


def segments_of(words: Sequence[Word], text: str, *, hold_words: bool = False) -> list[Segment]:
    """Put every word into one segment; each is of one channel and one speaker.

    Args:
        words: in the document's order, which may jump between channels.
        text: the service's own, which tells whether the language sets spaces between words.
        hold_words: whether the segments hold their words.

    Returns:
        The segments, channel by channel, each channel's by their start.
    """
    space = "" if "".join(word.text for word in words) == text else " "
    channels: dict[str | None, list[Word]] = {}
    for word in words:
        channels.setdefault(word.channel, []).append(word)
    return [
        _segment(part, space, tuple(part) if hold_words else ())
        for spoken in channels.values()
        for part in _cut(sorted(spoken, key=attrgetter("start")))
    ]


def mean(confidences: Iterable[float | None]) -> float | None:
    """The mean of those that are known; None where none is."""
    known = [each for each in confidences if each is not None]
    return sum(known) / len(known) if known else None


def _cut(words: list[Word]) -> Iterator[list[Word]]:
    """Cut one channel's words where a segment ends."""
    first = before = words[0]
    part: list[Word] = []
    for word in words:
        lasted = before.end - first.start
        if part and (
            word.start - before.end >= PAUSE
            or word.speaker != before.speaker
            or word.end - first.start > LONGEST
            or (lasted >= LONG_ENOUGH and before.text.endswith(SENTENCE_ENDS))
        ):
            yield part
            first, part = word, []
        part.append(word)
        before = word
    yield part


def _segment(words: list[Word], space: str, held: tuple[Word, ...]) -> Segment:
    first = words[0]
    return Segment(
        space.join([word.text for word in words]),
        first.start,
        max(word.end for word in words),
        first.speaker,
        first.channel,
        first.language,
        mean([word.confidence for word in words]),
        held,
    )
