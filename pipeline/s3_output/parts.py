"""Which parts are there, and whether they are as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable
from pipeline.net.bounds import LARGEST_ANSWER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri
    from pipeline.s3_output.layout import Layout, Part


async def parts_there(s3: S3, layout: Layout) -> dict[Part, str]:
    """The ETag of every part of every shard."""
    found = {}
    async for page in s3.pages(layout.parts):
        for each in page:
            if part := layout.part_of(each.key):
                found[part] = each.etag
    return found


async def read_part(s3: S3, place: S3Uri) -> tuple[bytes, str]:
    """The content of a part, and its ETag.

    Raises:
        OutputUnusable: it is not there.
    """
    found = await s3.read_part(place, (0, LARGEST_ANSWER))
    if found is None:
        raise taken_away(str(place))
    content, _, etag = found
    return content, etag.strip('"')


def check_numbers(layout: Layout, own: Sequence[Part]) -> None:
    """Refuse a shard's parts, in their order, where a number is missing: it was taken away.

    Raises:
        OutputUnusable: so it was.
    """
    for number, part in enumerate(own):
        if part.number != number:
            raise taken_away(str(layout.part(layout.next_part(number))))


def check_unchanged(layout: Layout, known: Mapping[str, str], there: Mapping[Part, str]) -> None:
    """Refuse parts that were changed or taken away: what they held would be written twice.

    Raises:
        OutputUnusable: so they were.
    """
    names = {part.name: etag for part, etag in there.items()}
    for name, etag in known.items():
        place = f"{layout.parts}{name}"
        if name not in names:
            raise taken_away(place)
        if names[name] != etag:
            raise OutputUnusable(
                f"{place} is not what was written there: someone changed or replaced it",
                "Delete the newer version of it, so that what was written shows again.",
            )


def taken_away(place: str) -> OutputUnusable:
    """The error about a part that is there no longer."""
    return OutputUnusable(
        f"{place} is missing: someone took it away",
        "Put it back, or name another --output, which costs no job: the transcripts below "
        "--results are read again.",
    )
