"""The HTTP endpoint: which service answers a request, and the faults that befall any call."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from pipeline.local.errors import Refused
from pipeline.local.signatures import is_presigned
from pipeline.net.hosts import is_own

if TYPE_CHECKING:
    from pipeline.local.account import Account
    from pipeline.local.s3_wire import S3Wire
    from pipeline.local.transcribe_wire import TranscribeWire

_OF_OTHERS = "application/x-www-form-urlencoded"
"""What SDKs call STS and IAM with, and neither S3 nor Transcribe ever."""
_NOT_HERE = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code>"
    "<Message>This endpoint has S3 and Transcribe alone.</Message></Error></ErrorResponse>"
)


class Endpoint:
    """Answers every request of one local cloud."""

    def __init__(self, account: Account, transcribe: TranscribeWire, s3: S3Wire) -> None:
        self._account = account
        self._transcribe = transcribe
        self._s3 = s3

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, one answer, or one connection cut."""
        if unread := self._refused_unread(request):
            return unread
        if request.path == "/_local/counts":
            return self._counts(request)
        counts, faults = self._account.counts, self._account.options.faults
        service = self._transcribe if request.method == "POST" else self._s3
        operation = service.operation(request)
        counts.calls[operation or "Unknown"] += 1
        call = counts.calls[operation or "Unknown"]
        if faults.hits("slow", operation, call):
            await asyncio.sleep(faults.slow_seconds)
        if faults.hits("cut", operation, call):
            return _cut(request)
        try:
            answer = await service.answer(request, operation, call)
        except Refused as refused:
            counts.refused[refused.code] += 1
            return service.error(refused)
        if operation == "StartTranscriptionJob" and faults.hits("lost_start", call):
            return _cut(request)
        return answer

    def _refused_unread(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a page, to another machine's name, and to calls of other services."""
        if not is_own(request.host, self._account.options.host) or _of_a_page(request):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        if request.method == "POST" and request.content_type == _OF_OTHERS:
            return web.Response(
                text=_NOT_HERE, status=HTTPStatus.BAD_REQUEST, content_type="text/xml"
            )
        return None

    def _counts(self, request: web.BaseRequest) -> web.Response:
        try:
            self._account.check_signature(request)
        except Refused as refused:
            return self._s3.error(refused)
        body = orjson.dumps(self._account.counts.as_dict())
        return web.Response(body=body, content_type="application/json")


def _of_a_page(request: web.BaseRequest) -> bool:
    """Whether a web page asks, for something else than what an address was given to it for."""
    reads = request.method in {"GET", "HEAD"} and is_presigned(request.raw_path)
    return "Origin" in request.headers and not reads


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
