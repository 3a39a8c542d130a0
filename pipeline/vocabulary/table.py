"""The table of a custom vocabulary: how phrases are written in it, merging, checking. Pure.

The rules are those of "Creating a custom vocabulary using a table" in the service's developer
guide: four tab-separated columns, LF, at most 50 KB; in the Phrase column hyphens between words,
letters that are said one by one with full stops, no digits.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import BadSettings
from pipeline.vocabulary.charsets import character_set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LARGEST_TABLE = 50_000
"""Bytes; the service's limit is "50 Kb"."""

_COLUMNS = ("Phrase", "SoundsLike", "IPA", "DisplayAs")
_HEADER = "\t".join(_COLUMNS)
_LONGEST = 256
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# A capital run at the end of a word ("DynamoDB") or a word of its own ("CLI", "ABCs").
_ACRONYM = re.compile(r"([A-Z]{2,}|(?<![^\W\d_])[A-Z])(s?)$")
_INITIALS = re.compile(r"[^\W\d_](\.[^\W\d_])+")
_PARTS = re.compile(r"\d|[^\d\-‐‑–/&_]+")  # noqa: RUF001 # hyphens of other kinds
_APOSTROPHES = dict.fromkeys("\u2018\u2019\u02bc", "'")


class Row(NamedTuple):
    """One entry; the service passes over the two columns in the middle today."""

    phrase: str
    sounds_like: str = ""
    ipa: str = ""
    display_as: str = ""


def row_for(text: str, language: str) -> Row | None:
    """The entry for words as reviewers write them; None where the language's rules allow none."""
    shown = _trimmed(unicodedata.normalize("NFC", text))
    phrase = "-".join(part for word in shown.split() for part in _spoken(word, language))
    allowed = character_set(language)
    phrase = _in_characters(phrase, allowed) if allowed else phrase
    if _wrong_phrase(phrase, allowed) or len(shown) > _LONGEST:
        return None
    return Row(phrase, display_as=" ".join(shown.split()) if shown != phrase else "")


def _trimmed(text: str) -> str:
    """The text from its first letter or digit to its last, with the marks on it: Hindi's vowels."""
    kept: list[int] = []
    for place, character in enumerate(text):
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and kept and kept[-1] == place - 1):
            kept.append(place)
    return text[kept[0] : kept[-1] + 1] if kept else ""


def _in_characters(phrase: str, allowed: frozenset[str]) -> str:
    """The phrase with what a language lacks written as it can be; DisplayAs keeps it as it was.

    Some languages have small letters only, and English writes José without its accent. NFC takes
    some letters of Hindi apart that the service knows as one.
    """
    for letter in allowed:
        apart = unicodedata.normalize("NFC", letter)
        phrase = phrase.replace(apart, letter) if apart != letter else phrase
    return "".join(each if each in allowed else _nearest(each, allowed) for each in phrase)


def _nearest(letter: str, allowed: frozenset[str]) -> str:
    plain = _APOSTROPHES.get(letter) or unicodedata.normalize("NFD", letter)[0]
    written = (letter.lower(), plain, plain.lower())
    return next((each for each in written if each in allowed), letter)


def _spoken(word: str, language: str) -> Iterator[str]:
    """The parts of a word as they are said, each a part of the phrase."""
    english = language.startswith("en")
    for part in _PARTS.findall(word):
        trimmed = _trimmed(part)
        if part.isdigit() and english:
            yield _DIGITS[int(part)]
        elif _INITIALS.fullmatch(trimmed):
            yield f"{trimmed}."
        elif found := _ACRONYM.search(part):
            yield from filter(None, [part[: found.start()], ".".join(found[1]) + ".", found[2]])
        else:
            # A full stop stands after a letter that is said alone, and nowhere else.
            yield from trimmed.replace(".", " dot " if english else " ").split(" ")


def _wrong_phrase(phrase: str, allowed: frozenset[str] | None) -> str:
    """What is wrong with a phrase, "" where nothing is."""
    if not phrase or phrase.startswith("-") or phrase.endswith("-") or "--" in phrase:
        return "a hyphen stands between two words"
    if len(phrase) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if any(letter.isspace() for letter in phrase):
        return "words are joined by hyphens, not spaces"
    if any(letter.isdigit() for letter in phrase):
        return "numbers are spelled out"
    strange = sorted(set(phrase) - allowed) if allowed else []
    return f"the language has no {' '.join(map(repr, strange))}" if strange else ""


def as_table(rows: Iterable[Row]) -> bytes:
    """The rows as the file that the service reads."""
    lines = [_HEADER, *("\t".join(row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def parse_table(content: bytes) -> list[Row]:
    """The rows of a table, in its order.

    Raises:
        BadSettings: it is none; the sentence names the line.
    """
    try:
        lines = content.removeprefix(b"\xef\xbb\xbf").decode().split("\n")
    except UnicodeDecodeError as error:
        raise BadSettings(f"The table is not UTF-8 at byte {error.start}") from error
    lines = [line.removesuffix("\r") for line in lines]  # an editor's; it is written without
    columns = lines[0].split("\t")
    if sorted(columns) != sorted(_COLUMNS):
        raise BadSettings(
            f"The table's first line must name {', '.join(_COLUMNS)}, with tabs between them"
        )
    places = [columns.index(name) for name in _COLUMNS]
    rows = []
    for number, line in enumerate(lines[1:], 2):
        values = line.split("\t")
        if len(values) > len(_COLUMNS):
            raise BadSettings(f"Line {number} of the table has {len(values)} columns, not four")
        if line.strip():
            values += [""] * (len(_COLUMNS) - len(values))  # editors cut empty columns off
            rows.append(Row(*(values[place].strip() for place in places)))
    return rows


def complaints(rows: Sequence[Row], language: str) -> list[str]:
    """What the service would refuse in the rows of a table, a sentence each."""
    allowed = character_set(language)
    found = []
    seen: set[str] = set()
    for row in rows:
        wrong = _wrong_phrase(row.phrase, allowed)
        if not wrong and row.phrase in seen:
            wrong = "it is there twice"
        if not wrong and len(row.display_as) > _LONGEST:
            wrong = f"its DisplayAs is longer than {_LONGEST} characters"
        seen.add(row.phrase)
        found += [f"Phrase {row.phrase!r}: {wrong}."] if wrong else []
    size = len(as_table(rows))
    if size > LARGEST_TABLE:
        found.append(f"The table has {size:,} bytes; the service takes {LARGEST_TABLE:,}.")
    return found if rows else ["The table has no rows."]


class Merged(NamedTuple):
    """A table with new rows; those for which there was no room are left out."""

    rows: list[Row]
    added: int
    left_out: int


def merge(known: Sequence[Row], ranked: Iterable[Row]) -> Merged:
    """Append rows, the most important first, to those that people have edited, which stay.

    A row is known when its phrase is there, or another phrase for the same DisplayAs.
    """
    rows = list(known)
    phrases = {row.phrase.casefold() for row in rows}
    shown = {row.display_as.casefold() for row in rows if row.display_as}
    size = len(as_table(rows))
    left_out = 0
    for row in ranked:
        if row.phrase.casefold() in phrases or row.display_as.casefold() in shown:
            continue
        more = len("\t".join(row).encode()) + 1
        if size + more > LARGEST_TABLE:
            left_out += 1
            continue
        size += more
        rows.append(row)
        phrases.add(row.phrase.casefold())
        shown |= {row.display_as.casefold()} - {""}
    return Merged(rows, len(rows) - len(known), left_out)
