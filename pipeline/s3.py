"""Every byte of S3: presigned by botocore, fetched by aiohttp.

botocore's own parser blocks the loop for 60 ms per 1,000 keys; presigning and ElementTree take a
tenth. A transcript in our bucket and one behind the service's own presigned URL become the same
thing: a URL. No query string of such a URL is ever part of a message.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import aiohttp
from yarl import URL

from pipeline.aws_errors import meaning, translated
from pipeline.brakes import Operation
from pipeline.errors import (
    Denied,
    NoAccess,
    NoSuchSource,
    PipelineError,
    RecordingFailed,
    Throttled,
    Unavailable,
)
from pipeline.failures import BROKEN_TRANSCRIPT
from pipeline.sources import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws import Session
    from pipeline.brakes import Waiting
    from pipeline.naming import S3Place

LARGEST_TRANSCRIPT = 512 * 2**20
"""Bytes; an hour of speech is 2 MB, so this is a bound against a hostile answer."""

_EXPIRES = 900
_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")
_RATE = 3500.0  # S3 takes 5,500 reads a second per prefix
_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60)
_OK = 200
_NOT_FOUND = 404


class S3:
    """Listing and reading over one HTTP connection pool."""

    def __init__(self, session: Session, http: aiohttp.ClientSession, waiting: Waiting) -> None:
        self._session = session
        self._http = http
        self.list_calls = Operation("ListObjectsV2", _RATE, waiting, session.renew)
        self.read_calls = Operation("GetObject", _RATE, waiting, session.renew)
        self.head_calls = Operation("HeadObject", _RATE, waiting, session.renew)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation, for its counts of calls."""
        return self.list_calls, self.read_calls, self.head_calls

    async def pages(self, place: S3Place) -> AsyncIterator[list[Entry]]:
        """The objects below `place`, a page of at most 1,000 at a time, keys byte for byte.

        Raises:
            NoSuchSource: no such bucket, or it is in another region.
            NoAccess: no permission to list it.
        """
        token: dict[str, str] = {}
        while True:
            call = partial(self._page, place, token)
            entries, next_token = await self.list_calls.call(call)
            yield entries
            if not next_token or token.get("ContinuationToken") == next_token:
                return  # the same page again would never end
            token = {"ContinuationToken": next_token}

    async def check_bucket(self, place: S3Place) -> None:
        """Make sure that the bucket is there, before anything is paid for.

        Without s3:ListBucket this can't be known, and is not needed for reading.

        Raises:
            NoSuchSource: no such bucket, or it is in another region.
        """
        with suppress(Denied):
            await self.list_calls.call(partial(self._page, place, {"MaxKeys": 1}))

    async def _page(self, place: S3Place, more: dict[str, Any]) -> tuple[list[Entry], str | None]:
        body = await self._signed(
            "list_objects_v2",
            {"Bucket": place.bucket, "Prefix": place.key, "EncodingType": "url", **more},
        )
        if body is None:
            raise NoSuchSource(
                f"There is no bucket s3://{place.bucket}. Check its name and the account."
            )
        return parse_listing(body)

    async def look_up(self, place: S3Place) -> Entry | None:
        """The facts of one object, or None where there is none.

        Raises:
            NoAccess: no permission to read it.
        """

        async def attempt() -> Entry | None:
            parameters = {"Bucket": place.bucket, "Key": place.key}
            status, body, headers = await self._ask("head_object", parameters)
            if status == _OK:
                storage = headers.get("x-amz-storage-class", "")
                size = int(headers.get("Content-Length", "0"))
                return Entry(place.key, headers.get("ETag", "").strip('"'), size, storage)
            if status == _NOT_FOUND:
                return None
            # An answer to HEAD has no body that would name the error.
            code = {403: b"AccessDenied"}.get(status, str(status).encode())
            body = body or b"<Error><Code>%s</Code></Error>" % code
            raise self._refusal(f"s3://{place.bucket}", "head_object", body, headers)

        return await self.head_calls.call(attempt)

    async def read(self, place: S3Place) -> bytes | None:
        """The object's content, or None where there is none.

        Raises:
            Denied: it may not be read; without s3:ListBucket S3 says so of one that is not there.
        """

        async def attempt() -> bytes | None:
            return await self._signed("get_object", {"Bucket": place.bucket, "Key": place.key})

        return await self.read_calls.call(attempt)

    async def fetch(self, url: str) -> bytes | None:
        """What the service's presigned URL holds, or None when the URL has expired.

        Raises:
            RecordingFailed: the URL leads elsewhere than to the service.
        """
        if not self._is_of_the_service(URL(url, encoded=True)):
            raise RecordingFailed(
                BROKEN_TRANSCRIPT, "The service names a place for it that is not its own."
            )

        async def attempt() -> bytes | None:
            status, body, _ = await self._request(url)
            if status == _OK:
                return body
            if status in (400, 401, 403, 404):
                return None
            raise Unavailable(f"The transcript's URL answered with HTTP status {status}.")

        return await self.read_calls.call(attempt)

    def _is_of_the_service(self, url: URL) -> bool:
        """Whether a transcript may be fetched there: AWS itself, or the configured endpoint."""
        clients = (self._session.transcribe, self._session.s3)
        endpoints = [URL(client.meta.endpoint_url) for client in clients]
        if any((url.scheme, url.host, url.port) == (e.scheme, e.host, e.port) for e in endpoints):
            return True
        return url.scheme == "https" and (url.host or "").endswith(_AWS_HOSTS)

    async def _signed(self, operation: str, parameters: dict[str, Any]) -> bytes | None:
        """The answer to a presigned call; None for 404."""
        status, body, headers = await self._ask(operation, parameters)
        if status == _OK:
            return body
        if status == _NOT_FOUND:
            return None
        raise self._refusal(f"s3://{parameters['Bucket']}", operation, body, headers)

    async def _ask(self, operation: str, parameters: dict[str, Any]) -> tuple[int, bytes, Any]:
        """Make a presigned call: status, body, headers."""
        with translated(f"s3:{operation}"):
            url = await self._session.s3.generate_presigned_url(
                operation, Params=parameters, ExpiresIn=_EXPIRES
            )
        return await self._request(url, "HEAD" if operation == "head_object" else "GET")

    async def _request(self, url: str, method: str = "GET") -> tuple[int, bytes, Any]:
        """One request of an encoded URL: status, body, headers."""
        encoded = URL(url, encoded=True)
        try:
            async with self._http.request(method, encoded, allow_redirects=False) as answer:
                return answer.status, await _bounded(answer), answer.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            # The error's own text may hold the URL with its signature.
            number = getattr(getattr(error, "os_error", error), "errno", None)
            reason = os.strerror(number) if number else type(error).__name__
            where = f"{encoded.host}:{encoded.port}"
            raise Unavailable(f"No answer from {where}: {reason}.") from None

    def _refusal(self, bucket: str, operation: str, body: bytes, headers: Any) -> PipelineError:
        code, words, region = _error_details(body)
        region = headers.get("x-amz-bucket-region") or region
        if region and region != self._session.region:
            return NoSuchSource(
                f"The bucket {bucket} is in {region}, not in {self._session.region}. The jobs "
                f"must run where the recordings are: add --region {region}."
            )
        action = "s3:ListBucket" if operation == "list_objects_v2" else "s3:GetObject"
        error = meaning(f"{action} on {bucket}", code, words)
        if isinstance(error, NoAccess | Throttled | Unavailable):
            return error
        return _unexpected(bucket, code, words)


def _unexpected(bucket: str, code: str, words: str) -> PipelineError:
    if not code:
        return Unavailable(f"{bucket}: an answer that is not S3's.")
    return NoSuchSource(f"The bucket {bucket} can't be read: {code}: {words}")


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    chunks = []
    size = 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > LARGEST_TRANSCRIPT:
            raise RecordingFailed(
                BROKEN_TRANSCRIPT, f"It is larger than {LARGEST_TRANSCRIPT // 2**20} MiB."
            )
        chunks.append(chunk)
    return b"".join(chunks)


@asynccontextmanager
async def open_s3(session: Session, connections: int, waiting: Waiting) -> AsyncIterator[S3]:
    """Open the HTTP connections; `connections` bounds how many are used at once."""
    # aiohttp takes proxies from the environment only together with passwords from ~/.netrc, which
    # are nobody's business and which S3 would refuse beside a signature.
    os.environ["NETRC"] = os.devnull
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(
        connector=connector, timeout=_TIMEOUT, trust_env=True, auto_decompress=True
    ) as http:
        yield S3(session, http, waiting)


def parse_listing(body: bytes) -> tuple[list[Entry], str | None]:
    """The entries of a ListObjectsV2 answer and the token of the next page.

    The listing was asked for with `encoding-type=url`: keys are percent-encoded, with `+` for a
    space.

    Raises:
        Unavailable: the answer is no listing, or was cut short.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 # expat bounds entity expansion since 2.4
        if root.tag.rpartition("}")[2] != "ListBucketResult":
            raise Unavailable(f"A listing was asked for, but the answer is <{root.tag}>.")
        space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        entries = [_listed(each, space) for each in root.iterfind(f"{space}Contents")]
    except (ET.ParseError, ValueError) as error:
        raise Unavailable(f"A listing can't be read: {error}.") from error
    return entries, root.findtext(f"{space}NextContinuationToken")


def _listed(contents: ET.Element, space: str) -> Entry:
    return Entry(
        key=unquote_plus(contents.findtext(f"{space}Key", "")),
        etag=contents.findtext(f"{space}ETag", "").strip('"'),
        size=int(contents.findtext(f"{space}Size", "")),
        storage=contents.findtext(f"{space}StorageClass", ""),
    )


def _error_details(body: bytes) -> tuple[str, str, str]:
    """Code, message and region of an S3 error answer; empty where it has none."""
    try:
        root = ET.fromstring(body)  # noqa: S314 # as above
    except ET.ParseError:
        return "", "", ""
    return (
        root.findtext("Code", ""),
        root.findtext("Message", ""),
        root.findtext("Region", ""),
    )
