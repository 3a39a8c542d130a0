"""The HTTP endpoint: which part answers a request, and the faults that befall any call."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from pipeline.local import s3_wire
from pipeline.local.errors import Refused
from pipeline.local.results import SERVICE_BUCKET, VOCABULARY_BUCKET, job_number
from pipeline.local.s3_wire import S3Error, Target, no_such_key
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from pipeline.local.account import Account
    from pipeline.local.wire import TranscribeWire

_OWN_NAMES = {"127.0.0.1", "localhost"}


class Endpoint:
    """Answers every request of one local cloud."""

    def __init__(self, account: Account, transcribe: TranscribeWire) -> None:
        self._account = account
        self._transcribe = transcribe

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, one answer, or one connection cut."""
        # A web page can reach this port under a name of its own; it must not read the folder.
        if request.host.partition(":")[0] not in _OWN_NAMES:
            return web.Response(status=HTTPStatus.FORBIDDEN)
        if request.raw_path == "/_local/figures":
            figures = orjson.dumps(self._account.figures.as_dict())
            return web.Response(body=figures, content_type="application/json")
        target = Target.of(request.raw_path)
        operation = self._operation(request, target)
        self._account.figures.calls[operation or "Unknown"] += 1
        call = self._account.figures.calls[operation or "Unknown"]
        if await self._cut_off(operation, call):
            return _cut(request)
        return await self._answer(request, target, operation, call)

    def _operation(self, request: web.BaseRequest, target: Target) -> str:
        if request.method == "POST" and request.raw_path == "/":
            return self._transcribe.operation(request)
        return s3_wire.operation(request.method, target)

    async def _cut_off(self, operation: str, call: int) -> bool:
        faults = self._account.options.faults
        if faults.hits("slow", operation, call):
            await asyncio.sleep(faults.slow_seconds)
        return faults.hits("cut", operation, call)

    async def _answer(
        self, request: web.BaseRequest, target: Target, operation: str, call: int
    ) -> web.StreamResponse:
        if request.method == "POST":
            answer = await self._transcribe.answer(request, operation, call)
            lost = answer.status == HTTPStatus.OK and operation == "StartTranscriptionJob"
            if lost and self._account.options.faults.hits("lost_start", call):
                return _cut(request)
            return answer
        try:
            return await self._s3(request, target, operation, call)
        except S3Error as error:
            self._account.figures.refused[error.code] += 1
            return error.answer()

    async def _s3(
        self, request: web.BaseRequest, target: Target, operation: str, call: int
    ) -> web.StreamResponse:
        self._suffer(operation, call)
        shortened = self._account.options.faults.hits("truncate", operation, call)
        if target.bucket == SERVICE_BUCKET:
            body = self._transcript(request.raw_path)
        elif target.bucket == VOCABULARY_BUCKET:
            body = self._vocabulary(request.raw_path)
        elif shortened and operation == "GetObject" and target.key.endswith(".json"):
            body = self._account.bucket.read(target.key)
        else:
            return await s3_wire.answer(request, operation, target, self._account.bucket)
        if shortened:
            return await _shortened(request, body, honest=bool(call % 2))
        return web.Response(body=body, content_type="application/json")

    def _suffer(self, operation: str, call: int) -> None:
        """Let the faults happen that were asked for."""
        faults = self._account.options.faults
        if faults.hits("throttle", operation, call):
            busy = HTTPStatus.SERVICE_UNAVAILABLE
            raise S3Error("SlowDown", "Please reduce your request rate.", busy)
        if faults.hits("server_error", operation, call):
            message = "We encountered an internal error. Please try again."
            raise S3Error("InternalError", message, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _transcript(self, raw_path: str) -> bytes:
        """The transcript in the service's own bucket that a presigned address opens."""
        self._account.signer.check(raw_path, self._account.now())
        path = raw_path.partition("?")[0]
        try:
            job = self._account.jobs.get(path.split("/")[3])
        except Refused:
            raise no_such_key() from None
        if job.number != job_number(path) or job.status != JobStatus.COMPLETED:
            raise no_such_key()
        files = {"json": job.outcome.stored, **job.outcome.subtitles}
        stored = files.get(path.rpartition(".")[2])
        if stored is None:
            raise no_such_key()
        return self._account.store.read(stored)

    def _vocabulary(self, raw_path: str) -> bytes:
        """The table that a presigned address opens."""
        self._account.signer.check(raw_path, self._account.now())
        try:
            return self._account.vocabularies.get(raw_path.split("/")[3]).table
        except Refused:
            raise no_such_key() from None


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _shortened(request: web.BaseRequest, body: bytes, *, honest: bool) -> web.StreamResponse:
    """Half a body; the length that was told is that of the half (`honest`) or of the whole."""
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
