"""Which objects of a source are taken as recordings, and why others are not; pure.

Globs are matched against the path below the source, and `*` matches `/` too.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from pipeline.recordings.formats import LARGEST, MEDIA_FORMATS, extension
from pipeline.recordings.source import UNUSABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.config.schema import Input
    from pipeline.model import SourceObject

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def folder_of(prefix: str) -> str:
    """What every key of a source begins with and a path below it does not: whole folders."""
    return prefix[: prefix.rfind("/") + 1]


def pattern(globs: Iterable[str]) -> str:
    """A regular expression, without groups, for whole paths that match one of the globs."""
    return "|".join(map(translate, globs))


class Selection:
    """Which entries are taken; globs are matched against the path below the source."""

    def __init__(self, base: str, chosen: Input) -> None:
        self._base = folder_of(base)
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
        return _why_unusable(entry)


def _why_unusable(entry: SourceObject) -> str | None:
    if extension(entry.key) not in MEDIA_FORMATS:
        return "not audio"
    if entry.size == 0:
        return "empty object"
    if entry.size > LARGEST:
        return "over 2 GB"
    if entry.storage in _ARCHIVED:
        return "archived in Glacier"
    return None


def _any_of(globs: Iterable[str]) -> re.Pattern[str] | None:
    found = pattern(globs)
    return re.compile(found) if found else None
