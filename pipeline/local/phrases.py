"""The table of a custom vocabulary, and what it does to recognised words; pure.

The rules are those of the service's guide ("Creating a custom vocabulary using a table", "Creating
a custom vocabulary using a list", "Character sets": English, as this endpoint knows no other).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.local import messages
from pipeline.local.recogniser import Phrase, SpokenWord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LARGEST_TABLE = 50 * 1024
"""Bytes of the largest table the service takes."""

_COLUMNS = ["DisplayAs", "IPA", "Phrase", "SoundsLike"]
_LONGEST = 256
# A hyphen stands between words; one before the first is known to be refused.
_ENGLISH = re.compile(r"[a-zA-Z'.]+(-[a-zA-Z'.]+)*")
_LETTERS = re.compile(r"([a-zA-Z]\.)+")


class BadTable(Exception):
    """The vocabulary can't be made; `reason` becomes its FailureReason."""

    def __init__(self, reason: str = messages.VOCABULARY_NOT_VALID) -> None:
        super().__init__(reason)
        self.reason = reason


def read_table(content: bytes) -> tuple[Phrase, ...]:
    """The phrases of a table: UTF-8, LF, four tab-separated columns in any order.

    `SoundsLike` and `IPA` are ignored, as today's service does.

    Raises:
        BadTable: it is none, or a value is not allowed.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise BadTable from None
    columns, *rows = [line.split("\t") for line in text.split("\n")]
    rows = [row for row in rows if row != [""]]
    if sorted(columns) != _COLUMNS or {len(row) for row in rows} - {len(columns)} or "\r" in text:
        raise BadTable
    phrase, shown = columns.index("Phrase"), columns.index("DisplayAs")
    return tuple(_phrase(row[phrase], row[shown]) for row in rows)


def read_list(phrases: Iterable[str]) -> tuple[Phrase, ...]:
    """The phrases of a request's list.

    Raises:
        BadTable: a value is not allowed.
    """
    return tuple(_phrase(phrase, "") for phrase in phrases)


def _phrase(phrase: str, shown: str) -> Phrase:
    if len(phrase) > _LONGEST or len(shown) > _LONGEST or not _ENGLISH.fullmatch(phrase):
        raise BadTable
    return Phrase(tuple(_spoken(phrase)), shown or phrase)


def _spoken(phrase: str) -> Iterator[str]:
    """The words of a phrase as they are said: letters with full stops are said one by one."""
    for part in phrase.lower().split("-"):
        if _LETTERS.fullmatch(part):
            yield from part.rstrip(".").split(".")
        else:
            yield part


def as_shown(words: Sequence[SpokenWord], phrases: Sequence[Phrase]) -> tuple[SpokenWord, ...]:
    """The words with each phrase that was said as one item, written as its row wants it."""
    by_words = {phrase.words: phrase.shown for phrase in phrases}
    lengths = sorted({len(spoken) for spoken in by_words}, reverse=True)
    found: list[SpokenWord] = []
    for channel in sorted({word.channel for word in words}):
        line = [word for word in words if word.channel == channel]
        while line:
            length = next((n for n in lengths if _said(line[:n]) in by_words), 1)
            found.append(_joined(line[:length], by_words))
            del line[:length]
    return tuple(found)


def _said(words: Sequence[SpokenWord]) -> tuple[str, ...]:
    """Words to compare by: the recogniser writes a letter with its full stop."""
    return tuple(word.text.lower().rstrip(".") for word in words)


def _joined(words: Sequence[SpokenWord], by_words: dict[tuple[str, ...], str]) -> SpokenWord:
    first, last = words[0], words[-1]
    shown = by_words.get(_said(words), first.text)
    confidence = min(word.confidence for word in words)
    return SpokenWord(shown, first.start, last.end, confidence, first.channel)
