"""One output is of one source, kind and place of results, whichever run comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from pipeline.aws.s3 import IF_ABSENT
from pipeline.config.shards import MOST_SHARDS
from pipeline.errors import CannotRun, OutputUnusable
from pipeline.s3_output.json_file import read_json

if TYPE_CHECKING:
    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri

_FORMAT = 1
_NAMES = {"source": "SOURCE", "kind": "--task", "results": "--results", "prefix": "job_prefix"}


class Lanes(msgspec.Struct, frozen=True, omit_defaults=True):
    """Profiles whose `accounts` run the jobs of an output; so many `shards` take them in turn.

    Without profiles the number of shards is 0, as it may change.
    """

    profiles: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    shards: Annotated[int, Meta(ge=0, le=MOST_SHARDS)] = 0


class Description(msgspec.Struct, frozen=True):
    """What an output is of; `prefix` is what the names of its jobs begin with."""

    source: str
    kind: str
    results: str
    prefix: str
    format: int = _FORMAT
    lanes: Lanes = Lanes()


async def claim(s3: S3, place: S3Uri, ours: Description) -> Description:
    """Write down what the output is of, unless that is written there already; what stands there.

    Raises:
        OutputUnusable: it is of something else, or the bucket writes without regard to what is
            there, so that runs would overwrite each other's parts.
    """
    content = msgspec.json.format(msgspec.json.encode(ours)) + b"\n"
    try:
        if await s3.write(place, content, IF_ABSENT) is not None:
            await _try_condition(s3, place, content)
    except CannotRun as error:
        if error.message.startswith("NotImplemented"):
            raise _unconditional(place, error) from error
        raise
    theirs = await described(s3, place)
    refuse_another(place, theirs, ours)
    return theirs


async def compare(s3: S3, place: S3Uri, ours: Description) -> None:
    """Look whether the output is of what is asked for, or of nothing yet.

    Raises:
        OutputUnusable: it is of something else.
    """
    if theirs := await read_json(s3, place, Description):
        refuse_another(place, theirs, ours)


async def _try_condition(s3: S3, place: S3Uri, content: bytes) -> None:
    if await s3.write(place, content, IF_ABSENT) is not None:
        raise _unconditional(place)


def _unconditional(place: S3Uri, error: CannotRun | None = None) -> OutputUnusable:
    return OutputUnusable(
        f"s3://{place.bucket} ignores If-None-Match, without which two runs could overwrite "
        "each other's tasks",
        "Name a bucket that respects it, as S3 does, or a file with --output.",
        action=error.action if error else "",
        message=error.message if error else "",
    )


async def described(s3: S3, place: S3Uri) -> Description:
    """What an output is of.

    Raises:
        OutputUnusable: nothing there says so.
    """
    found = await read_json(s3, place, Description)
    if found is None:
        raise OutputUnusable(
            f"{place}, which says what this output is of, is missing: someone took it away",
            "Run the same `run` command again, which rewrites it.",
        )
    return found


def refuse_another(place: S3Uri, theirs: Description, ours: Description) -> None:
    """Refuse what is of another source, kind, place of results or name of jobs; pure.

    Raises:
        OutputUnusable: it is.
    """
    if theirs.format != _FORMAT:
        raise OutputUnusable(
            f"{place} has format {theirs.format}; this version reads format {_FORMAT}",
            "Use the version that wrote it, or name another --output.",
        )
    for name, flag in _NAMES.items():
        there, asked = getattr(theirs, name), getattr(ours, name)
        if there != asked:
            raise OutputUnusable(
                f"The output of {place} is of {flag} {there}, not {asked or 'none'}",
                f"Name another --output, or give {flag} as it is there.",
            )
