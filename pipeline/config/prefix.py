"""A place that is a prefix, as SOURCE is: as a pattern it would find nothing. Pure."""

from __future__ import annotations

import re
import shlex

from pipeline.errors import BadSettings


def refuse_pattern(place: str, name: str, *, include: bool = False) -> None:
    """Refuse a pattern, and say what to write instead.

    Args:
        place: what was given, `s3://bucket/prefix` or a folder.
        name: what it was given as: SOURCE, or a flag.
        include: whether the command has --include, which takes patterns.

    Raises:
        BadSettings: there is a `*` or `?` in it.
    """
    found = re.search(r"[*?]", place)
    if found is None:
        return
    base = place[: place.rfind("/", 0, found.start()) + 1]
    if base == "s3://":
        raise BadSettings(f"{name} {place!r}: a bucket is named in full, without * and ?.")
    instead = shlex.quote(base or ".")
    glob = shlex.quote(place.removeprefix(base))
    raise BadSettings(
        f"{name} {place!r} is taken as a prefix, not as a pattern",
        f"Choose recordings below it: {instead} --include {glob}"
        if include
        else f"Name what is in front of it: {instead}",
    )
