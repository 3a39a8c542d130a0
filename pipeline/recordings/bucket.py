"""A bucket as the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.s3 import S3
    from pipeline.model import SourceObject
    from pipeline.naming import S3Uri


class S3Source:
    """`s3://bucket/prefix`."""

    jobs_last = True
    names_each = False

    def __init__(self, place: S3Uri, s3: S3) -> None:
        self.uri = str(place)
        self.bucket = place.bucket
        self._place = place
        self._s3 = s3

    def media_uri(self, key: str) -> str:
        """The object's own URI, nothing encoded."""
        return f"s3://{self.bucket}/{key}"

    audio_uri = media_uri

    def pages(self) -> AsyncIterator[list[SourceObject]]:
        """ListObjectsV2, 1,000 objects a page."""
        return self._s3.pages(self._place)

    def key_of(self, uri: str) -> str | None:
        """What follows the bucket, nothing decoded."""
        return uri.removeprefix(base) if uri.startswith(base := self.audio_uri("")) else None

    async def look_up(self, key: str) -> SourceObject | None:
        """HeadObject."""
        return await self._s3.look_up(self._place._replace(key=key))

    async def tags(self, key: str) -> dict[str, str] | None:
        """GetObjectTagging."""
        return await self._s3.tags(self._place._replace(key=key))

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """GetObject with a range."""
        found = await self._s3.read_part(self._place._replace(key=key), (first, last))
        return found and found.content
