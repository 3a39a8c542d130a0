"""Retention: the service forgets the jobs of what was written long ago, and their transcripts go.

A job is deleted only when it is certainly ours: its name is computed from the state file, and the
service says that its media is the recording (of earlier content: one of the bucket). Deleting is
slow by quota (5 a second unless raised), so it can be interrupted at any moment and gone on with.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.account import other_accounts
from pipeline.config.deadline import stop_in_time
from pipeline.errors import Deferred, JobMissing, first_of
from pipeline.model import JobStatus
from pipeline.naming import places_of_results
from pipeline.state.facts import accounts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Budget
    from pipeline.jobs.client import JobRecord, Transcriber
    from pipeline.naming import S3Uri
    from pipeline.state.cleanup import Cleaning, Cleanup, Due

    _Queue = asyncio.Queue[tuple[Cleanup, Transcriber, Due] | None]

_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_KEPT_SECONDS = 90 * 86_400
"""Then the service, in whichever account, has forgotten a job by itself."""
_AT_ONCE = 8
_ATTEMPTS = 3  # that a run makes by itself; of earlier content the state knows no number
_ENDED = {JobStatus.COMPLETED, JobStatus.FAILED}


def parse_age(text: str) -> int:
    """The seconds of an age such as 12h, 30d or 8w.

    Raises:
        ValueError: it is none.
    """
    match = _AGE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no age")
    return int(match[1]) * _SECONDS[match[2]]


class Left(StrEnum):
    """Why a job's record was left alone."""

    OTHER_MEDIA = "of other media"
    RUNNING = "still running"
    YOUNGER = "not that old"
    ELSEWHERE = "perhaps in another account"


class Cleaned(msgspec.Struct):
    """What was done; `deleted` and `gone` count job records, `results` objects of our buckets.

    `gone` were no longer there. `left` counts records that were left alone, by reason; of
    `deferred` recordings the service could not be asked, and the same command goes on with them.
    """

    deleted: int = 0
    gone: int = 0
    results: int = 0
    left: dict[str, int] = msgspec.field(default_factory=dict)
    deferred: int = 0


class Cleaner:
    """Deletes what is due, several jobs at once."""

    def __init__(  # the state files of a run, each with its account, and what is wanted of them
        self,
        states: Sequence[tuple[Cleanup, Transcriber]],
        s3: S3,
        what: Cleaning,
        told: Callable[[int], None],
    ) -> None:
        self._states = states
        self._s3 = s3
        self._what = what
        self._told = told
        self._seen = 0
        self._not_alone: set[Cleanup] = set()
        self.cleaned = Cleaned()

    async def clean(self, budget: Budget) -> None:
        """Delete until nothing is due any more.

        Raises:
            CannotRun: the service can't be reached, or does not allow it; what was done is noted.
            NoAccess: another account has the jobs, so that nothing would be found of them.
            BudgetSpent: the time of `--until` or `--max-hours` is over.
        """
        for state, transcriber in self._states:
            await self._look_at_accounts(state, transcriber)
        queue: _Queue = asyncio.Queue(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                deadline = group.create_task(stop_in_time(budget))
                group.create_task(self._feed(queue))
                workers = [group.create_task(self._work(queue)) for _ in range(_AT_ONCE)]
                await asyncio.gather(*workers)
                deadline.cancel()
        except BaseExceptionGroup as failed:
            raise first_of(failed) from failed

    async def _look_at_accounts(self, state: Cleanup, transcriber: Transcriber) -> None:
        """Whether other accounts may have jobs of this state, too.

        Raises:
            NoAccess: this one has none of them.
        """
        known = accounts_in(state.facts)
        if any(known) and state.count_due(self._what):
            jobs = f"The runs over {state.facts.value('source')} have their jobs"
            if other_accounts(jobs, known, await transcriber.account()):
                self._not_alone.add(state)

    async def _feed(self, queue: _Queue) -> None:
        for state, transcriber in self._states:
            for page in state.due(self._what):
                for each in page:
                    await queue.put((state, transcriber, each))
                await asyncio.sleep(0)
        for _ in range(_AT_ONCE):
            await queue.put(None)

    async def _work(self, queue: _Queue) -> None:
        while one := await queue.get():
            state, transcriber, due = one
            try:
                if await self._clean(state, transcriber, due):
                    state.note_cleaned(due, results_too=self._what.results_too)
            except Deferred:
                self.cleaned.deferred += 1
            self._seen += 1
            self._told(self._seen)

    async def _clean(self, state: Cleanup, transcriber: Transcriber, due: Due) -> bool:
        """Delete the records of all attempts; False where one was left alone."""
        whole = True
        places = state.facts.result_places() if self._what.results_too else []
        for attempt in range(1, (due.attempt or _ATTEMPTS) + 1):
            name = state.name_of(due.identity, attempt)
            left = None
            if not due.forgotten:
                left = await self._forget(transcriber, name, due, state)
            if left:
                self.cleaned.left[left] = self.cleaned.left.get(left, 0) + 1
                whole = False
                continue
            for place in places:
                await self._delete_results(place, name)
        return whole

    async def _forget(
        self, transcriber: Transcriber, name: str, due: Due, state: Cleanup
    ) -> Left | None:
        """Have the service forget one job, or say why not."""
        try:
            record = await transcriber.get(name)
        except JobMissing:
            if state in self._not_alone and due.written > time.time() - _KEPT_SECONDS:
                return Left.ELSEWHERE
            self.cleaned.gone += bool(due.key)
            return None
        if left := self._why_left(record, due, state.bucket):
            return left
        with suppress(JobMissing):  # by a call of ours whose answer was lost
            await transcriber.delete(name)
        self.cleaned.deleted += 1
        return None

    def _why_left(self, record: JobRecord, due: Due, bucket: str) -> Left | None:
        media = f"s3://{bucket}/{due.key}"
        ours = record.media_uri == media if due.key else record.media_uri.startswith(media)
        if not ours:
            return Left.OTHER_MEDIA
        if record.status not in _ENDED:
            return Left.RUNNING
        ended = record.ended or time.time()
        return Left.YOUNGER if not due.key and ended > self._what.before else None

    async def _delete_results(self, results: S3Uri, name: str) -> None:
        """Delete what the service wrote for the job below one place of ours."""
        for place in places_of_results(results, name):
            if await self._s3.look_up(place):
                await self._s3.delete(place)
                self.cleaned.results += 1
