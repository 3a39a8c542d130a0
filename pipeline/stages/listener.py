"""Beside the third stage: receive the events that tell which jobs have ended.

    queue ─► receivers ─► slot freed, job to the collectors ─► ... ─► checkpoint ─► deleted

A message is deleted only after what became of its recording is written down for good; until then
it comes again. What is no event of this run's jobs is left where it is: it may be another run's.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError, first_of
from pipeline.events.message import EventTrust, ended_job, pause
from pipeline.events.queue import BATCH
from pipeline.naming import parse_job_name

if TYPE_CHECKING:
    from pipeline.events.queue import EventQueue, Message
    from pipeline.model import Job
    from pipeline.stages.job_tracker import JobTracker

_WAIT, _SHORT_WAIT = 20, 1  # seconds that a Receive call waits for a message; 20 is SQS's longest
_MOST_HELPERS = 3
_DELETE_SECONDS = 20.0
_REMEMBERED = 10_000
_OLD_SECONDS = 900.0
_AGAIN_SECONDS = 60.0
_AT_THE_END_SECONDS = 1.0
_STRANGERS = 200


class Listener:
    """The events of one run."""

    def __init__(
        self, tracker: JobTracker, queue: EventQueue, tag: str, finished: asyncio.Queue[Job]
    ) -> None:
        self._board = tracker
        # What an earlier run left in flight may have ended while nobody listened.
        now = asyncio.get_running_loop().time()
        self._reliance = EventTrust(-math.inf if tracker.figures.resumed else now)
        self._queue = queue
        self._tag = tag
        self._finished = finished
        self._held: dict[str, dict[str, str]] = {}
        self._settled: dict[str, None] = {}
        self._deletable: list[str] = []
        self._helpers = 0
        self._strangers = 0
        tracker.event_trust = self._reliance
        tracker.on_settled = self._on_settled

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
            self._reliance.lost()
            self._board.note(f"{first_of(errors)} The run goes on by listing its jobs.")

    # Receiving

    async def _receive_always(self, group: asyncio.TaskGroup) -> None:
        while True:
            count = await self._receive(_WAIT)
            if count < BATCH or self._strangers:
                await asyncio.sleep(pause(self._board.typical_seconds))
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
        self._reliance.found()
        ours = [(message, name) for message in messages if (name := self._job_of(message))]
        self._count_strangers(len(messages) - len(ours), len(ours))
        ended = [job for message, name in ours if (job := self._told(message, name))]
        try:
            while ended:
                await self._finished.put(ended[0])
                del ended[0]
        finally:
            for job in ended:  # the queue was lost meanwhile: a listing finds them
                self._board.still_running(job)
        return len(messages)

    def _job_of(self, message: Message) -> str | None:
        """The name of the job that the message is about, if it may be one of ours."""
        name = ended_job(message.body)
        return name if name and parse_job_name(self._tag, name) else None

    def _told(self, message: Message, name: str) -> Job | None:
        """Take note of an event; return the job if it was waited for."""
        self._reliance.told += 1
        job = self._board.told(name)
        if job is not None:
            self._settled.pop(name, None)  # it was started once more
            self._held.setdefault(name, {})
        if name in self._held:
            self._held[name][message.id] = message.handle  # the newest handle is the one that holds
        elif name in self._settled or _is_old(message):
            self._deletable.append(message.handle)
        return job

    def _count_strangers(self, strangers: int, ours: int) -> None:
        """Say once that the queue holds little but what is not this run's."""
        self._strangers = 0 if ours else self._strangers + strangers
        if self._strangers > _STRANGERS:
            self._board.note(
                f"The queue {self._queue.url} holds messages that are not about this run's jobs; "
                "they are left there. `transcribe-pipeline events setup SOURCE` makes a queue for "
                "the jobs of one bucket alone."
            )

    # Deleting

    def _on_settled(self, name: str) -> None:
        self._deletable.extend(self._held.pop(name, {}).values())
        self._settled[name] = None
        if len(self._settled) > _REMEMBERED:
            del self._settled[next(iter(self._settled))]

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
