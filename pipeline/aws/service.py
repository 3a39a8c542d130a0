"""The calls of any AWS service but S3: Transcribe, IAM, STS, SQS, EventBridge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from botocore import xform_name

from pipeline.aws.answer import Answer, answer_of
from pipeline.aws.error_codes import translated
from pipeline.net.retry import RateLimitedCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.aws.session import Session
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

T = TypeVar("T")

_RATE = 10.0
_IAM_PREFIXES = {"service-quotas": "servicequotas"}
_IAM_NAMES = {"GetBucketCors": "GetBucketCORS", "PutBucketCors": "PutBucketCORS"}


class Service:
    """The calls of one service, each operation at its own pace, retried and renewed as any call.

    Args:
        session: where the client comes from.
        name: botocore's name of the service, such as `iam`, `sqs`, `events`, `service-quotas`.
        waiting: measures the time that is waited for a call's turn.
        rate: calls per second of one operation, at most, where it has no pace of its own.
    """

    def __init__(
        self, session: Session, name: str, waiting: WaitTimes, rate: float = _RATE
    ) -> None:
        self._session = session
        self._name = name
        self._waiting = waiting
        self._rate = rate
        self._calls: dict[str, RateLimitedCall] = {}

    @property
    def operations(self) -> tuple[RateLimitedCall, ...]:
        """Every operation that was called or has a pace of its own, for its counts of calls."""
        return tuple(self._calls.values())

    def operation(
        self, name: str, rate: float | None = None, slots: JobSlots | None = None
    ) -> RateLimitedCall:
        """An operation as the service's API spells it (`GetRole`), at the rate it first got."""
        if name not in self._calls:
            renew = self._session.renew
            made = RateLimitedCall(name, rate or self._rate, self._waiting, renew, slots)
            made.retry_seconds = self._session.limits.retry_seconds
            self._calls[name] = made
        return self._calls[name]

    async def call(self, operation: str, **request: Any) -> Answer:
        """The answer to one call; a member that is read and not there is `ServiceUnreachable`.

        The operation is spelt as in the service's API: `GetRole`.

        Raises:
            ResourceMissing: the service knows nothing of that name.
            ResourceTaken: it knows one of that name already.
            NoAccess: no permission (`Denied`, which names the action), or no good credentials.
            BadSettings: it refuses what was asked for, in its own words.
            ServiceUnreachable: it gave no usable answer for too long.
        """
        return await self.parsed(operation, request, lambda answer: answer)

    async def parsed(
        self, operation: str, request: dict[str, Any], parse: Callable[[Answer], T]
    ) -> T:
        """The answer to one call, parsed; `parse` raises `Unavailable` for one that is no answer.

        Raises:
            PipelineError: as `call`.
        """
        action = iam_action(self._name, operation)

        async def attempt() -> T:
            client = await self._session.client(self._name)
            with translated(action):
                async with asyncio.timeout(self._seconds_for(request)):
                    answer = await getattr(client, xform_name(operation))(**request)
                shape = client.meta.service_model.operation_model(operation).output_shape
                return parse(answer_of(answer, shape, action) if shape else Answer({}, action))

        return await self.operation(operation).call(attempt)

    def _seconds_for(self, request: dict[str, Any]) -> float:
        """How long an answer may take; a queue is asked to wait before it says that it is empty."""
        waiting: float = request.get("WaitTimeSeconds", 0)
        return self._session.limits.answer_seconds + waiting


def iam_action(service: str, operation: str) -> str:
    """The action of an operation as policies spell it, such as `iam:GetRole`.

    Where the two differ is written in the Service Authorization Reference.
    """
    return f"{_IAM_PREFIXES.get(service, service)}:{_IAM_NAMES.get(operation, operation)}"
