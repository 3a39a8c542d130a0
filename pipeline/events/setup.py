"""The rule and the queue of events, looked at and changed; `setup_plan` says what is to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.aws.service import Service
from pipeline.aws.session import connect
from pipeline.errors import BadSettings, ResourceMissing
from pipeline.events.setup_plan import Found, Step, Wanted
from pipeline.net.wait_times import WaitTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.aws.session import Session
    from pipeline.config.schema import Aws, Limits


class Eventing:
    """The calls about the events of one account and region."""

    def __init__(self, session: Session, waiting: WaitTimes) -> None:
        self._region = session.region
        self._services = {
            name: Service(session, name, waiting) for name in ("sqs", "events", "sts")
        }

    async def wanted(self, prefix: str) -> Wanted:
        """What there should be in this account for the jobs whose names begin so."""
        caller = await self._call("sts", "GetCallerIdentity")
        partition = caller["Arn"].split(":")[1]
        return Wanted(prefix, self._region, caller["Account"], partition)

    async def find(self, wanted: Wanted) -> Found:
        """What there is.

        Raises:
            Denied: it may not be looked at.
        """
        return Found(**await self._queue(wanted.name), **await self._rule(wanted))

    async def take(self, steps: Iterable[Step]) -> None:
        """Take the steps, one after the other.

        Raises:
            BadSettings: a service refuses one; run again, the rest is done then.
        """
        for step in steps:
            try:
                answer = await self._call(step.service, step.operation, **step.request)
            except ResourceMissing as missing:
                if step.operation.startswith(_TAKE_AWAY):
                    continue  # somebody else did, or a call of ours whose answer was lost
                raise BadSettings(
                    f"It was taken away meanwhile: {missing.problem}",
                    "Run the same command again.",
                    action=missing.action,
                    message=missing.message,
                ) from missing
            if answer.get("FailedEntryCount"):
                [failed, *_] = answer.get("FailedEntries") or [{}]
                message = f"{failed.get('ErrorCode')}: {failed.get('ErrorMessage')}"
                raise BadSettings(
                    f"events:{step.operation} is refused: {message}",
                    action=f"events:{step.operation}",
                    message=message,
                )

    async def _queue(self, name: str) -> dict[str, Any]:
        try:
            url = (await self._call("sqs", "GetQueueUrl", QueueName=name))["QueueUrl"]
            attributes = await self._call("sqs", "GetQueueAttributes", QueueUrl=url, **_ALL)
            tags = await self._call("sqs", "ListQueueTags", QueueUrl=url)
        except ResourceMissing:
            return {}
        return {
            "url": url,
            "attributes": attributes.get("Attributes") or {},
            "queue_tags": tags.get("Tags") or {},
        }

    async def _rule(self, wanted: Wanted) -> dict[str, Any]:
        try:
            rule = await self._call("events", "DescribeRule", Name=wanted.name)
            targets = await self._call("events", "ListTargetsByRule", Rule=wanted.name)
            tags = await self._call("events", "ListTagsForResource", ResourceARN=wanted.rule_arn)
        except ResourceMissing:
            return {}
        return {
            "rule": rule,
            "targets": targets.get("Targets") or [],
            "rule_tags": {each["Key"]: each["Value"] for each in tags.get("Tags") or ()},
        }

    async def _call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        return await self._services[service].call(operation, **request)


async def change(
    aws: Aws,
    limits: Limits,
    prefix: str,
    plan: Callable[[Wanted, Found], list[Step]],
    agree: Callable[[Wanted, list[Step]], None],
) -> str:
    """Look at what there is for the jobs named so, and take the steps that are agreed on.

    Args:
        aws: the account.
        limits: how long one call may take, and for how long it is made again.
        prefix: what the names of the jobs begin with.
        plan: which steps; `setup` or `remove` of `setup_plan`.
        agree: is shown the steps, and raises what ends it.

    Returns:
        The queue's URL, "" where there is none now.
    """
    async with connect(aws, 1, limits=limits) as session:
        eventing = Eventing(session, WaitTimes())
        wanted = await eventing.wanted(prefix)
        steps = plan(wanted, await eventing.find(wanted))
        agree(wanted, steps)
        await eventing.take(steps)
        return (await eventing.find(wanted)).url or ""


_ALL = {"AttributeNames": ["All"]}
_TAKE_AWAY = ("Delete", "Remove")
