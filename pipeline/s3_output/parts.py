"""Which parts are there, and whether they are as they were written."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from pipeline.config.shards import Shard
from pipeline.errors import OutputUnusable
from pipeline.net.bounds import LARGEST_ANSWER
from pipeline.s3_output.layout import Part
from pipeline.s3_output.open_part import identities_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri
    from pipeline.s3_output.layout import Layout

_AT_ONCE = 100_000
"""Recordings that are looked for at once: each time the state is gone through from end to end."""


async def parts_there(s3: S3, layout: Layout, *, of_shard: bool = False) -> dict[Part, str]:
    """The ETag of every part of every shard, or of those that this shard has to know."""
    found = {}
    async for page in s3.pages(layout.parts):
        for each in page:
            part = layout.part_of(each.key)
            if part and (not of_shard or layout.concerns(part)):
                found[part] = each.etag
    return found | await _shown_late(s3, layout, found) if of_shard else found


async def _shown_late(s3: S3, layout: Layout, there: Collection[Part]) -> dict[Part, str]:
    """Parts of other counts that a listing, which some stores are slow with, does not show yet.

    A look at one object is up to date, so the next part of each shard is looked for. The shard's
    own need none: a part is put where nothing is yet.
    """
    listed = Counter(part.shard for part in there)
    counts = {shard.count for shard in listed} - {layout.shard.count}
    nexts = (
        Part(shard, listed[shard])
        for count in sorted(counts)
        for shard in (Shard(number, count) for number in range(count))
    )
    found = await asyncio.gather(*(_from(s3, layout, part) for part in nexts))
    return {part: etag for parts in found for part, etag in parts.items()}


async def _from(s3: S3, layout: Layout, part: Part) -> dict[Part, str]:
    """The part, where it is there, and those behind it."""
    found = {}
    while there := await s3.look_up(layout.part(part)):
        found[part] = there.etag
        part = part._replace(number=part.number + 1)
    return found


async def read_part(s3: S3, place: S3Uri) -> tuple[bytes, str]:
    """The content of a part, and its ETag.

    Raises:
        OutputUnusable: it is not there.
    """
    found = await s3.read_part(place, (0, LARGEST_ANSWER))
    if found is None:
        raise taken_away(str(place))
    return found.content, found.etag.strip('"')


async def tasks_in(
    s3: S3, layout: Layout, parts: Sequence[Part], name_prefix: str
) -> AsyncIterator[tuple[dict[Part, str], set[bytes]]]:
    """The recordings that parts have tasks of, some parts at a time, with these parts' ETags.

    Raises:
        OutputUnusable: a part is not there.
    """
    etags: dict[Part, str] = {}
    found: set[bytes] = set()
    for part in parts:
        content, etags[part] = await read_part(s3, layout.part(part))
        found |= await asyncio.to_thread(identities_of, content, name_prefix)
        if len(found) >= _AT_ONCE:
            yield etags, found
            etags, found = {}, set()
    if etags:
        yield etags, found


def unknown_parts(
    layout: Layout, known: Mapping[str, str], there: Mapping[Part, str]
) -> list[Part]:
    """The parts that may hold recordings of this shard, and that its state does not know.

    Raises:
        OutputUnusable: one is missing, or a known one was changed.
    """
    own = sorted(part for part in there if part.shard == layout.shard)
    foreign = sorted(part for part in there if part.shard != layout.shard)
    _check_numbers(layout, (*own, *foreign))
    check_unchanged(layout, known, there)
    unknown = (part for part in (*own, *foreign) if part.name not in known)
    return list(filter(layout.concerns, unknown))


def _check_numbers(layout: Layout, parts: Sequence[Part]) -> None:
    """Refuse parts, those of each shard in their order, where a number is missing: taken away.

    Raises:
        OutputUnusable: so it was.
    """
    seen: Counter[Shard] = Counter()
    for part in parts:
        if part.number != seen[part.shard]:
            raise taken_away(str(layout.part(Part(part.shard, seen[part.shard]))))
        seen[part.shard] += 1


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
