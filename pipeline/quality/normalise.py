"""What is compared of a transcript and its correction; pure.

For every language, in this order:

0. Marks in square brackets (`[unintelligible]`, `[noise]`) are dropped: they are no words.
1. Unicode's compatibility form (NFKC) and full case folding; in Turkish and Azerbaijani with their
   own pairs of i. So full-width letters, ligatures and capitals are no errors, and ß is ss.
2. Invisible characters (category Cf: joiners, marks of direction) are dropped.
3. Typographic apostrophes become '. Punctuation becomes a space, but for an apostrophe between
   letters (don't, l'eau) and for a full stop, comma or colon between digits (3.5, 10:30).
4. White space becomes one space, and none at the ends.

Numbers and symbols (%, &, @, # and the paragraph's among them) stay as they are written: "$5" and
"five dollars" differ.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces between words, so a word
error rate means nothing there: they are compared by characters, without any spaces.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.ground_truth.unusable import without_marks

NO_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my"})
"""The languages, as the first part of their code, that put no spaces between words."""

_DOTTED = frozenset({"tr", "az"})
_TURKIC = str.maketrans({"I": "\u0131", "\u0130": "i"})
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\uff07\u00b4`", "'"))
_SYMBOLS = frozenset("%&@#\u00a7\u2030")
_INSIDE = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])|(?<=\d)[.,:](?=\d)")
_OTHERS = re.compile(r"[^\w\s]|_")


def has_words(language: str | None) -> bool:
    """Whether spaces separate the words of a language, as is assumed of an unknown one."""
    return _code(language) not in NO_SPACES


def normalised(text: str, language: str | None) -> str:
    """The text as it is compared: words with one space between them, or characters without any."""
    text = unicodedata.normalize("NFC", without_marks(text)).translate(_APOSTROPHES)
    if _code(language) in _DOTTED:
        text = text.translate(_TURKIC)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    spaced = _OTHERS.sub(_spaced, text.translate(_APOSTROPHES))  # ŉ has come apart into two
    joined = (" " if has_words(language) else "").join(spaced.split())
    return unicodedata.normalize("NFKC", joined)  # what a dropped character kept apart may join


def _spaced(found: re.Match[str]) -> str:
    """What becomes of a character that is no letter, digit or white space."""
    character = found[0]
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    is_punctuation = category[0] == "P" and character not in _SYMBOLS
    return " " if is_punctuation and not _INSIDE.match(found.string, found.start()) else character


def _code(language: str | None) -> str:
    return (language or "").replace("_", "-").partition("-")[0].lower()
