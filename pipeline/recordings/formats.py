"""The media formats that the service takes, and what an extension tells of them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from pipeline.config.transcription import MediaFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_FORMATS = frozenset(get_args(MediaFormat))
"""The service's `MediaFormat` values, which are also extensions that are taken."""

_ONE_CONTAINER = frozenset({"mp4", "m4a"})
_CERTAIN = MEDIA_FORMATS - _ONE_CONTAINER
UNPLAYED = frozenset({"amr"})
"""Extensions of recordings that the service takes and no browser plays."""

LARGEST = 2 * 2**30
"""Bytes; the service's limit for one file."""


def extension(key: str) -> str:
    """The extension in lower case, without the dot; a name that only begins with one has none."""
    stem, _, found = key.rpartition("/")[2].rpartition(".")
    return found.lower() if stem else ""


def is_format(found: str, named: str) -> bool:
    """Whether the service takes what it has found for the format that it was told.

    Of one container with two names its own console takes either for the other.
    """
    return found == named or {found, named} == _ONE_CONTAINER


def known_extensions(further: Mapping[str, str]) -> dict[str, str]:
    """The extensions that are taken, each with the format that it stands for."""
    return {each: each for each in MEDIA_FORMATS} | dict(further)


def certain_format(key: str, known: Mapping[str, str]) -> str | None:
    """The service's MediaFormat where the extension, of those known, says it for certain.

    A wrong one fails the job, and none lets the service look for itself.
    """
    found = known.get(extension(key))
    return found if found in _CERTAIN else None
