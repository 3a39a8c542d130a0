"""The calls of any AWS service beside Transcribe's and S3's own: IAM, STS, SQS, EventBridge."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.aws.error_codes import translated
from pipeline.net.retry import RateLimitedCall

if TYPE_CHECKING:
    from pipeline.aws.session import Session
    from pipeline.net.wait_times import WaitTimes

_RATE = 10.0
_IAM_PREFIXES = {"service-quotas": "servicequotas"}
_IAM_NAMES = {"GetBucketCors": "GetBucketCORS", "PutBucketCors": "PutBucketCORS"}


class Service:
    """The calls of one service, each operation at its own pace, retried and renewed as any call.

    Args:
        session: where the client comes from.
        name: botocore's name of the service, such as `iam`, `sqs`, `events`, `service-quotas`.
        waiting: measures the time that is waited for a call's turn.
        rate: calls per second of one operation, at most.
    """

    def __init__(
        self, session: Session, name: str, waiting: WaitTimes, rate: float = _RATE
    ) -> None:
        self._session = session
        self._name = name
        self._operation = partial(RateLimitedCall, rate=rate, waiting=waiting, renew=session.renew)
        self._calls: dict[str, RateLimitedCall] = {}

    @property
    def operations(self) -> tuple[RateLimitedCall, ...]:
        """Every operation that was called, for its counts of calls."""
        return tuple(self._calls.values())

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """The answer to one call.

        Args:
            operation: as the service's API spells it: `GetRole`.
            request: its parameters, as botocore takes them.

        Raises:
            ResourceMissing: the service knows nothing of that name.
            ResourceTaken: it knows one of that name already.
            NoAccess: no permission (`Denied`, which names the action), or no good credentials.
            BadSettings: it refuses what was asked for, in its own words.
            ServiceUnreachable: it gave no usable answer for too long.
        """

        async def attempt() -> dict[str, Any]:
            client = await self._session.client(self._name)
            names = client.meta.method_to_api_mapping
            method = next(method for method, name in names.items() if name == operation)
            with translated(iam_action(self._name, operation)):
                answer: dict[str, Any] = await getattr(client, method)(**request)
            return answer

        if operation not in self._calls:
            self._calls[operation] = self._operation(operation)
        return await self._calls[operation].call(attempt)


def iam_action(service: str, operation: str) -> str:
    """The action of an operation as policies spell it, such as `iam:GetRole`.

    Where the two differ is written in the Service Authorization Reference.
    """
    return f"{_IAM_PREFIXES.get(service, service)}:{_IAM_NAMES.get(operation, operation)}"
