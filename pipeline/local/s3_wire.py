"""The S3 side of the wire: ListObjectsV2, HeadBucket, GetObject, HeadObject, Put and DeleteObject.

What else S3 keeps of an object a file does not have: GetObjectTagging answers that it has no tags.

Path style (`/bucket/key`) over plain HTTP. The folder's bucket opens to calls that are signed with
a key of this cloud, the service's own buckets to the addresses that it hands out alone.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from aiohttp import web

from pipeline.local.bucket import NotReplaced
from pipeline.local.errors import Refused, no_such_key
from pipeline.local.s3_listing import NAMESPACE, listing, page_for
from pipeline.local.signatures import REGION, UNSIGNED, Received, check_digest
from pipeline.local.store import TRANSCRIPTS, VOCABULARIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.local.account import Account
    from pipeline.local.bucket import Entry

LARGEST_PUT = 5 * 2**30
"""Bytes that S3 takes in one call."""

_CHUNK = 256 * 1024
_TAGS = "tagging"
_NOT_THE_OBJECT = frozenset(
    {"acl", "attributes", "legal-hold", "restore", "retention", "torrent", "uploadId", _TAGS}
)
"""Parameters of a query that asks for something else than the object of this key."""

_FAULTS = {
    "throttle": (
        "SlowDown",
        "Please reduce your request rate.",
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
    "server_error": (
        "InternalError",
        "We encountered an internal error. Please try again.",
        HTTPStatus.INTERNAL_SERVER_ERROR,
    ),
}


@dataclass(frozen=True)
class Target:
    """What an S3 request is about; `key` is "" for the bucket itself.

    `payload` is the SHA-256 that its body was signed with.
    """

    bucket: str
    key: str
    query: Mapping[str, str]
    payload: str = UNSIGNED

    @classmethod
    def of(cls, raw_path: str) -> Target:
        """Read a request's target as it was sent: no segment of a key is ever tidied away."""
        path, _, query = raw_path.partition("?")
        bucket, _, key = path.removeprefix("/").partition("/")
        return cls(unquote(bucket), unquote(key), dict(parse_qsl(query, keep_blank_values=True)))


class S3Wire:
    """The folder as a bucket, and the service's own buckets."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._bucket = account.bucket
        self._operations = {
            "ListObjectsV2": self._list,
            "GetObject": self._get,
            "GetObjectTagging": self._tags,
            "HeadObject": self._get,
            "PutObject": self._put,
            "DeleteObject": self._delete,
            "HeadBucket": self._head_bucket,
            "GetBucketLocation": self._location,
        }

    @staticmethod
    def operation(request: web.BaseRequest) -> str:
        """The name of the operation a request asks for, "" for one that is not offered."""
        target = Target.of(request.raw_path)
        if target.key and (others := _NOT_THE_OBJECT & target.query.keys()):
            offered = {"GET": "GetObjectTagging"} if others == {_TAGS} else {}
        elif target.key:
            offered = {verb.upper(): f"{verb}Object" for verb in ("Get", "Head", "Put", "Delete")}
        elif "location" in target.query:
            offered = {"GET": "GetBucketLocation"}
        elif target.query.get("list-type") == "2":
            offered = {"GET": "ListObjectsV2"}
        else:
            offered = {"HEAD": "HeadBucket"}
        return offered.get(request.method, "")

    async def answer(
        self, request: web.BaseRequest, operation: str, call: int
    ) -> web.StreamResponse:
        """Answer the `call`th call of an operation.

        Raises:
            Refused: no such bucket or key, a bad argument, or an operation that is not offered.
        """
        target = Target.of(request.raw_path)
        own = target.bucket in {TRANSCRIPTS, VOCABULARIES}
        if not own:
            target = replace(target, payload=self._account.check_signature(request))
        self._account.refuse_by_fault(operation, call, _FAULTS)
        shortened = self._account.options.faults.hits("truncate", operation, call)
        if own:
            received = Received(request.method, request.raw_path, request.headers)
            path = self._account.signer.check(received, self._account.now())
            body = self._account.store.read(path)
        elif shortened and operation == "GetObject" and target.key.endswith(".json"):
            body = self._bucket.read(target.key)
        else:
            return await self._of_the_folder(request, operation, target)
        if shortened:
            return await _shortened(request, body, honest=bool(call % 2))
        return web.Response(body=body, content_type="application/json")

    async def _of_the_folder(
        self, request: web.BaseRequest, operation: str, target: Target
    ) -> web.StreamResponse:
        if target.bucket != self._bucket.name:
            missing = "The specified bucket does not exist"
            raise Refused("NoSuchBucket", missing, HTTPStatus.NOT_FOUND)
        if operation in {"PutObject", "DeleteObject"} and not self._account.options.writable:
            raise _access_denied()
        if operation not in self._operations:
            raise _not_implemented()
        return await self._operations[operation](request, target)

    @staticmethod
    def error(refused: Refused) -> web.Response:
        """A refusal in S3's XML."""
        body = (
            f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message>"
            f"<RequestId>{os.urandom(8).hex()}</RequestId></Error>"
        )
        return _xml(body, refused.status)

    async def _head_bucket(self, _request: web.BaseRequest, _target: Target) -> web.Response:
        return web.Response(headers={"x-amz-bucket-region": REGION})

    async def _location(self, _request: web.BaseRequest, _target: Target) -> web.Response:
        return _xml(f'<LocationConstraint xmlns="{NAMESPACE}"/>')

    async def _tags(self, _request: web.BaseRequest, target: Target) -> web.Response:
        if self._bucket.find(target.key) is None:
            raise no_such_key()
        return _xml(f'<Tagging xmlns="{NAMESPACE}"><TagSet/></Tagging>')

    async def _list(self, _request: web.BaseRequest, target: Target) -> web.Response:
        page = await asyncio.to_thread(page_for, target.query, self._bucket)
        return _xml(listing(page, target.bucket, target.query))

    async def _put(self, request: web.BaseRequest, target: Target) -> web.Response:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if target.payload.startswith("STREAMING-"):
            raise _not_implemented()
        try:
            with self._bucket.receiving(target.key, _condition(request)) as file:
                await _receive(request, file, target.payload)
        except NotReplaced:
            there = self._bucket.find(target.key)
            raise (_precondition_failed() if there else no_such_key()) from None
        except OSError:
            raise _access_denied() from None
        entry = self._bucket.find(target.key)
        return web.Response(headers={"ETag": f'"{entry.etag}"'} if entry else {})

    async def _delete(self, _request: web.BaseRequest, target: Target) -> web.Response:
        try:
            await asyncio.to_thread(self._bucket.delete, target.key)
        except OSError:
            raise _access_denied() from None
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _get(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        entry, path = self._bucket.find(target.key), self._bucket.path(target.key)
        if entry is None or path is None:
            raise no_such_key()
        span = _span(request, entry.size)
        response = web.StreamResponse(
            headers={
                "ETag": f'"{entry.etag}"',
                "Last-Modified": formatdate(entry.modified, usegmt=True),
                "Accept-Ranges": "bytes",
                "Content-Type": "binary/octet-stream",
                "x-amz-request-id": os.urandom(8).hex(),
            },
        )
        if span is not None:
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{entry.size}"
        span = span or range(entry.size)
        response.content_length = len(span)
        await response.prepare(request)
        if request.method != "HEAD":
            with suppress(ConnectionError):  # who asked went away, as an interrupted run does
                await _send(response, path, span)
        return response


async def _send(response: web.StreamResponse, path: Path, span: range) -> None:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        while span:
            chunk = await asyncio.to_thread(os.pread, file, min(_CHUNK, len(span)), span.start)
            if not chunk:
                break
            await response.write(chunk)
            span = span[len(chunk) :]
    finally:
        os.close(file)


def _span(request: web.BaseRequest, size: int) -> range | None:
    """The bytes of a `Range`; None for the whole object."""
    try:
        span = range(size)[request.http_range]
    except ValueError:  # a range that can't be read is no range, as at S3
        return None
    if "Range" not in request.headers:
        return None
    if not span:
        message = "The requested range is not satisfiable"
        raise Refused("InvalidRange", message, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return span


async def _shortened(request: web.BaseRequest, body: bytes, *, honest: bool) -> web.StreamResponse:
    """Half a body, under a length that is that of the half (`honest`) or of the whole."""
    half = body[: len(body) // 2]
    if honest:
        return web.Response(body=half, content_type="application/json")
    response = web.StreamResponse()
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(half)
    if request.transport is not None:
        request.transport.close()
    return response


async def _receive(request: web.BaseRequest, file: BinaryIO, payload: str) -> None:
    """Write a body to a file as it comes.

    Raises:
        Refused: it is not what was signed, or too large.
    """
    digest, size = sha256(), 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > LARGEST_PUT:
            message = "Your proposed upload exceeds the maximum allowed size"
            raise Refused("EntityTooLarge", message)
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    check_digest(payload, digest.hexdigest())


def _condition(request: web.BaseRequest) -> Callable[[Entry | None], bool]:
    """Which object a PUT may replace, as S3's conditional writes have it."""
    absent, still = (request.headers.get(each) for each in ("If-None-Match", "If-Match"))

    def may_replace(there: Entry | None) -> bool:
        if absent and there:
            return False
        return not still or (there is not None and still.strip('"') == there.etag)

    return may_replace


def _precondition_failed() -> Refused:
    return Refused(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        HTTPStatus.PRECONDITION_FAILED,
    )


def _not_implemented() -> Refused:
    return Refused(
        "NotImplemented",
        "A header or query you provided implies functionality that is not implemented.",
        HTTPStatus.NOT_IMPLEMENTED,
    )


def _access_denied() -> Refused:
    return Refused("AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN)


def _xml(body: str, status: int = HTTPStatus.OK) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return web.Response(text=text, status=status, content_type="application/xml")
