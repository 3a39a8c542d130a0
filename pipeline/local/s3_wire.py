"""The S3 side of the wire: ListObjectsV2, HeadBucket, GetObject, HeadObject, Put and DeleteObject.

Path style (`/bucket/key`) over plain HTTP. Signatures are not checked here: the endpoint listens
on the loopback interface only.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, unquote
from xml.sax.saxutils import escape

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.local.bucket import Bucket, Entry, Page

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MOST_KEYS = 1000
_CHUNK = 256 * 1024
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class S3Error(Exception):
    """An answer in S3's error XML; the codes and sentences are S3's."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = int(status)

    def answer(self) -> web.Response:
        """The error as an HTTP answer."""
        body = (
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
            f"<RequestId>{os.urandom(8).hex()}</RequestId></Error>"
        )
        return _xml(body, self.status)


def no_such_key() -> S3Error:
    """The object is not there."""
    return S3Error("NoSuchKey", "The specified key does not exist.", HTTPStatus.NOT_FOUND)


@dataclass(frozen=True)
class Target:
    """What an S3 request is about; `key` is "" for the bucket itself."""

    bucket: str
    key: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, raw_path: str) -> Target:
        """Read a request's target as it was sent: no segment of a key is ever tidied away."""
        path, _, query = raw_path.partition("?")
        bucket, _, key = path.removeprefix("/").partition("/")
        return cls(unquote(bucket), unquote(key), dict(parse_qsl(query, keep_blank_values=True)))


def operation(method: str, target: Target) -> str:
    """The name of the S3 operation a request asks for, "" for one that is not offered."""
    if target.key:
        offered = {verb.upper(): f"{verb}Object" for verb in ("Get", "Head", "Put", "Delete")}
    elif "location" in target.query:
        offered = {"GET": "GetBucketLocation"}
    elif target.query.get("list-type") == "2":
        offered = {"GET": "ListObjectsV2"}
    else:
        offered = {"HEAD": "HeadBucket"}
    return offered.get(method, "")


async def answer(
    request: web.BaseRequest, name: str, target: Target, bucket: Bucket
) -> web.StreamResponse:
    """Answer the operation `name`.

    Raises:
        S3Error: no such bucket or key, a bad argument, or an operation that is not offered.
    """
    if target.bucket != bucket.name:
        missing = "The specified bucket does not exist"
        raise S3Error("NoSuchBucket", missing, HTTPStatus.NOT_FOUND)
    match name:
        case "ListObjectsV2":
            return await _list(target.query, bucket)
        case "GetObject" | "HeadObject":
            return await _get(request, target.key, bucket)
        case "PutObject":
            return await _put(request, target.key, bucket)
        case "DeleteObject":
            return await _delete(target.key, bucket)
        case "HeadBucket":
            return web.Response(headers={"x-amz-bucket-region": "us-east-1"})
        case "GetBucketLocation":
            return _xml(f'<LocationConstraint xmlns="{_NAMESPACE}"/>')
    raise S3Error(
        "NotImplemented",
        "A header or query you provided implies functionality that is not implemented.",
        HTTPStatus.NOT_IMPLEMENTED,
    )


async def _list(query: Mapping[str, str], bucket: Bucket) -> web.Response:
    limit = _max_keys(query.get("max-keys", str(_MOST_KEYS)))
    token = query.get("continuation-token")
    after = _from_token(token) if token is not None else query.get("start-after", "")
    prefix = query.get("prefix", "")
    delimiter = query.get("delimiter", "")
    page = await asyncio.to_thread(bucket.page, prefix, after, limit, delimiter)
    return _xml(listing(page, bucket.name, query))


def listing(page: Page, bucket: str, query: Mapping[str, str]) -> str:
    """A page of a listing as S3's XML; keys are percent-encoded on request, "+" for a space."""
    encode = quote_url if query.get("encoding-type") == "url" else _text
    contents = "".join(_content(entry, encode(entry.key)) for entry in page.entries)
    common = "".join(
        f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>"
        for prefix in page.prefixes
    )
    echoed = "".join(
        f"<{name}>{encode(query[key])}</{name}>"
        for name, key in (("Delimiter", "delimiter"), ("StartAfter", "start-after"))
        if key in query
    )
    parts = [
        f'<ListBucketResult xmlns="{_NAMESPACE}"><Name>{bucket}</Name>',
        f"<Prefix>{encode(query.get('prefix', ''))}</Prefix>",
        f"<MaxKeys>{escape(query.get('max-keys', str(_MOST_KEYS)))}</MaxKeys>",
        "<EncodingType>url</EncodingType>" if encode is quote_url else "",
        echoed,
        f"<KeyCount>{len(page.entries) + len(page.prefixes)}</KeyCount>",
        f"<IsTruncated>{'true' if page.more is not None else 'false'}</IsTruncated>",
        f"<NextContinuationToken>{to_token(page.more)}</NextContinuationToken>"
        if page.more is not None
        else "",
        contents,
        common,
        "</ListBucketResult>",
    ]
    return "".join(parts)


def quote_url(key: str) -> str:
    """A key as S3 writes it under `encoding-type=url`: slashes stay, a space becomes "+"."""
    return quote_plus(key, safe="/*-._")


def _text(key: str) -> str:
    # Control characters have no place in XML 1.0; S3's own answer is unreadable there too.
    return escape(_ILLEGAL.sub("\ufffd", key))


def _content(entry: Entry, key: str) -> str:
    modified = datetime.fromtimestamp(entry.modified, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified>"
        f"<ETag>&quot;{entry.etag}&quot;</ETag><Size>{entry.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def _max_keys(text: str) -> int:
    if not text.isdecimal():
        message = "Provided max-keys not an integer or within integer range"
        raise S3Error("InvalidArgument", message, HTTPStatus.BAD_REQUEST)
    return min(int(text), _MOST_KEYS)


def to_token(key: str) -> str:
    """Where a listing goes on, as an opaque word."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeError, ValueError):
        message = "The continuation token provided is incorrect"
        raise S3Error("InvalidArgument", message, HTTPStatus.BAD_REQUEST) from None


async def _put(request: web.BaseRequest, key: str, bucket: Bucket) -> web.Response:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    content = await request.content.read()
    try:
        await asyncio.to_thread(bucket.write, key, content)
    except OSError:
        raise S3Error("AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN) from None
    entry = bucket.find(key)
    return web.Response(headers={"ETag": f'"{entry.etag}"'} if entry else {})


async def _delete(key: str, bucket: Bucket) -> web.Response:
    try:
        await asyncio.to_thread(bucket.delete, key)
    except OSError:
        raise S3Error("AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN) from None
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _get(request: web.BaseRequest, key: str, bucket: Bucket) -> web.StreamResponse:
    entry, path = bucket.find(key), bucket.path(key)
    if entry is None or path is None:
        raise no_such_key()
    span = _span(request.headers.get("Range", ""), entry.size)
    response = web.StreamResponse(
        status=HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK,
        headers={
            "ETag": f'"{entry.etag}"',
            "Last-Modified": formatdate(entry.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": "binary/octet-stream",
        },
    )
    first, last = span or (0, entry.size - 1)
    if span:
        response.headers["Content-Range"] = f"bytes {first}-{last}/{entry.size}"
    response.content_length = last - first + 1
    await response.prepare(request)
    if request.method != "HEAD":
        with suppress(ConnectionError):  # who asked went away, as an interrupted run does
            await _send(response, path, first, last + 1)
    return response


async def _send(response: web.StreamResponse, path: Path, start: int, end: int) -> None:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        while start < end:
            chunk = await asyncio.to_thread(os.pread, file, min(_CHUNK, end - start), start)
            if not chunk:
                break
            await response.write(chunk)
            start += len(chunk)
    finally:
        os.close(file)


def _span(header: str, size: int) -> tuple[int, int] | None:
    """The first and last byte of a `Range`, None for the whole object."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first:
        span = int(first), min(int(last or size), size - 1)
    else:
        span = max(0, size - int(last)), size - 1
    if span[0] > span[1]:
        message = "The requested range is not satisfiable"
        raise S3Error("InvalidRange", message, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return span


def _xml(body: str, status: int = HTTPStatus.OK) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return web.Response(text=text, status=status, content_type="application/xml")
