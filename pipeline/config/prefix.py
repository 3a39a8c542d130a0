"""A place that is a prefix, as SOURCE is: as a pattern it would find nothing. Pure."""

from __future__ import annotations

import re
import shlex

from pipeline.errors import BadSettings

_POINT = re.compile(r"arn:[^:]*:s3:[^:]+:[^:]*:accesspoint[:/]")


def refuse_arn(source: str) -> None:
    """Refuse the ARN of a bucket or an access point, and say how it is named instead.

    An access point's alias works wherever a bucket's name does; its ARN does in few calls of S3.

    Raises:
        BadSettings: the source is an ARN.
    """
    arn = source.removeprefix("s3://")
    if not arn.startswith("arn:"):
        return
    if _POINT.match(arn):
        advice = (
            "Name its alias in place of a bucket, s3://ALIAS/prefix/: it ends in -s3alias, and "
            "`aws s3control get-access-point` shows it."
        )
    elif arn.partition(":::")[2]:
        advice = f"Write it as {shlex.quote('s3://' + arn.partition(':::')[2])}"
    else:
        advice = "Name a bucket in the region of the jobs as s3://bucket/prefix."
    raise BadSettings(f"SOURCE {source!r} is an ARN", advice)


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
