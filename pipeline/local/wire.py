"""The Transcribe side of the wire: awsJson 1.1, one POST to `/` for every call."""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from pipeline.local import messages
from pipeline.local.errors import Refused
from pipeline.local.quotas import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.local.account import Account
    from pipeline.local.operations import Transcribe
    from pipeline.local.vocabulary_operations import VocabularyOperations

_TYPE = "application/x-amz-json-1.1"
_PREFIX = "Transcribe."


class TranscribeWire:
    """Reads calls from HTTP, holds them against the account's rates, writes answers."""

    def __init__(
        self, account: Account, transcribe: Transcribe, vocabularies: VocabularyOperations
    ) -> None:
        self._account = account
        quotas = account.options.quotas
        self._calls: dict[str, tuple[Callable[[Mapping[str, Any], int], dict[str, Any]], Pace]] = {
            "StartTranscriptionJob": (transcribe.start, Pace(quotas.start)),
            "GetTranscriptionJob": (transcribe.get, Pace(quotas.get)),
            "ListTranscriptionJobs": (transcribe.list_jobs, Pace(quotas.list)),
            "DeleteTranscriptionJob": (transcribe.delete, Pace(quotas.delete)),
            "CreateVocabulary": (vocabularies.create, Pace(quotas.vocabulary)),
            "UpdateVocabulary": (vocabularies.update, Pace(quotas.vocabulary)),
            "GetVocabulary": (vocabularies.get, Pace(quotas.vocabulary)),
            "ListVocabularies": (vocabularies.list_vocabularies, Pace(quotas.vocabulary)),
            "DeleteVocabulary": (vocabularies.delete, Pace(quotas.vocabulary)),
        }

    @staticmethod
    def operation(request: web.BaseRequest) -> str:
        """The operation a call names, "" where it is no call of Transcribe."""
        target = request.headers.get("X-Amz-Target", "")
        return target.removeprefix(_PREFIX) if target.startswith(_PREFIX) else ""

    async def answer(self, request: web.BaseRequest, operation: str, call: int) -> web.Response:
        """Answer the `call`th call of an operation; a refusal is an answer too."""
        body = await request.read()
        try:
            return _json(self._perform(operation, body, call))
        except Refused as refused:
            self._account.figures.refused[refused.code] += 1
            return _error(refused)

    def _perform(self, operation: str, body: bytes, call: int) -> dict[str, Any]:
        if operation not in self._calls:
            raise Refused("UnknownOperationException", f"{operation} isn't offered here")
        perform, pace = self._calls[operation]
        if not pace.take(asyncio.get_running_loop().time()):
            raise Refused("ThrottlingException", messages.RATE_EXCEEDED)
        self._suffer(operation, call)
        return perform(_request(body), call)

    def _suffer(self, operation: str, call: int) -> None:
        """Let the faults happen that were asked for."""
        faults = self._account.options.faults
        if faults.hits("throttle", operation, call):
            raise Refused("ThrottlingException", messages.RATE_EXCEEDED)
        if faults.hits("server_error", operation, call):
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            raise Refused("InternalFailureException", messages.SERVER_ERROR, status)


def _request(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise Refused("SerializationException", "The request is not JSON") from None
    if not isinstance(request, dict):
        raise Refused("SerializationException", "The request is not a JSON object")
    return request


def _error(refused: Refused) -> web.Response:
    return _json({"__type": refused.code, "Message": refused.message}, refused.status)


def _json(answer: Mapping[str, Any], status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(
        body=orjson.dumps(answer),
        status=status,
        headers={"Content-Type": _TYPE, "x-amzn-RequestId": str(uuid.uuid4())},
    )
