"""The HTTP endpoint: which service answers a request, and the faults that befall any call."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from pipeline.local.errors import Refused

if TYPE_CHECKING:
    from pipeline.local.account import Account
    from pipeline.local.s3_wire import S3Wire
    from pipeline.local.transcribe_wire import TranscribeWire

_OWN_NAMES = {"127.0.0.1", "localhost"}


class Endpoint:
    """Answers every request of one local cloud."""

    def __init__(self, account: Account, transcribe: TranscribeWire, s3: S3Wire) -> None:
        self._account = account
        self._transcribe = transcribe
        self._s3 = s3

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, one answer, or one connection cut."""
        # A web page can reach this port under a name of its own; it must not read the folder.
        if request.host.partition(":")[0] not in _OWN_NAMES:
            return web.Response(status=HTTPStatus.FORBIDDEN)
        counts, faults = self._account.counts, self._account.options.faults
        if request.raw_path == "/_local/counts":
            body = orjson.dumps(counts.as_dict())
            return web.Response(body=body, content_type="application/json")
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


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
