"""The names of a folder's files, made from where recordings are; pure.

What a file's name can't be or shouldn't is written as in URLs (%0A), and a name too long ends in a
hash. No folder is named as a file is: one that ends as files do is written with %2E.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from unicodedata import normalize
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST_NAME = 200
"""Bytes of a folder's name; file systems take 255, and the format's suffix is added."""


class FileNames:
    """The names of a folder's files, which are apart there too.

    Where the folder `folds` names, so that `a.wav` and `A.wav` are one file, the second of two that
    fall together ends in a hash. Lines of ground truth keep their order, so it stays the second.
    """

    def __init__(self, suffix: str, *, folds: bool) -> None:
        self._suffix = suffix
        self._folds = folds
        self._taken: dict[str, str] = {}

    def of(self, audio: str) -> str:
        """The path below the folder for a recording."""
        name = file_name(audio, self._suffix)
        if not self._folds or self._taken.setdefault(_folded(name), audio) == audio:
            return name
        return f"{name.removesuffix(self._suffix)}{_hashed(audio)}{self._suffix}"


class Stems:
    """The names of recordings in a folder, without the suffixes of their files.

    They read as the keys do, without an extension of recordings, so that two keys may fall
    together; the second then ends in a hash. `suffixes` are of all files that may lie there.
    """

    def __init__(
        self, extensions: Collection[str], suffixes: Collection[str], *, folds: bool
    ) -> None:
        self._extensions = extensions
        self._suffixes = suffixes
        self._folds = folds

    def first(self, key: str) -> str:
        """The path below the folder, of which another recording may have the same."""
        stem, _, extension = key.rpartition(".")
        whole = stem and not stem.endswith("/") and extension.lower() in self._extensions
        return _path(stem if whole else key, self._suffixes)

    def second(self, key: str) -> str:
        """The path that no other recording has."""
        return f"{self.first(key)}{_hashed(key)}"

    def known_as(self, name: str) -> str:
        """The same for all names that are one file there."""
        return _folded(name) if self._folds else name


def file_name(audio: str, suffix: str) -> str:
    """A path below a folder for a recording: another for every URI, and never out of the folder.

    It reads as the URI does, with its bucket; what is in no bucket lies below its scheme.
    """
    scheme, found, rest = audio.partition("://")
    path = rest if found else audio
    if scheme == "file":
        path = unquote(rest).removeprefix("/")
    below = "" if scheme == "s3" else f"{_component(scheme if found else '')}%3A/"
    return f"{below}{_path(path, (suffix,))}{suffix}"


def _folded(name: str) -> str:
    """The same for all names that are one file where names are folded."""
    return normalize("NFC", normalize("NFD", name).casefold())


def _path(path: str, suffixes: Collection[str]) -> str:
    *folders, name = path.split("/")
    return "/".join([*(_folder(each, suffixes) for each in folders), _component(name)])


def _folder(name: str, suffixes: Collection[str]) -> str:
    """A folder's name, which ends neither as files do, nor as what is yet to become a file."""
    safe = _component(name)
    if safe.lower().endswith((*(each.lower() for each in suffixes), ".part", ".", " ")):
        place = max(safe.rfind("."), safe.rfind(" ") if safe.endswith(" ") else -1)
        return f"{safe[:place]}%{ord(safe[place]):02X}{safe[place + 1 :]}"
    return safe


def _component(name: str) -> str:
    if name in ("", ".", ".."):
        return "%2E" * len(name) or "%"
    if name.isprintable() and not {"%", "\\"} & set(name) and len(name) <= _LONGEST_NAME // 4:
        return name
    safe = "".join(
        c if c.isprintable() and c not in "%\\" else quote(c, errors="surrogatepass") for c in name
    )
    if len(safe.encode()) <= _LONGEST_NAME:
        return safe
    return safe.encode()[: _LONGEST_NAME - 18].decode(errors="ignore") + _hashed(name)


def _hashed(text: str) -> str:
    return f"%~{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
