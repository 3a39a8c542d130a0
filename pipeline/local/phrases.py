"""The table of a custom vocabulary, and what it does to the words that were heard; pure.

The rules are those of the service's guide ("Creating a custom vocabulary using a table", "Creating
a custom vocabulary using a list", "Character sets": English, as this endpoint knows no other).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.local import messages
from pipeline.local.recogniser import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.local.recogniser import SpokenWord

LARGEST_TABLE = 50 * 1024
"""Bytes of the largest table the service takes."""

_COLUMNS = {"Phrase", "SoundsLike", "IPA", "DisplayAs"}
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

    `SoundsLike` and `IPA` are passed over, as today's service does.

    Raises:
        BadTable: it is none, or a value is not allowed.
    """
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError:
        raise BadTable from None
    columns = lines[0].split("\t")
    if set(columns) != _COLUMNS or len(columns) != len(_COLUMNS) or "\r" in lines[0]:
        raise BadTable
    rows = [dict(zip(columns, _values(line), strict=True)) for line in lines[1:] if line]
    return tuple(_phrase(row["Phrase"], row["DisplayAs"]) for row in rows)


def _values(line: str) -> list[str]:
    values = line.split("\t")
    if len(values) != len(_COLUMNS) or "\r" in line:
        raise BadTable
    return values


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


def as_shown(heard: Sequence[SpokenWord], phrases: Sequence[Phrase]) -> tuple[SpokenWord, ...]:
    """The words with each phrase that was heard as one item, written as its row wants it."""
    by_words = {phrase.words: phrase.shown for phrase in phrases}
    lengths = sorted({len(spoken) for spoken in by_words}, reverse=True)
    found: list[SpokenWord] = []
    for channel in sorted({word.channel for word in heard}):
        line = [word for word in heard if word.channel == channel]
        while line:
            length = next((n for n in lengths if _said(line[:n]) in by_words), 1)
            found.append(_joined(line[:length], by_words))
            del line[:length]
    return tuple(found)


def _said(heard: Sequence[SpokenWord]) -> tuple[str, ...]:
    """Words to compare by: the recogniser writes a letter with its full stop."""
    return tuple(word.text.lower().rstrip(".") for word in heard)


def _joined(heard: Sequence[SpokenWord], by_words: dict[tuple[str, ...], str]) -> SpokenWord:
    first, last = heard[0], heard[-1]
    shown = by_words.get(_said(heard), first.text)
    surest = min(word.confidence for word in heard)
    return type(first)(shown, first.start, last.end, surest, first.channel)
