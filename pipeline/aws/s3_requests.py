"""Presigned calls to S3 over aiohttp, and what a refusal of one means."""

from __future__ import annotations

from contextlib import nullcontext
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from yarl import URL

from pipeline.aws.bucket_regions import WrongRegion
from pipeline.aws.error_codes import meaning, translated
from pipeline.aws.partitions import is_aws_host
from pipeline.aws.presign import Presigner
from pipeline.aws.s3_responses import (
    error_details,
    head_error,
    no_bucket,
    of_the_object,
    parse_age,
    unexpected,
)
from pipeline.errors import Denied, NoAccess, PipelineError, Throttled, Unavailable
from pipeline.naming import S3Uri
from pipeline.net.http import request

if TYPE_CHECKING:
    import aiohttp

    from pipeline.aws.session import Session


class ObjectPart(NamedTuple):
    """A part of an object: `size` and `etag` are the whole's, `age` in seconds by S3's clock."""

    content: bytes
    size: int
    etag: str
    age: float


class SignedRequests:
    """Calls that are signed with the session's credentials, one at a time and without a retry."""

    def __init__(self, session: Session, http: aiohttp.ClientSession) -> None:
        self._session = session
        self._presigner = Presigner(session)
        self._http = http

    async def get(
        self, action: str, place: S3Uri, query: dict[str, str] | None = None
    ) -> bytes | None:
        """The answer to a presigned call, which needs the permission `action`; None for 404."""
        status, body, headers = await self.ask("GET", place, query)
        if status == HTTPStatus.OK:
            return body
        if status == HTTPStatus.NOT_FOUND:
            return None
        raise self.refusal(action, place, body, headers)

    async def get_part(self, place: S3Uri, span: tuple[int, int], etag: str) -> ObjectPart | None:
        """A part of an object; None where there is none."""
        headers = {"Range": f"bytes={span[0]}-{span[1]}", **({"If-Match": etag} if etag else {})}
        status, body, answered = await self.ask("GET", place, None, headers)
        if status == HTTPStatus.NOT_FOUND:
            return None
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # it is empty
            return ObjectPart(b"", 0, etag, parse_age(answered))
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise self.refusal("s3:GetObject", place, body, answered)
        size = int(answered.get("Content-Range", "").rpartition("/")[2] or len(body))
        if status == HTTPStatus.OK:  # who knows no ranges gives the whole
            body = body[span[0] : span[1] + 1]
        if size and not body:
            raise Unavailable(f"An empty answer was given for {place}.")
        return ObjectPart(body, size, answered.get("ETag", etag), parse_age(answered))

    async def put(
        self, place: S3Uri, content: bytes | Path, only: dict[str, str] | None
    ) -> str | None:
        """Put an object where what is there is `only` that; its ETag, or None where it is not."""
        opened = content.open("rb") if isinstance(content, Path) else nullcontext(content)
        with opened as data:
            status, body, headers = await self.ask("PUT", place, None, only, data)
        if status == HTTPStatus.OK:
            return str(headers.get("ETag", "")).strip('"')
        if only and error_details(body)[0] in ("PreconditionFailed", "NoSuchKey"):
            return None
        if only and status == HTTPStatus.CONFLICT:
            raise Unavailable(f"{place} is written by another one just now.")
        raise self.refusal("s3:PutObject", place, body, headers)

    async def delete(self, place: S3Uri) -> None:
        """Take an object away; that there is none is fine."""
        status, body, headers = await self.ask("DELETE", place)
        if status != HTTPStatus.NO_CONTENT:
            raise self.refusal("s3:DeleteObject", place, body, headers)

    async def bucket_region(self, bucket: str) -> str:
        """The region that a bucket is in, "" where S3 does not say."""
        status, _, headers = await self.ask("HEAD", S3Uri(bucket, ""))
        if status == HTTPStatus.NOT_FOUND:
            raise no_bucket(bucket)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"s3://{bucket} answers with HTTP status {status}.")
        return str(headers.get("x-amz-bucket-region", ""))

    async def ask(
        self,
        method: str,
        place: S3Uri,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | BinaryIO | None = None,
    ) -> tuple[int, bytes, Any]:
        """Make a presigned call: status, body, headers. What a PUT depends on is signed too."""
        url = await self.url(method, place, query, headers if method == "PUT" else None)
        return await request(self._http, url, method, headers, content)

    async def url(
        self,
        method: str,
        place: S3Uri,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """A presigned URL of a call, encoded, good for 15 minutes; it is never shown."""
        with translated("signing for S3"):
            return await self._presigner.url(method, place, query or {}, headers)

    async def why_refused(self, place: S3Uri, status: int, headers: Any) -> PipelineError:
        """What the refusal of a HEAD means: it has no words, so a byte is asked for to hear them.

        Without them a token that has expired would be taken for a fault, and never be renewed. A
        byte that is given, or is not there, says nothing of it: then the status alone is known.
        """
        heard, body, answered = await self.ask("GET", place, None, {"Range": "bytes=0-0"})
        if heard == HTTPStatus.NOT_FOUND or not error_details(body)[0]:
            body, answered = head_error(status), headers
        return self.refusal("s3:GetObject", place, body, answered)

    def refusal(self, action: str, place: S3Uri, body: bytes, headers: Any) -> PipelineError:
        """What S3's refusal of a call on a place means, by its body and headers."""
        if said := of_the_object(body):
            return Denied(f"{place} can't be read: {said}", action=action, message=said)
        bucket = f"s3://{place.bucket}"
        code, message, region = error_details(body)
        region = headers.get("x-amz-bucket-region") or region
        if region and region != self._session.region:
            return WrongRegion(place.bucket, region, self._session.region, action=action)
        if code == "NoSuchBucket":
            return no_bucket(place.bucket)
        error = meaning(f"{action} on {bucket}", code, message)
        error.action = action
        if isinstance(error, NoAccess | Throttled | Unavailable):
            return error
        error = unexpected(bucket, code, message)
        error.action, error.message = action, f"{code}: {message}"
        return error

    @property
    def is_aws(self) -> bool:
        """Whether the calls go to AWS itself, and not to an endpoint that stands for it."""
        return is_aws_host(URL(self._session.transcribe.meta.endpoint_url).host)

    def is_of_the_service(self, url: URL) -> bool:
        """Whether a transcript may be fetched there: AWS itself, or the configured endpoint."""
        clients = (self._session.transcribe, self._session.s3)
        endpoints = [URL(client.meta.endpoint_url) for client in clients]
        if any((url.scheme, url.host, url.port) == (e.scheme, e.host, e.port) for e in endpoints):
            return True
        return url.scheme == "https" and is_aws_host(url.host)
