"""A bucket's listing: page after page at first, several ranges of keys at once when it is long.

A page names at most 1,000 keys and is asked for with the last one's token, so that one listing
waits for the network most of its time. S3 lists in the order of UTF-8 and begins after any key, so
a bucket can be cut into ranges of keys that are listed at once. Every key lies in exactly one
range, wherever the cuts are and whatever keys look like.

Where to cut is asked of the bucket while the first listing goes on: its folders, level by level;
in a folder with more than a page of names, which characters follow, then which ones follow those;
until there are enough beginnings of keys for every lister to be busy to the end. So names that
share a long beginning (call-0000001.wav) are cut too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from pipeline.errors import Denied
from pipeline.net.paging import Pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterable

    from pipeline.model import SourceObject
    from pipeline.naming import S3Uri

T = TypeVar("T")

PAGES_ALONE = 10
"""Pages after which cuts are looked for; a shorter listing costs no call more than its pages."""

_CUTS = 4
"""Ranges for each lister: some are empty, and the last ones end at about the same time."""

_PROBES = 32
"""Calls for each lister that looking for the cuts may cost, about."""

_LAST = "\U0010ffff"


class Range(NamedTuple):
    """The keys from `after` (without it) to `last` (with it); None is the end of the bucket."""

    after: str
    last: str | None
    token: str | None = None

    @property
    def start(self) -> dict[str, str]:
        """Where its next page begins, as parameters of ListObjectsV2."""
        if self.token:
            return {"continuation-token": self.token}
        return {"start-after": self.after} if self.after else {}


Page = tuple["list[SourceObject]", Range | None]
"""Objects of a range, and what is left of it."""


class Lister(Protocol):
    """What a listing asks of S3; `start` holds parameters of ListObjectsV2."""

    async def list_page(
        self, place: S3Uri, start: dict[str, str]
    ) -> tuple[list[SourceObject], str | None]:
        """A page of the objects below a prefix, and the token of the next one."""

    async def list_folders(
        self, place: S3Uri, start: dict[str, str]
    ) -> tuple[list[str], str | None]:
        """A page of the folders directly below a prefix, and the token of the next one."""


async def if_there(lister: Lister, place: S3Uri, call: Awaitable[T | None]) -> T | None:
    """What a call about one object answers; None where it is denied because there is none.

    Whoever may list only what is below a prefix is told so of a missing object too: without
    s3:ListBucket for the whole bucket S3 keeps it to itself which keys there are.
    """
    try:
        return await call
    except Denied:
        if await may_exist(lister, place):
            raise
        return None


async def may_exist(lister: Lister, place: S3Uri) -> bool:
    """Whether there is an object, by a listing; True too where that may not be known."""
    with suppress(Denied):
        entries, _ = await lister.list_page(place, {"max-keys": "1"})
        return bool(entries) and entries[0].key == place.key  # of what begins with it, the first
    return True


async def list_objects(
    lister: Lister, place: S3Uri, at_once: int
) -> AsyncIterator[list[SourceObject]]:
    """Every object below `place` once; at most `at_once` pages are under way or in memory."""
    rest: Range | None = Range("", None)
    next_page = partial(_next_page, lister, place, Pages(f"The listing of {place}"))
    pages = 0
    finding: asyncio.Task[list[str]] | None = None
    try:
        while rest and not (finding and finding.done()):
            entries, rest = await next_page(rest)
            pages += 1
            if pages == PAGES_ALONE and rest and at_once > 1:
                finding = asyncio.create_task(_find_cuts(lister, place, at_once))
            yield entries
        if rest and finding:
            ranges = cut(rest, finding.result())
            async for page in _all_of(ranges, at_once, next_page):
                yield page
    finally:
        await _ended([finding] if finding else ())


async def _all_of(
    ranges: list[Range], at_once: int, next_page: Callable[[Range], Coroutine[Any, Any, Page]]
) -> AsyncIterator[list[SourceObject]]:
    """The pages of all ranges, `at_once` of them under way."""

    def begin(wanted: Range) -> asyncio.Task[Page]:
        return asyncio.create_task(next_page(wanted))

    waiting = ranges[: at_once - 1 : -1]
    under_way = set(map(begin, ranges[:at_once]))
    try:
        while under_way:
            done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                entries, rest = task.result()
                under_way.remove(task)
                if rest or waiting:
                    under_way.add(begin(rest or waiting.pop()))
                yield entries
    finally:
        await _ended(under_way)


async def _ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel what nobody waits for any more, whatever it ends with."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _next_page(lister: Lister, place: S3Uri, pages: Pages, wanted: Range) -> Page:
    entries, token = await lister.list_page(place, wanted.start)
    last = wanted.last
    if last is not None and entries and entries[-1].key > last:
        return [entry for entry in entries if entry.key <= last], None
    if not token:
        return entries, None
    pages.following((last, token))
    return entries, Range(entries[-1].key if entries else wanted.after, last, token)


def cut(whole: Range, cuts: Iterable[str]) -> list[Range]:
    """Cut a range in pieces at those keys that lie in it."""
    inside = sorted({key for key in cuts if key > whole.after})
    if not inside:
        return [whole]
    first = whole._replace(last=inside[0])
    ends: list[str | None] = [*inside[1:], whole.last]
    return [first, *(Range(key, end) for key, end in zip(inside, ends, strict=True))]


async def _find_cuts(lister: Lister, place: S3Uri, at_once: int) -> list[str]:
    """Keys that cut a bucket in many pieces: beginnings of keys, longer ones each round."""
    turns = asyncio.Semaphore(at_once)
    wanted, most = _CUTS * at_once, _PROBES * at_once
    ends: list[str] = []
    beginnings = [place.key]
    calls = 0
    while beginnings and len(ends) + len(beginnings) < wanted and calls < most:
        longer = await asyncio.gather(
            *(_longer(lister, place._replace(key=each), turns) for each in beginnings)
        )
        calls += sum(len(each) + 1 for each in longer)
        ends += [end for end, each in zip(beginnings, longer, strict=True) if not each]
        beginnings = [beginning for each in longer for beginning in each]
    found = sorted(ends + beginnings)
    return found[:: max(1, len(found) // wanted)]


async def _longer(lister: Lister, below: S3Uri, turns: asyncio.Semaphore) -> list[str]:
    """Longer beginnings of the keys below a place: its folders, where one page names them all.

    Otherwise those that are a character longer, with a call for each and one more.
    """
    found: list[str] = []
    if not below.key or below.key.endswith("/"):
        async with turns:
            folders, token = await lister.list_folders(below, {})
        if not token:
            return folders
    after = below.key
    while True:
        async with turns:
            entries, _ = await lister.list_page(below, {"start-after": after, "max-keys": "1"})
        longer = entries[0].key[: len(below.key) + 1] if entries else ""
        if longer <= (found[-1] if found else below.key):
            return found
        found.append(longer)
        after = longer + _LAST


async def all_folders(lister: Lister, place: S3Uri) -> list[str]:
    """Every folder directly below `place`, as prefixes."""
    pages = Pages(f"The listing of the folders of {place}")
    found, token = await lister.list_folders(place, {})
    while token:
        start = {"continuation-token": pages.following(token)}
        more, token = await lister.list_folders(place, start)
        found += more
    return found
