"""A transcript ─► one text to be searched, with where its words are in time; and its hits. Pure.

The whole recording is one text, so a phrase is found wherever its segments are cut. Scripts that
put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) get an invisible one
before each character: their words are then found as phrases of characters, at any place.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.text import storable
from pipeline.transcripts.captions import who

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.model import Segment, Transcript

NEAR = 20
"""Words that may stand between what is to be near one another."""

_AROUND = 50
"""Characters shown before and after; what is found within them is shown in the same line."""

_BREAK = "\u200b"
_OF_NO_SPACES = (
    "[\u0e00-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e80-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"
    "\u1000-\u102a\u1780-\u17b3\u3005-\u3007\u3040-\u3098\u309d-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003fffd]"
)
_SPACELESS = re.compile(rf"(?={_OF_NO_SPACES})|(?<={_OF_NO_SPACES})(?=\w)")
_UNSEEN = re.compile(f"[\x00-\x1f\x7f{_BREAK}]")
_PIECE = re.compile(rf"[^\s{_BREAK}]+")
_CUT = re.compile(rf"[\s{_BREAK}]")


class Times(msgspec.Struct, frozen=True, array_like=True):
    """When what is said in a text: each step is that from the place before.

    `characters` and `centiseconds` are of each word; `speakers` begin their turns at a character.
    """

    characters: list[int] = []
    centiseconds: list[int] = []
    speakers: list[tuple[int, str]] = []


_TIMES = msgspec.msgpack.Decoder(Times)


class Searchable(NamedTuple):
    """The text of a recording as it is searched, and its `Times` as they are stored."""

    text: str
    times: bytes


class Hit(NamedTuple):
    """A place that was found: seconds from the beginning, who speaks, "" if unknown, and the text.

    `found` and `around` take turns: around, found, around, and so on. `before` and `after` tell
    whether more is said there.
    """

    start: float
    speaker: str
    parts: tuple[str, ...]
    before: bool
    after: bool

    @property
    def text(self) -> str:
        """What is said there."""
        return "".join(self.parts)


def searchable(transcript: Transcript) -> Searchable:
    """The text of all segments, by their start, with the times of their words."""
    parts: list[str] = []
    places: list[tuple[int, float]] = []
    speakers: list[tuple[int, str]] = []
    length = 0
    for segment in transcript.segments:
        text = spaced(segment.text)
        if not text:
            continue
        name = who(segment)
        if not speakers or speakers[-1][1] != name:
            speakers.append((length, name))
        places += ((length + at, start) for at, start in _words(segment, text))
        parts.append(text)
        length += len(text) + 1
    characters = [0, *(at for at, _ in places)]
    times = [0, *(round(start * 100) for _, start in places)]
    of = Times(_steps(characters), _steps(times), speakers)
    return Searchable(" ".join(parts), msgspec.msgpack.encode(of))


def spaced(text: str) -> str:
    """A text on one line in which every word of every script stands alone."""
    text = " ".join(_UNSEEN.sub(" ", text).split())
    if text.isascii():
        return text
    return _SPACELESS.sub(_BREAK, unicodedata.normalize("NFC", storable(text)))


def has_words(text: str) -> bool:
    """Whether there is anything in a text that can be searched: a letter, a digit or a mark."""
    return any(c.isalnum() or unicodedata.category(c) in ("Mn", "Mc", "Co") for c in text)


def hits_of(
    text: str, found: Sequence[tuple[int, int]], stored: bytes, *, near: bool
) -> Iterator[Hit]:
    """What was found in a text from these characters to those, in words for people.

    What is close together is one hit; so is what was looked for `near` one another.
    """
    times = _TIMES.decode(stored)
    characters = list(accumulate(times.characters))
    centiseconds = list(accumulate(times.centiseconds))
    turns = [at for at, _ in times.speakers]
    for group in _groups(text, found, near=near):
        begin = group[0][0]
        word, turn = bisect_right(characters, begin) - 1, bisect_right(turns, begin) - 1
        first, last = _shown(text, begin, group[-1][1])
        edges = [first, *(edge for each in group for edge in each), last]
        yield Hit(
            centiseconds[word] / 100 if word >= 0 else 0.0,
            times.speakers[turn][1] if turn >= 0 else "",
            tuple(text[one:other].replace(_BREAK, "") for one, other in pairwise(edges)),
            first > 0,
            last < len(text),
        )


def _words(segment: Segment, text: str) -> Iterator[tuple[int, float]]:
    """Where each word begins in its segment's text, and in time."""
    if not segment.words:
        yield 0, segment.start
    place = 0
    for word in segment.words:
        written = spaced(word.text)
        found = text.find(written, place)
        if found >= 0:
            yield found, word.start
            place = found + len(written)


def _steps(values: Sequence[int]) -> list[int]:
    return [values[0], *(other - one for one, other in pairwise(values))]


def _groups(
    text: str, found: Sequence[tuple[int, int]], *, near: bool
) -> Iterator[list[tuple[int, int]]]:
    group: list[tuple[int, int]] = []
    for each in found:
        if group and not _is_close(text, group[-1][1], each[0], near=near):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _is_close(text: str, end: int, begin: int, *, near: bool) -> bool:
    if near:
        return len(_PIECE.findall(text, end, begin)) <= NEAR
    return begin - end <= _AROUND


def _shown(text: str, begin: int, end: int) -> tuple[int, int]:
    """From where to where a text is shown around what was found: whole words where they end."""
    first, last = max(0, begin - _AROUND), min(len(text), end + _AROUND)
    if first and (cut := _CUT.search(text, first, begin)):
        first = cut.end()
    if last < len(text) and (cuts := [each.start() for each in _CUT.finditer(text, end, last)]):
        last = cuts[-1]
    return first, last
