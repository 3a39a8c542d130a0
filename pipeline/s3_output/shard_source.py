"""One shard's part of a source: every run lists all of it, and takes what is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.model import Recording
from pipeline.recordings.source import NamedRecordings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.config.shards import Shard
    from pipeline.model import SourceObject
    from pipeline.recordings.source import Source


class ShardSource(NamedRecordings):
    """The objects of a shard, recordings or not, so that the counts of all shards add up."""

    def __init__(
        self, source: Source, shard: Shard, identity: Callable[[Recording], bytes]
    ) -> None:
        super().__init__(source)
        self._pages = source.pages
        self._shard = shard
        self._identity = identity

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """The shard's objects, page by page."""
        async for page in self._pages():
            yield [each for each in page if self._shard.has(self._identity(_recording(each)))]


def _recording(entry: SourceObject) -> Recording:
    return Recording(entry.key, entry.etag, entry.size)
