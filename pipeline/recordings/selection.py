"""Which objects of a source are taken as recordings, and why others are not; pure.

Globs are matched against the path below the source, and `*` matches `/` too.
"""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import translate
from typing import TYPE_CHECKING

from pipeline.recordings.formats import LARGEST, extension, known_extensions
from pipeline.recordings.source import UNUSABLE
from pipeline.text import tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.config.schema import Input
    from pipeline.model import SourceObject

ARCHIVED = "archived in Glacier"
ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_NOT_AUDIO = "not audio"
_MOST_EXTENSIONS = 1_000
_LONGEST_EXTENSION = 12
_SHOWN_EXTENSIONS = 3


def folder_of(prefix: str) -> str:
    """What every key of a source begins with and a path below it does not: whole folders."""
    return prefix[: prefix.rfind("/") + 1]


def pattern(globs: Iterable[str]) -> str:
    """A regular expression, without groups, for whole paths that match one of the globs."""
    return "|".join(map(translate, globs))


class Selection:
    """Which entries are taken; globs are matched against the path below the source.

    `takes_bare` tells which keys without an extension are recordings; by default none is.
    """

    def __init__(
        self, base: str, chosen: Input, takes_bare: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._base = folder_of(base)
        self._extensions = known_extensions(chosen.extensions)
        self._takes_bare = takes_bare
        self._include = _any_of(chosen.include)
        self._exclude = _any_of(chosen.exclude)

    def why_skipped(self, entry: SourceObject) -> str | None:
        """The reason why an entry is no recording for this run; None when it is one."""
        if entry.storage in UNUSABLE:
            return entry.storage.replace("_", " ").lower()
        if entry.key.endswith("/"):
            return "folder marker"
        path = entry.key.removeprefix(self._base)
        if self._include and not self._include.match(path):
            return "not included"
        if self._exclude and self._exclude.match(path):
            return "excluded"
        if not self._is_media(entry.key):
            return _NOT_AUDIO
        return _why_unusable(entry)

    def _is_media(self, key: str) -> bool:
        found = extension(key)
        return found in self._extensions if found else self._takes_bare(key)


class Skipped:
    """Entries that are no recordings: how many `by_reason`, and `not_audio` by extension."""

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()
        self.not_audio: Counter[str] = Counter()

    def count(self, entry: SourceObject, reason: str) -> None:
        """Count one; keys may end in anything, so what is told apart has an end."""
        self.by_reason[reason] += 1
        if reason == _NOT_AUDIO:
            found = extension(entry.key)
            name = f".{found}" if found else "without extension"
            short = len(found) <= _LONGEST_EXTENSION and found.isprintable()
            known = name in self.not_audio or len(self.not_audio) < _MOST_EXTENSIONS
            self.not_audio[name if short and known else "other"] += 1

    def merge(self, other: Skipped) -> None:
        """Count what another one has as well."""
        self.by_reason.update(other.by_reason)
        self.not_audio.update(other.not_audio)


def tally_skipped(by_reason: Mapping[str, int], not_audio: Mapping[str, int]) -> str:
    """How many were skipped for each reason: `9 not audio (5 .txt, 3 .json, 1 .md), 2 excluded`."""
    most = sorted(not_audio.items(), key=lambda each: (-each[1], each[0]))
    names = tally(dict(most[:_SHOWN_EXTENSIONS])) + ", …" * (len(most) > _SHOWN_EXTENSIONS)
    named = {_NOT_AUDIO: f"{_NOT_AUDIO} ({names})"} if most else {}
    return tally({named.get(reason, reason): count for reason, count in by_reason.items()})


def _why_unusable(entry: SourceObject) -> str | None:
    if entry.size == 0:
        return "empty object"
    if entry.size > LARGEST:
        return "over 2 GB"
    if entry.storage in ARCHIVES:
        return ARCHIVED
    return None


def _any_of(globs: Iterable[str]) -> re.Pattern[str] | None:
    found = pattern(globs)
    return re.compile(found) if found else None
