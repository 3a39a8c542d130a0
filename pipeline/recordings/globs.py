"""Globs as `include`, `exclude` and the rules have them; pure.

They are matched against the path below the source, and `*` matches `/` too.
"""

from __future__ import annotations

from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def folder_of(prefix: str) -> str:
    """What every key of a source begins with and a path below it does not: whole folders."""
    return prefix[: prefix.rfind("/") + 1]


def pattern(globs: Iterable[str]) -> str:
    """A regular expression, without groups, for whole paths that match one of the globs."""
    return "|".join(map(translate, globs))
