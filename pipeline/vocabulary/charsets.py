"""Which characters the service takes in the Phrase column of a custom vocabulary, by language.

From "Character sets for custom vocabularies" of the service's developer guide. Chinese and Japanese
have lists of thousands there, and newer languages have lists that are not here: for those the
service itself says what it does not take. Pure.
"""

from __future__ import annotations

import string

_UPPER = string.ascii_uppercase
_LOWER = string.ascii_lowercase
_LATIN = f"{_UPPER}{_LOWER}'-."
_BETWEEN_WORDS = "-"

_LETTERS = {
    "af": f"{_LOWER}.áèéêëíîïóôöúûü",
    "da": f"{_UPPER}{_LOWER}.ÅÆØåæéø",
    "de": f"{_LATIN}äöüßÄÖÜ",
    "en": _LATIN,
    "es": f"{_LATIN}ÁÉÍÓÚÑáéíóúñü",
    "fr": f"{_LATIN}ÀÂÇÈÉÊËÎÏÔÖÙÛÜàâçèéêëîïôöùûü",
    "id": _LATIN,
    "it": f"{_LATIN}ÀÄÇÈÉÊËÌÒÙÜàäçèéêëìòùü",
    "ms": _LATIN,
    "nl": f"{_LATIN}àáâäçèéêëìíîïñòóôöùúûü",
    "pt": f"{_LATIN}ÀÁÂÃÄÇÈÉÊËÍÑÓÔÕÖÚÜàáâãäçèéêëíñóôõöúü",
    "ru": "'.абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "tr": f"{_LATIN}ÇÖÜâäçèéêíîóöûüĞğİıŞşšž",
}
_CODE_POINTS = {
    "ar": "0621-063A 0641-064A",
    "fa": (
        "0621-0624 0626-0628 062A-063A 0641-0642 0644-0648 064E-0651 067E 0686 0698 06A9 06AF 06CC"
    ),
    "he": "05D0-05EA",
    "hi": (
        "002E 0901-0903 0905-090B 090F-0911 0913-0932 0935-0939 093E-0943 0945 0947-0949 094B-094D "
        "0958-095F"
    ),
    "ko": "AC00-D7A3",
    "ta": (
        "0B83 0B85-0B8A 0B8E-0B90 0B92-0B95 0B99-0B9A 0B9C 0B9E-0B9F 0BA3-0BA4 0BA8-0BAA 0BAE-0BB9 "
        "0BBE-0BC2 0BC6-0BC8 0BCA-0BCD"
    ),
    "te": (
        "0C01-0C03 0C05-0C0C 0C0E-0C10 0C12-0C28 0C2A-0C33 0C35-0C39 0C3E-0C44 0C47-0C48 0C4A-0C4D"
    ),
    "th": "002E 0E01-0E32 0E34-0E3A 0E40-0E4D",
}


def character_set(language: str) -> frozenset[str] | None:
    """The characters of a language (`en-US`); None where only the service knows them."""
    base = language.partition("-")[0]
    if base in _LETTERS:
        return frozenset(_LETTERS[base] + _BETWEEN_WORDS)
    if base in _CODE_POINTS:
        return frozenset(_expanded(_CODE_POINTS[base]) + _BETWEEN_WORDS)
    return None


def _expanded(ranges: str) -> str:
    """The characters of hexadecimal code points and ranges of them."""
    found = []
    for each in ranges.split():
        first, _, last = each.partition("-")
        found += [chr(point) for point in range(int(first, 16), int(last or first, 16) + 1)]
    return "".join(found)
