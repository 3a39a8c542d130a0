"""Beside the poller: receive the events that tell which jobs have ended.

    queue ─► receivers ─► slot freed, job to the collectors ─► ... ─► checkpoint ─► deleted

A message is deleted only after what became of its recording is written down for good; until then
it comes again. What is no event of this run's jobs is left where it is: it may be another run's.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import PipelineError, first_of
from pipeline.events.message import ended_job
from pipeline.events.queue import BATCH
from pipeline.events.trust import EventTrust, pause
from pipeline.naming import parse_job_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.events.queue import EventQueue, Message
    from pipeline.model import Job

_WAIT, _SHORT_WAIT = 20, 1  # seconds that a Receive call waits for a message; 20 is SQS's longest
_MOST_HELPERS = 3
_DELETE_SECONDS = 20.0
_REMEMBERED = 10_000
_OLD_SECONDS = 900.0
_AGAIN_SECONDS = 60.0
_AT_THE_END_SECONDS = 1.0
_STRANGERS = 200


class Clock(Protocol):
    """How long a job takes, in seconds; None while none has ended."""

    typical_seconds: float | None


class WaitingJobs(Protocol):
    """What the listener tells, and asks, of the run's jobs."""

    @property
    def clock(self) -> Clock:
        """How long jobs take."""

    @property
    def on_recorded(self) -> list[Callable[[str], None]]:
        """Who is told the name of each job whose end is written down for good."""

    def on_event(self, name: str) -> Job | None:
        """The job has ended; None where nobody waits for it."""

    def still_running(self, job: Job) -> None:
        """The job is waited for again."""

    def note(self, sentence: str) -> None:
        """Say, once, that something goes another way than was asked for."""


class Listener:
    """The events of one run; `trust` says how far to rely on them.

    With `resumed` some jobs were left in flight by an earlier run, and may have ended while nobody
    listened.
    """

    def __init__(
        self,
        queue: EventQueue,
        name_prefix: str,
        jobs: WaitingJobs,
        finished: asyncio.Queue[Job],
        *,
        resumed: bool,
    ) -> None:
        now = asyncio.get_running_loop().time()
        self.trust = EventTrust(-math.inf if resumed else now)
        self._jobs = jobs
        self._queue = queue
        self._name_prefix = name_prefix
        self._finished = finished
        self._held: dict[str, dict[str, str]] = {}
        self._recorded: dict[str, None] = {}
        self._deletable: list[str] = []
        self._helpers = 0
        self._strangers = 0
        jobs.on_recorded.append(self._on_recorded)

    async def begin(self) -> None:
        """Look into the queue once.

        Raises:
            CannotRun: it can't be used.
        """
        self._queue.check()
        await self._receive(0)

    async def listen(self) -> None:
        """Receive and delete until cancelled; while the queue is lost the run goes on by listing.

        It is tried again every minute. The last thing is to delete what the writer's last
        checkpoint has settled; where that takes too long, it comes to the next run.
        """
        try:
            while True:
                await self._listen()
                await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            with suppress(PipelineError, TimeoutError):
                async with asyncio.timeout(_AT_THE_END_SECONDS):
                    while self._deletable:
                        await self._delete()

    async def _listen(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive_always(group))
                group.create_task(self._delete_always())
        except* PipelineError as errors:
            self.trust.lost()
            self._jobs.note(f"{first_of(errors)} The run goes on by listing its jobs.")

    # Receiving

    async def _receive_always(self, group: asyncio.TaskGroup) -> None:
        while True:
            count = await self._receive(_WAIT)
            if count < BATCH or self._strangers:
                await asyncio.sleep(pause(self._jobs.clock.typical_seconds))
            elif self._helpers < _MOST_HELPERS:
                self._helpers += 1
                group.create_task(self._help())

    async def _help(self) -> None:
        """There was more in the queue than one call brings: receive beside the others."""
        try:
            while await self._receive(_SHORT_WAIT) == BATCH:
                pass
        finally:
            self._helpers -= 1

    async def _receive(self, seconds: int) -> int:
        """Receive once; return how many messages there were."""
        messages = await self._queue.receive(seconds)
        self.trust.found()
        ours = [(message, name) for message in messages if (name := self._job_of(message))]
        self._count_strangers(len(messages) - len(ours), len(ours))
        ended = [job for message, name in ours if (job := self._on_event(message, name))]
        try:
            while ended:
                await self._finished.put(ended[0])
                del ended[0]
        finally:
            for job in ended:  # the queue was lost meanwhile: a listing finds them
                self._jobs.still_running(job)
        return len(messages)

    def _job_of(self, message: Message) -> str | None:
        """The name of the job that the message is about, if it may be one of ours."""
        name = ended_job(message.body)
        return name if name and parse_job_name(self._name_prefix, name) else None

    def _on_event(self, message: Message, name: str) -> Job | None:
        """Take note of an event; return the job if it was waited for."""
        self.trust.on_event()
        job = self._jobs.on_event(name)
        if job is not None:
            self._recorded.pop(name, None)  # it was started once more
            self._held.setdefault(name, {})
        if name in self._held:
            self._held[name][message.id] = message.handle  # the newest handle is the one that holds
        elif name in self._recorded or _is_old(message):
            self._deletable.append(message.handle)
        return job

    def _count_strangers(self, strangers: int, ours: int) -> None:
        """Say once that the queue holds little but what is not this run's."""
        self._strangers = 0 if ours else self._strangers + strangers
        if self._strangers > _STRANGERS:
            self._jobs.note(
                f"The queue {self._queue.url} holds messages that are not about this run's jobs; "
                "they are left there. `transcribe-pipeline events setup SOURCE` makes a queue for "
                "the jobs of one bucket alone."
            )

    # Deleting

    def _on_recorded(self, name: str) -> None:
        self._deletable.extend(self._held.pop(name, {}).values())
        self._recorded[name] = None
        if len(self._recorded) > _REMEMBERED:
            del self._recorded[next(iter(self._recorded))]

    async def _delete_always(self) -> None:
        """Delete by the ten; what is less than that waits a while for more."""
        clock = asyncio.get_running_loop().time
        since = clock()
        while True:
            await asyncio.sleep(1)
            while len(self._deletable) >= BATCH:
                await self._delete()
                since = clock()
            if not self._deletable:
                since = clock()
            elif clock() - since >= _DELETE_SECONDS:
                await self._delete()

    async def _delete(self) -> None:
        handles = self._deletable[:BATCH]
        await self._queue.delete(handles)
        del self._deletable[: len(handles)]


def _is_old(message: Message) -> bool:
    """Whether nobody waits for it any more: what it told of was found in another way long ago."""
    return message.sent is not None and time.time() - message.sent > _OLD_SECONDS
