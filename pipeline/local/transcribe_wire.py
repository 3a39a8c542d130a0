"""The Transcribe side of the wire: awsJson 1.1, one POST to `/` for every call."""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from pipeline.local import messages
from pipeline.local.constraints import check
from pipeline.local.errors import Refused
from pipeline.local.quotas import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.local.account import Account
    from pipeline.local.job_operations import JobOperations
    from pipeline.local.vocabulary_operations import VocabularyOperations

_TYPE = "application/x-amz-json-1.1"
_PREFIX = "Transcribe."
_FAULTS = {
    "throttle": ("ThrottlingException", messages.RATE_EXCEEDED, HTTPStatus.BAD_REQUEST),
    "server_error": (
        "InternalFailureException",
        messages.SERVER_ERROR,
        HTTPStatus.INTERNAL_SERVER_ERROR,
    ),
}


class TranscribeWire:
    """Reads calls from HTTP, holds them against the rates and the model, writes answers."""

    def __init__(
        self, account: Account, jobs: JobOperations, vocabularies: VocabularyOperations
    ) -> None:
        self._account = account
        quotas = account.options.quotas
        self._calls: dict[
            str, tuple[Callable[[Mapping[str, Any], int], dict[str, Any]], TokenBucket]
        ] = {
            "StartTranscriptionJob": (jobs.start, TokenBucket(quotas.start)),
            "GetTranscriptionJob": (jobs.get, TokenBucket(quotas.get)),
            "ListTranscriptionJobs": (jobs.list_jobs, TokenBucket(quotas.list)),
            "DeleteTranscriptionJob": (jobs.delete, TokenBucket(quotas.delete)),
            "CreateVocabulary": (vocabularies.create, TokenBucket(quotas.vocabulary)),
            "UpdateVocabulary": (vocabularies.update, TokenBucket(quotas.vocabulary)),
            "GetVocabulary": (vocabularies.get, TokenBucket(quotas.vocabulary)),
            "ListVocabularies": (vocabularies.list_vocabularies, TokenBucket(quotas.vocabulary)),
            "DeleteVocabulary": (vocabularies.delete, TokenBucket(quotas.vocabulary)),
        }

    @staticmethod
    def operation(request: web.BaseRequest) -> str:
        """The operation a call names, "" where it is no call of Transcribe."""
        target = request.headers.get("X-Amz-Target", "")
        known = request.raw_path == "/" and target.startswith(_PREFIX)
        return target.removeprefix(_PREFIX) if known else ""

    async def answer(self, request: web.BaseRequest, operation: str, call: int) -> web.Response:
        """Answer the `call`th call of an operation.

        Raises:
            Refused: with the service's code and sentence.
        """
        body = await request.read()
        self._account.check_signature(request, "transcribe", body)
        if operation not in self._calls:
            raise Refused("UnknownOperationException", f"{operation} isn't offered here")
        perform, rate = self._calls[operation]
        if not rate.take(asyncio.get_running_loop().time()):
            raise Refused("ThrottlingException", messages.RATE_EXCEEDED)
        self._account.refuse_by_fault(operation, call, _FAULTS)
        values = _request(body)
        check(operation, values)
        return _json(perform(values, call))

    @staticmethod
    def error(refused: Refused) -> web.Response:
        """A refusal in Transcribe's JSON."""
        return _json({"__type": refused.code, "Message": refused.message}, refused.status)


def _request(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise Refused("SerializationException", "The request is not JSON") from None
    if not isinstance(request, dict):
        raise Refused("SerializationException", "The request is not a JSON object")
    # A member that is null is a member that is missing.
    return {name: value for name, value in request.items() if value is not None}


def _json(answer: Mapping[str, Any], status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(
        body=orjson.dumps(answer),
        status=status,
        headers={"Content-Type": _TYPE, "x-amzn-RequestId": str(uuid.uuid4())},
    )
