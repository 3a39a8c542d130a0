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
from pipeline.label_studio.batch import Delivery
from pipeline.label_studio.copies import Copies
from pipeline.label_studio.push_ledger import project_key
from pipeline.label_studio.task_lines import batches, named, parts_of
from pipeline.tasks.recording_parts import whole_of
from pipeline.text import count_of, printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from pipeline.label_studio.batch import Found, PushStats
    from pipeline.label_studio.client import Client
    from pipeline.label_studio.push_ledger import Place, PushLedger
    from pipeline.label_studio.rounds import EarlierTasks
    from pipeline.label_studio.schema import TaskRow
    from pipeline.label_studio.task_lines import TaskLine
    from pipeline.tasks.recording_parts import Part

    Take = Callable[[list[TaskLine], Callable[[str], None]], Awaitable[None]]

_SETTLING_SECONDS = 100.0
"""How long a batch may take at the server after nobody waits for it any more. It takes under a
second; where another writer has locked SQLite the server sleeps 3 s, then 6, 12, 24 and 48."""

_LOOK_SECONDS = 0.5

_ENOUGH_REFUSED = 20
"""So many refusals and not one task that was taken: it is not the tasks. Nor are more named."""


class Deliveries:
    """The way of one output into one project, which has `held` tasks; `place` is how far it is."""

    def __init__(
        self, earlier: EarlierTasks, ledger: PushLedger, place: Place, stats: PushStats
    ) -> None:
        client, project = earlier.client, earlier.project
        self.earlier = earlier
        self._client = client
        self._project = project
        self._ledger = ledger
        self.place = place
        self.stats = stats
        self.held = project.task_number or 0
        self._address = f"{client.url}/projects/{project.id}"
        self._key = project_key(self._address, project.created_at)

    async def complete(
        self,
        lines: Iterable[TaskLine],
        show: Callable[[int], None],
        tell: Callable[[str], None],
        take: Take | None = None,
    ) -> None:
        """Send what is not there yet; tasks that need no review are skipped.

        Args:
            lines: the tasks.
            show: gets the count of those that are settled.
            tell: gets a sentence when something takes long.
            take: has a batch delivered; `deliver` itself where there is one project.

        Raises:
            CannotRun: the server takes no task, or does not answer; the next push goes on.
        """
        before = self.stats.done
        waiting = batches(self._for_review(lines))
        while (batch := await asyncio.to_thread(next, waiting, None)) is not None:
            await (take or self.deliver)(batch, tell)
            show(self.stats.done - before)

    async def deliver(self, batch: list[TaskLine], tell: Callable[[str], None]) -> None:
        """Have the tasks of a batch there, and go on behind it the next time."""
        await self.settle(batch, tell)
        self.go_on_behind(batch)

    async def settle(self, batch: list[TaskLine], tell: Callable[[str], None]) -> None:
        """Have the tasks of a batch there."""
        delivery, before = Delivery(batch, tell), self.stats.tasks_sent
        await self._client.retried(self._deliver, delivery)
        if self.place.sound:
            copying = Copies(self.earlier).complete(batch, self.place.copied, self._keep)
            self.stats.count_copies(*await copying)
        delivery.count(self.stats)
        self.held += self.stats.tasks_sent - before
        taken = len(batch) - len(delivery.refused)
        self._keep(tasks=self.place.tasks + taken, sent_at=0.0)

    def go_on_behind(self, batch: list[TaskLine]) -> None:
        """Remember that everything up to the end of a batch is settled."""
        self._keep(size=batch[-1].end)

    def _for_review(self, lines: Iterable[TaskLine]) -> Iterable[TaskLine]:
        selection = self.place.selection
        for line in lines:
            if selection.is_for_review(line):
                self.stats.audited += selection.is_audited(line)
                yield line._replace(content=selection.content(line))
            else:
                self.stats.good += 1

    async def _deliver(self, delivery: Delivery) -> None:
        """Make sure that the tasks of a batch are there; may be called again after any failure."""
        await wait_for_sent(self._client, self._project.id, self.place, delivery.tell)
        found = await self._look_up(delivery)
        missing = delivery.without(found)
        known = delivery.renewed, delivery.kept, delivery.lacking
        tasks = await self.earlier.renew(missing, *known)
        counted = [await self._sent(delivery, some) for some in batches(tasks)]
        if not all(counted):
            found = await self._look_up(delivery)
        await self._mend(delivery.batch, found)
        await self._mark(delivery.batch, found)

    async def _look_up(self, delivery: Delivery) -> Found:
        """The tasks of a batch that are there, by their job ids and parts."""
        job_ids = list({line.job_id: None for line in delivery.batch})
        found: Found = {}
        for row in await self._client.find_tasks(self._project.id, job_ids):
            found.setdefault(row.data.job_id, {}).setdefault(row.part, []).append(row)
        if not delivery.looked_up:
            missing = {line.job_id for line in delivery.without(found)}
            delivery.looked_up, delivery.there_before = True, found.keys() - missing
            delivery.known = {part for parts in found.values() for part in parts}
            self.stats.doubled += sum(map(_too_many, found.values()))
        return found

    async def _sent(self, delivery: Delivery, lines: list[TaskLine]) -> bool:
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
        taken = {line.part for line in lines if line.part}
        delivery.known |= taken
        delivery.taken |= taken
        return counted

    def _refuse(self, delivery: Delivery, line: TaskLine, refusal: TasksRefused) -> None:
        """Note a task that the server does not take.

        Raises:
            TasksRefused: so many were refused and none was taken that it is not the tasks.
        """
        delivery.refused.add(line.job_id)
        sentence = f"Refused: {line.job_id} ({line.data.get('audio')}). {refusal}"
        refused = self.stats.refused + len(delivery.refused)
        taken = self.stats.sent or delivery.taken
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
        sent = lines[0].job_id, lines[0].part.number if lines[0].part else 1
        self._keep(sent_at=time.time(), sent=sent)
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

    async def _mend(self, batch: list[TaskLine], found: Found) -> None:
        """Add the predictions that tasks lack which are there."""
        bare = [
            (rows[0].id, parts_of(line, part.cuts)[part.number - 1])
            for line in batch
            for part, rows in found.get(line.job_id, {}).items()
            if rows[0].total_predictions == 0
        ]
        wanted = [each for task, line in bare for each in _predictions(task, self._content(line))]
        if not wanted:
            return
        added = await self._client.import_predictions(self._project.id, wanted)
        if added != len(wanted):
            lacking = count_of(len(wanted), "prediction")
            raise Unavailable(f"{self._address} took {added:,} of {lacking} that tasks lack")
        self.stats.mended += len(bare)

    async def _mark(self, batch: list[TaskLine], found: Found) -> None:
        """Say of tasks that are there already that they are of the audit now."""
        audited = (line.job_id for line in batch if self.place.selection.is_audited(line))
        for row in (rows[0] for name in audited for rows in found.get(name, {}).values()):
            meta = row.meta or {}
            if not meta.get("audit"):
                body = orjson.dumps({"meta": meta | {"audit": True}})
                await self._client.ask("PATCH", f"tasks/{row.id}/", None, body)

    def _keep(self, **changes: Any) -> None:
        self.place = msgspec.structs.replace(self.place, **changes)
        self._ledger.keep(self._key, self.place)


async def wait_for_sent(
    client: Client, project: int, place: Place, tell: Callable[[str], None]
) -> bool:
    """Wait until a batch that was sent without an answer has arrived, or can't any more.

    What a look at the project lacks before that may be on its way. The server takes all of a batch
    or none, so its first task tells of the others.

    Returns:
        Whether there was such a batch.
    """
    if not unsettled(place.sent_at, time.time()):
        return False
    job_id, part = place.sent
    if job_id and await _has_task(client, project, job_id, part):
        return True
    tell(
        "The answer to a batch of tasks was lost on the way: looking whether they arrive, for up "
        f"to {place.sent_at + _SETTLING_SECONDS - time.time():.0f} s, before more are sent."
    )
    while unsettled(place.sent_at, time.time()):
        await asyncio.sleep(_LOOK_SECONDS)
        if job_id and await _has_task(client, project, job_id, part):
            break
    return True


async def _has_task(client: Client, project: int, job_id: str, part: int) -> bool:
    rows = await client.find_tasks(project, [job_id])
    return any(row.part.number == part for row in rows)


def unsettled(sent_at: float, now: float) -> bool:
    """Whether a batch sent without an answer may still arrive; both in seconds since the epoch."""
    return 0 <= now - sent_at < _SETTLING_SECONDS


def _too_many(parts: Mapping[Part, Sequence[TaskRow]]) -> int:
    """How many tasks a recording has beside one of each part, and beside its parts."""
    most_cut_first = sorted(parts, key=lambda part: -part.total)
    return sum(map(len, parts.values())) - len(whole_of(most_cut_first) or parts)


def _predictions(task: int, content: bytes) -> list[dict[str, Any]]:
    found = orjson.loads(content).get("predictions", [])
    return [{"task": task, **prediction} for prediction in found]
