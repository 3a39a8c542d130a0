"""Every byte of S3: by presigned URLs, fetched by aiohttp.

botocore's own parser blocks the loop for 60 ms per 1,000 keys; ours takes a sixtieth. A transcript
in our bucket and one behind the service's own presigned URL become the same thing: a URL. No query
string of such a URL is ever part of a message.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from yarl import URL

from pipeline.aws.s3_listing import if_there, list_objects
from pipeline.aws.s3_requests import SignedRequests
from pipeline.aws.s3_responses import (
    no_bucket,
    parse_folders,
    parse_head,
    parse_listing,
    parse_tags,
    url_denied,
)
from pipeline.errors import (
    AnswerTooLarge,
    Denied,
    RecordingFailed,
    Unavailable,
)
from pipeline.failures import BROKEN_TRANSCRIPT
from pipeline.net.bounds import LARGEST_ANSWER, MIB
from pipeline.net.http import open_http, request
from pipeline.net.retry import RateLimitedCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import aiohttp

    from pipeline.aws.s3_requests import ObjectPart
    from pipeline.aws.session import Session
    from pipeline.config.schema import Limits
    from pipeline.model import SourceObject
    from pipeline.naming import S3Uri
    from pipeline.net.wait_times import WaitTimes

T = TypeVar("T")

IF_ABSENT = {"If-None-Match": "*"}
"""What `write` takes to replace nothing."""

_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_RATE = 3500.0  # S3 takes 5,500 reads a second per prefix


class S3:
    """Listing and reading over one HTTP connection pool.

    `operations` are all of them, for their counts of calls.
    """

    def __init__(
        self,
        session: Session,
        http: aiohttp.ClientSession,
        waiting: WaitTimes,
        list_parallel: int = 1,
    ) -> None:
        self._session = session
        self._requests = SignedRequests(session, http)
        self._http = http
        self._list_parallel = list_parallel
        self.list_calls = RateLimitedCall("ListObjectsV2", _RATE, waiting, session.renew)
        self.read_calls = RateLimitedCall("GetObject", _RATE, waiting, session.renew)
        self.head_calls = RateLimitedCall("HeadObject", _RATE, waiting, session.renew)
        self.tag_calls = RateLimitedCall("GetObjectTagging", _RATE, waiting, session.renew)
        self.write_calls = RateLimitedCall("PutObject", _RATE, waiting, session.renew)
        self.delete_calls = RateLimitedCall("DeleteObject", _RATE, waiting, session.renew)
        reading = self.list_calls, self.read_calls, self.head_calls, self.tag_calls
        self.operations = *reading, self.write_calls, self.delete_calls
        for each in self.operations:
            each.retry_seconds = session.limits.retry_seconds

    def pages(self, place: S3Uri) -> AsyncIterator[list[SourceObject]]:
        """The objects below `place`, a page of at most 1,000 at a time, keys byte for byte.

        The order is S3's for the first pages, and any for what follows.

        Raises:
            NoSuchSource: no such bucket, or it is in another region.
            NoAccess: no permission to list it.
        """
        return list_objects(self, place, self._list_parallel)

    async def list_page(
        self, place: S3Uri, start: dict[str, str]
    ) -> tuple[list[SourceObject], str | None]:
        """One page of the objects below `place`, and the token of the next one."""
        return await self.list_calls.call(partial(self._page, place, start, parse_listing))

    async def list_folders(
        self, place: S3Uri, start: dict[str, str]
    ) -> tuple[list[str], str | None]:
        """One page of the folders directly below `place`, and the token of the next one."""
        start = {"delimiter": "/", **start}
        return await self.list_calls.call(partial(self._page, place, start, parse_folders))

    async def check_bucket(self, place: S3Uri) -> None:
        """Make sure that the bucket is there, before anything is paid for.

        Without s3:ListBucket this can't be known, and is not needed for reading.

        Raises:
            NoSuchSource: no such bucket, or it is in another region.
        """
        with suppress(Denied):
            await self.list_page(place, {"max-keys": "1"})

    async def bucket_region(self, bucket: str) -> str:
        """The region that a bucket is in, "" where S3 does not say; it tells any caller.

        Raises:
            NoSuchSource: no such bucket.
        """
        return await self.head_calls.call(partial(self._requests.bucket_region, bucket))

    async def _page(self, place: S3Uri, start: dict[str, str], parse: Callable[[bytes], T]) -> T:
        query = {"list-type": "2", "prefix": place.key, "encoding-type": "url", **start}
        body = await self._requests.get("s3:ListBucket", place._replace(key=""), query)
        if body is None:
            raise no_bucket(place.bucket)
        return parse(body)

    async def look_up(self, place: S3Uri) -> SourceObject | None:
        """The facts of one object, or None where there is none.

        Raises:
            NoAccess: no permission to read it.
        """

        async def attempt() -> SourceObject | None:
            status, _, headers = await self._requests.ask("HEAD", place)
            if status == HTTPStatus.OK:
                return parse_head(place.key, headers)
            if status == HTTPStatus.NOT_FOUND:
                return None
            raise await self._requests.why_refused(place, status, headers)

        return await if_there(self, place, self.head_calls.call(attempt))

    async def tags(self, place: S3Uri) -> dict[str, str] | None:
        """The tags of one object, none where it has none; None where there is no such object.

        Raises:
            Denied: they may not be read.
        """

        async def attempt() -> dict[str, str] | None:
            body = await self._requests.get("s3:GetObjectTagging", place, {"tagging": ""})
            return None if body is None else parse_tags(body)

        return await self.tag_calls.call(attempt)

    async def read(self, place: S3Uri) -> bytes | None:
        """The object's content, or None where there is none.

        Raises:
            Denied: it may not be read; without s3:ListBucket S3 says so of one that is not there.
            RecordingFailed: it is larger than any transcript.
        """
        try:
            return await self.read_calls.call(partial(self._requests.get, "s3:GetObject", place))
        except AnswerTooLarge:
            raise _no_transcript() from None

    async def read_part(
        self, place: S3Uri, span: tuple[int, int], etag: str = ""
    ) -> ObjectPart | None:
        """A part of an object; None where there is none.

        `span` is the first byte and the last one, `etag` of the object as another part was read of.

        Raises:
            Denied: it may not be read, or can't: it is archived, or its key is disabled.
            NoSuchSource: it is another one by now, or its bucket is in another region.
        """
        return await self.read_calls.call(partial(self._requests.get_part, place, span, etag))

    async def write(
        self, place: S3Uri, content: bytes | Path, only: dict[str, str] | None = None
    ) -> str | None:
        """Put an object there; its ETag, or None where what it was to replace is another.

        It replaces any other, but with `only=IF_ABSENT` or `only=if_still(etag)`. After a fault
        the object that is there may be this one.

        Raises:
            Denied: it may not be written.
            NoSuchSource: no such bucket, or it is in another region.
        """
        return await self.write_calls.call(partial(self._requests.put, place, content, only))

    async def delete(self, place: S3Uri) -> None:
        """Take the object away; that there is none is fine.

        Raises:
            Denied: it may not be deleted.
            NoSuchSource: no such bucket, or it is in another region.
        """
        await self.delete_calls.call(partial(self._requests.delete, place))

    async def fetch(self, url: str) -> bytes | None:
        """What the service's presigned URL holds, or None where there is nothing.

        Raises:
            Denied: it may not be read, or the URL has expired.
            RecordingFailed: the URL leads elsewhere than to the service, or to no transcript.
        """
        if not self._requests.is_of_the_service(URL(url, encoded=True)):
            raise RecordingFailed(
                BROKEN_TRANSCRIPT, "The service names a place for it that is not its own."
            )

        async def attempt() -> bytes | None:
            status, body, _ = await request(self._http, url)
            if status == HTTPStatus.OK:
                return body
            if status == HTTPStatus.NOT_FOUND:
                return None
            if status in _REFUSED:
                raise url_denied(body)
            raise Unavailable(f"The transcript's URL answered with HTTP status {status}.")

        try:
            return await self.read_calls.call(attempt)
        except AnswerTooLarge:
            raise _no_transcript() from None

    @property
    def is_aws(self) -> bool:
        """Whether the calls go to AWS itself, and not to an endpoint that stands for it."""
        return self._requests.is_aws

    async def url(self, method: str, place: S3Uri) -> str:
        """A presigned URL of a call, encoded, good for 15 minutes; it is never shown."""
        return await self._requests.url(method, place)


def if_still(etag: str) -> dict[str, str]:
    """What `write` takes to replace the object of this ETag alone."""
    return {"If-Match": f'"{etag}"'}


def _no_transcript() -> RecordingFailed:
    """What is no transcript for its size alone is the fault of one recording."""
    return RecordingFailed(BROKEN_TRANSCRIPT, f"It is larger than {LARGEST_ANSWER // MIB} MiB.")


@asynccontextmanager
async def open_s3(session: Session, limits: Limits, waiting: WaitTimes) -> AsyncIterator[S3]:
    """Open as many connections as starting, collecting and listing may use at once."""
    connections = limits.workers + limits.collectors + limits.list_parallel
    async with open_http(connections, limits.answer_seconds, session.trust) as http:
        yield S3(session, http, waiting, limits.list_parallel)
