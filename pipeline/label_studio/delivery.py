"""Batches of tasks into a project, so that each task is there once with its prediction.

One batch after another: look up which of its tasks are there, send those that are not, count the
predictions, add those that are missing, remember the place. Label Studio knows no duplicates, and
its database loses predictions when two writers meet (1.23 on SQLite answers 201 with
`prediction_count` 0); so nothing is believed that was not looked up or counted.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pipeline.errors import CannotRun, TasksRefused, Throttled, Unavailable
from pipeline.label_studio.copies import Copies, NotCopied, not_copied
from pipeline.label_studio.push_ledger import project_key
from pipeline.label_studio.task_lines import batches, named
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from pipeline.label_studio.push_ledger import Place, PushLedger
    from pipeline.label_studio.rounds import EarlierTasks
    from pipeline.label_studio.schema import TaskRow
    from pipeline.label_studio.task_lines import TaskLine

_SETTLING_SECONDS = 100.0
"""How long a batch may take at the server after nobody waits for it any more. It takes under a
second; where another writer has locked SQLite the server sleeps 3 s, then 6, 12, 24 and 48."""

_LOOK_SECONDS = 0.5

_ENOUGH_REFUSED = 20
"""So many refusals and not one task that was taken: it is not the tasks. Nor are more named."""


class PushStats(msgspec.Struct):
    """Counts of tasks.

    `sent` are new in the project, `there` were in it already, `renewed` are of an earlier round and
    have the new prediction, `reviewed` are of one and stay, `mended` lacked their prediction,
    `doubled` stand in it more than once, and `good` were not for review; `audited` are those of the
    others that are reviewed for the audit alone. `refused` ones the server does not take, `copied`
    recordings it has a copy of now, and `unheard` ones it has none of that it should have;
    `refusals` says of the first twenty refused and unheard which they are, and why.
    """

    sent: int = 0
    there: int = 0
    renewed: int = 0
    reviewed: int = 0
    mended: int = 0
    doubled: int = 0
    good: int = 0
    audited: int = 0
    refused: int = 0
    copied: int = 0
    unheard: int = 0
    refusals: list[str] = msgspec.field(default_factory=list)

    @property
    def done(self) -> int:
        """How many tasks are settled."""
        settled = self.sent + self.there + self.renewed + self.reviewed
        return settled + self.good + self.refused


class Deliveries:
    """The way of one output into one project."""

    def __init__(
        self, earlier: EarlierTasks, ledger: PushLedger, place: Place, stats: PushStats
    ) -> None:
        client, project = earlier.client, earlier.project
        self._earlier = earlier
        self._client = client
        self._project = project
        self._ledger = ledger
        self._place = place
        self.stats = stats
        self._address = f"{client.url}/projects/{project.id}"
        self._key = project_key(self._address, project.created_at)

    async def complete(
        self, lines: Iterable[TaskLine], show: Callable[[int], None], tell: Callable[[str], None]
    ) -> None:
        """Send what is not there yet; tasks that need no review are skipped.

        Args:
            lines: the tasks.
            show: gets the count of those that are settled.
            tell: gets a sentence when something takes long.

        Raises:
            CannotRun: the server takes no task, or does not answer; the next push goes on.
        """
        before = self.stats.done
        waiting = batches(self._for_review(lines))
        while (batch := await asyncio.to_thread(next, waiting, None)) is not None:
            delivery = _Delivery(batch, tell)
            await self._client.retried(self._deliver, delivery)
            if self._place.sound:
                await self._copy(batch)
            delivery.count(self.stats)
            tasks = self._place.tasks + len(batch) - len(delivery.refused)
            self._keep(size=batch[-1].end, tasks=tasks, sent_at=0.0)
            show(self.stats.done - before)

    def _for_review(self, lines: Iterable[TaskLine]) -> Iterable[TaskLine]:
        selection = self._place.selection
        for line in lines:
            if selection.is_for_review(line):
                self.stats.audited += selection.is_audited(line)
                yield line._replace(content=selection.content(line))
            else:
                self.stats.good += 1

    async def _deliver(self, delivery: _Delivery) -> None:
        """Make sure that the tasks of a batch are there; may be called again after any failure."""
        found = await self._look_up(delivery)
        missing = delivery.without(found)
        if missing and self._place.sent_at:
            found = await self._settled(delivery)
            missing = delivery.without(found)
        missing = await self._earlier.renew(missing, delivery.renewed, delivery.kept)
        if missing and not await self._sent(delivery, missing):
            found = await self._look_up(delivery)
        await self._mend(delivery.batch, found)
        await self._mark(delivery.batch, found)

    async def _look_up(self, delivery: _Delivery) -> dict[str, TaskRow]:
        """The tasks of a batch that are there, by their job ids."""
        job_ids = list({line.job_id: None for line in delivery.batch})
        rows = await self._client.find_tasks(self._project.id, job_ids)
        found = {row.data.job_id: row for row in reversed(rows)}  # of doubled ones the first
        if not delivery.looked_up:
            delivery.looked_up, delivery.there_before = True, set(found)
            delivery.known = set(found)
            self.stats.doubled += len(rows) - len(found)
        return found

    async def _settled(self, delivery: _Delivery) -> dict[str, TaskRow]:
        """Look until a batch that was sent without an answer has arrived, or can't any more."""
        left = self._place.sent_at + _SETTLING_SECONDS - time.time()
        if unsettled(self._place.sent_at, time.time()):
            delivery.tell(
                f"The answer to {len(delivery.batch):,} tasks was lost on the way: looking whether "
                f"they arrive, for up to {left:.0f} s, before they are sent again."
            )
        while unsettled(self._place.sent_at, time.time()):
            found = await self._look_up(delivery)
            if found.keys() > delivery.known:
                return found
            await asyncio.sleep(_LOOK_SECONDS)
        return await self._look_up(delivery)

    async def _sent(self, delivery: _Delivery, lines: list[TaskLine]) -> bool:
        """Send tasks; whether all predictions of those that were taken were counted.

        The server takes all or none, and does not say which ones it means: a refusal is narrowed
        down by halves, and the others are sent.
        """
        try:
            counted = await self._imported(lines)
        except TasksRefused as refusal:
            if not lines[1:]:
                self._refuse(delivery, lines[0], refusal)
                return True
            middle = len(lines) // 2
            halves = [await self._sent(delivery, each) for each in (lines[:middle], lines[middle:])]
            return all(halves)
        delivery.known |= {line.job_id for line in lines}
        return counted

    def _refuse(self, delivery: _Delivery, line: TaskLine, refusal: TasksRefused) -> None:
        """Note a task that the server does not take.

        Raises:
            TasksRefused: so many were refused and none was taken that it is not the tasks.
        """
        delivery.refused.add(line.job_id)
        sentence = f"Refused: {line.job_id} ({line.data.get('audio')}). {refusal}"
        refused = self.stats.refused + len(delivery.refused)
        taken = self.stats.sent or delivery.known > delivery.there_before
        if refused >= _ENOUGH_REFUSED and not taken:
            raise TasksRefused(
                f"None of the first {refused} tasks is taken. The last, {line.job_id} "
                f"({line.data.get('audio')}): {refusal.problem}",
                refusal.advice,
                action=refusal.action,
                message=refusal.message,
            )
        if refused <= _ENOUGH_REFUSED:
            self.stats.refusals.append(printable(sentence))

    async def _imported(self, lines: list[TaskLine]) -> bool:
        """Send tasks, all or none; whether all of their predictions were counted."""
        self._keep(sent_at=time.time())
        try:
            answer = await self._client.import_tasks(
                self._project.id, [self._content(line) for line in lines]
            )
        except (CannotRun, Throttled):  # nothing was taken: it may be sent again at once
            self._keep(sent_at=0.0)
            raise
        return answer.prediction_count == sum(len(line.predictions) for line in lines)

    def _content(self, line: TaskLine) -> bytes:
        return named(line, self._project.model_version or "")

    async def _mend(self, batch: list[TaskLine], found: dict[str, TaskRow]) -> None:
        """Add the predictions that tasks lack which are there."""
        bare = [
            (found[line.job_id].id, line)
            for line in batch
            if line.job_id in found and found[line.job_id].total_predictions == 0
        ]
        wanted = [each for task, line in bare for each in _predictions(task, self._content(line))]
        if not wanted:
            return
        added = await self._client.import_predictions(self._project.id, wanted)
        if added != len(wanted):
            raise Unavailable(
                f"{self._address} took {added} of {len(wanted)} predictions that tasks lack"
            )
        self.stats.mended += len(bare)

    async def _mark(self, batch: list[TaskLine], found: dict[str, TaskRow]) -> None:
        """Say of tasks that are there already that they are of the audit now."""
        for line in batch:
            row = found.get(line.job_id)
            meta = (row.meta or {}) if row else {}
            if row and self._place.selection.is_audited(line) and not meta.get("audit"):
                body = orjson.dumps({"meta": meta | {"audit": True}})
                await self._client.ask("PATCH", f"tasks/{row.id}/", None, body)

    async def _copy(self, batch: list[TaskLine]) -> None:
        """Have the recordings of a batch heard which lie on this machine."""
        copies = Copies(self._earlier)
        for line, rows in await copies.missing(batch):
            try:
                if self._place.copied[0] != line.recording:
                    self._keep(copied=(line.recording, await copies.copy(line)))
            except NotCopied as why:
                self.stats.unheard += 1
                if self.stats.unheard <= _ENOUGH_REFUSED:
                    self.stats.refusals.append(not_copied(line, why))
                continue
            await copies.tell(line, rows, self._place.copied[1])
            self.stats.copied += 1

    def _keep(self, **changes: Any) -> None:
        self._place = msgspec.structs.replace(self._place, **changes)
        self._ledger.keep(self._key, self._place)


def unsettled(sent_at: float, now: float) -> bool:
    """Whether a batch sent without an answer may still arrive; both in seconds since the epoch."""
    return 0 <= now - sent_at < _SETTLING_SECONDS


class _Delivery:
    """A batch on its way, by job ids.

    `there_before` are those that the first look found, `known` these and what was taken since,
    `renewed` those whose recordings had a task, `kept` those whose recordings are reviewed, and
    `refused` those that the server does not take.
    """

    def __init__(self, batch: list[TaskLine], tell: Callable[[str], None]) -> None:
        self.batch = batch
        self.tell = tell
        self.looked_up = False
        self.there_before: set[str] = set()
        self.known: set[str] = set()
        self.renewed: set[str] = set()
        self.kept: set[str] = set()
        self.refused: set[str] = set()

    def count(self, stats: PushStats) -> None:
        """Add what became of the batch."""
        others = self.there_before | self.renewed | self.kept | self.refused
        stats.there += len(self.there_before - self.renewed)
        stats.renewed += len(self.renewed)
        stats.reviewed += len(self.kept)
        stats.refused += len(self.refused)
        stats.sent += len(self.batch) - len(others)

    def without(self, found: Container[str]) -> list[TaskLine]:
        """The tasks that are to be sent."""
        return [
            line
            for line in self.batch
            if line.job_id not in found and line.job_id not in self.refused
        ]


def _predictions(task: int, content: bytes) -> list[dict[str, Any]]:
    found = orjson.loads(content).get("predictions", [])
    return [{"task": task, **prediction} for prediction in found]
