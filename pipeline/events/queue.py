"""The queue of events: read and deleted from by ten messages a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.aws.partitions import sqs_region
from pipeline.aws.service import Service
from pipeline.errors import BadSettings, Denied, ResourceMissing
from pipeline.naming import parse_queue_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aws.session import Session
    from pipeline.net.retry import RateLimitedCall
    from pipeline.net.wait_times import WaitTimes

BATCH = 10
RATE = 100.0
"""Calls per second of one operation; a standard queue has no quota that matters."""
_VISIBLE_AGAIN = 60  # seconds after which a message that was not deleted is received once more


class Message(NamedTuple):
    """A message as it was received; `sent` is in seconds since the epoch, None where unsaid."""

    id: str
    handle: str
    body: str
    sent: float | None


def open_queue(session: Session, waits: WaitTimes, url: str) -> EventQueue:
    """The queue of this URL, by the calls of the session's account."""
    return EventQueue(Service(session, "sqs", waits, RATE), url, session.region)


class EventQueue:
    """The calls to one queue."""

    def __init__(self, service: Service, url: str, region: str) -> None:
        self.url = url
        self._service = service
        self._region = region

    @property
    def operations(self) -> tuple[RateLimitedCall, ...]:
        """Every operation that was called, for its counts of calls."""
        return self._service.operations

    def check(self) -> None:
        """Refuse a queue that can't hold the events of the run's jobs, by its URL.

        Raises:
            BadSettings: the queue is in another region than the jobs.
        """
        queue = parse_queue_url(self.url)
        region = queue and sqs_region(queue.host)
        if region not in {None, self._region}:
            raise BadSettings(
                f"The queue {self.url} is in {region}, but the jobs run in {self._region}: "
                "events stay in the region of their jobs",
                "Make a queue there with `events setup`.",
            )

    async def receive(self, seconds: int) -> list[Message]:
        """Up to ten messages; where there is none, wait for one so many seconds, 20 at most.

        Raises:
            BadSettings: there is no such queue.
            Denied: it may not be read.
        """
        answer = await self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=_VISIBLE_AGAIN,
            WaitTimeSeconds=seconds,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [_message(each) for each in answer.get("Messages") or ()]

    async def peek(self) -> None:
        """Receive a message and leave it where it is, to see whether that may be done.

        Raises:
            BadSettings: there is no such queue.
            Denied: it may not be read.
        """
        await self._call("ReceiveMessage", VisibilityTimeout=0, WaitTimeSeconds=0)

    async def delete(self, handles: Sequence[str]) -> None:
        """Delete up to ten messages; one whose time is over comes again, and is deleted then.

        Raises:
            BadSettings: there is no such queue.
            Denied: nothing may be deleted from it.
        """
        entries = [{"Id": str(n), "ReceiptHandle": each} for n, each in enumerate(handles)]
        await self._call("DeleteMessageBatch", Entries=entries)

    async def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        try:
            return await self._service.call(operation, QueueUrl=self.url, **request)
        except ResourceMissing as missing:
            raise BadSettings(
                f"There is no queue {self.url} in this region",
                "`transcribe-pipeline events setup` makes one and prints its URL for --events.",
            ) from missing
        except Denied as denied:
            raise Denied(
                f"The queue {self.url} can't be used: {denied} It needs sqs:ReceiveMessage and "
                "sqs:DeleteMessage, and is to be of the account that runs the jobs."
            ) from denied


def _message(answer: dict[str, Any]) -> Message:
    sent = (answer.get("Attributes") or {}).get("SentTimestamp", "")
    return Message(
        answer.get("MessageId", ""),
        answer.get("ReceiptHandle", ""),
        answer.get("Body", ""),
        int(sent) / 1000 if sent.isdecimal() else None,
    )
