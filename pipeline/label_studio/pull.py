"""Corrected annotations ─► `ground_truth.jsonl`; only what changed since the last time.

Where it was is computed, never remembered: the newest `updated_at` in the file itself. A task that
changed later has all its lines replaced by those of its present annotations. That a task itself was
deleted the server tells nobody, so the counts are compared, and where they differ everything is
pulled once.

What an answer leaves out is not therefore gone. Lines are removed where the server says that there
is no annotation, or where it gave out as many as it counts; else they stay, and that is told.

The tasks are listed by number and fetched by number, some at a time (`exportType=JSON`, the one
export in which each annotation carries the prediction that it began from; measured with 1.23: as
quick for 50 numbers a call as for the whole project at once, and memory does not grow with it).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import Denied, ServiceUnreachable, Unavailable
from pipeline.ground_truth.store import standing, updating
from pipeline.ground_truth.waiting_parts import keep_waiting_parts, waiting_parts
from pipeline.label_studio.annotations import is_named_as_part, reviews, says_nothing
from pipeline.label_studio.client import tasks_query
from pipeline.label_studio.cut_recordings import CutRecordings, Reviewed
from pipeline.label_studio.filters import skipped_filter
from pipeline.label_studio.schema import Changed, Page
from pipeline.terminal import counted
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth
    from pipeline.ground_truth.store import Changes, Standing, Update
    from pipeline.ground_truth.waiting_parts import ByJob
    from pipeline.label_studio.client import Client
    from pipeline.terminal import Style

_AT_ONCE = 20
_SHOWN = 10
_MOST_TOLD = 1_000
_OVERLAP = timedelta(minutes=10)
"""What was saved earlier may be seen later: a locked database makes writers wait for up to 45 s."""


class PullOptions(NamedTuple):
    """What is to be done.

    `path` is the ground truth, in which other projects' lines stay as they are; `whole` takes every
    annotation, not only what changed; `prefer` is as of `rank`, among the reviews of one part.
    """

    project: int
    path: Path
    whole: bool
    style: Style
    prefer: Sequence[str] = ()


async def pull(client: Client, options: PullOptions) -> Changes:
    """Bring the file up to date with a project's annotations.

    Raises:
        OutputUnusable: the file can't be read or written.
        CannotRun: the server can't be asked.
    """
    pulling = Pulling(client, options)
    changes = await pulling.take(whole=options.whole)
    settled = options.whole or changes.unread or changes.doubt
    if not (settled or await pulling.is_complete()):
        changes = changes.then(await pulling.take(whole=True))
    query = tasks_query(options.project, "id,total_annotations", skipped_filter())
    skipped = await client.retried(client.get, Page[Changed], "tasks", query)
    changes.skipped, changes.skipped_total = [task.id for task in skipped.tasks], skipped.total
    return changes


class Pulling:
    """One project on its way into one file."""

    def __init__(self, client: Client, options: PullOptions) -> None:
        self._client = client
        self._project = options.project
        self._prefer = options.prefer
        self._path = options.path
        self._style = options.style
        self._url = f"{client.url}/projects/{options.project}"
        self._expected: int | None = None
        self._unread: list[int] = []
        self._withheld: list[int] = []
        self._empty: list[int] = []
        self._split: list[int] = []
        self._named_as_parts: set[int] = set()
        self._put = 0
        self._waiting: ByJob = {}

    async def take(self, *, whole: bool) -> Changes:
        """Take what changed since the newest line of the file, or everything."""
        people = await self._people()
        self._expected = await self._annotations()
        self._unread, self._withheld, self._empty, self._put = [], [], [], 0
        with updating(self._path) as update:
            have = standing(self._path, self._url)
            since = "" if whole else _earlier(have.updated_at)
            cut = self._cut_recordings(have, since)
            await self._take_changed(since, cut, people, update)
            self._put += await cut.put(partial(self._reviews, people), update)
            self._split = cut.split
            doubt = await self._doubt(whole=not since)
            every_task_put = not (since or self._unread or doubt)
            changes = update.commit(whole=self._url if every_task_put else "")
            keep_waiting_parts(self._path, self._url, cut.waiting, cut.seen)
        self._waiting = cut.waiting
        changes.unread, changes.doubt, changes.given = self._unread, doubt, self._put
        changes.empty = self._empty
        changes.unknown_parts = sorted(
            task for each in cut.waiting.values() if not each.parts for task in each.tasks
        )
        lacking = [each for each in cut.waiting.values() if each.reviewed < each.parts]
        changes.incomplete = len(lacking)
        tasks = sorted(n for each in lacking for n in each.tasks)
        changes.to_review, changes.to_review_total = tasks[:_MOST_TOLD], len(tasks)
        return changes

    def _cut_recordings(self, have: Standing, since: str) -> CutRecordings:
        """Those of the project, with what was noted of them."""
        project = Reviewed(self._project, self._url, self._prefer, whole=not since)
        waiting = waiting_parts(self._path, self._url)
        return CutRecordings(self._client, project, have.in_parts, waiting)

    async def is_complete(self) -> bool:
        """Whether the file has as many annotations as the server, which others may add to."""
        waiting = sum(each.annotations for each in self._waiting.values())
        return await self._is_count(standing(self._path, self._url).annotations + waiting)

    async def _is_count(self, given: int) -> bool:
        """Whether the server counts so many annotations: now, when it was begun, or in between."""
        begun, now = self._expected, await self._annotations()
        return begun is not None and now is not None and given in range(*_between(begun, now))

    async def _doubt(self, *, whole: bool) -> str:
        """Why what the server left out is not known to be gone; "" where it left out nothing."""
        if self._withheld:
            return f"it counts annotations of {_counted(self._withheld)} that it does not give out"
        if self._split:
            have = "has" if len(self._split) == 1 else "have"
            return (
                f"{_counted(self._split)} {have} another job than the other tasks of their long "
                "recordings, as a push was interrupted there or still runs: run that push again"
            )
        if not whole or self._unread or await self._is_count(self._put):
            return ""
        expected = self._expected
        counted = (
            "does not count annotations"
            if expected is None
            else f"counts {count_of(expected, 'annotation')}"
        )
        return f"it {counted} and gives out {self._put:,}"

    async def _take_changed(
        self, since: str, cut: CutRecordings, people: dict[int, str], update: Update
    ) -> None:
        """Put the reviews of the changed tasks, some at a time."""
        page = await self._changed(0, since)
        done = 0
        with counted(self._style, page.total, "changed tasks") as show:
            while tasks := page.tasks:
                for begin in range(0, len(tasks), _AT_ONCE):
                    await self._fetch(tasks[begin : begin + _AT_ONCE], cut, people, update)
                    show(done + min(begin + _AT_ONCE, len(tasks)))
                done += len(tasks)
                page = await self._changed(tasks[-1].id, since)

    async def _changed(self, after: int, since: str) -> Page[Changed]:
        return await self._client.retried(self._client.changed_tasks, self._project, after, since)

    async def _fetch(
        self, tasks: list[Changed], cut: CutRecordings, people: dict[int, str], update: Update
    ) -> None:
        """Put the present reviews of some tasks; those of parts are put with the other parts'."""
        for task in tasks:
            if task.part.cuts:
                cut.note(task)
        found = await self._reviews(people, [task for task in tasks if not task.part.cuts])
        for number, lines in found.items():
            named = number in self._named_as_parts
            whole = [] if cut.note_unnamed(number, lines, named=named) else lines
            self._put += len(whole)
            update.put_task(self._url, number, whole)

    async def _reviews(
        self, people: dict[int, str], tasks: Sequence[Changed]
    ) -> dict[int, list[GroundTruth]]:
        """The present reviews of tasks, of those that are given out; some may have none left."""
        counts = {task.id: task.total_annotations for task in tasks}
        found: dict[int, list[GroundTruth]] = {each: [] for each in counts if not counts[each]}
        if annotated := [each for each in counts if counts[each]]:
            for task in await self._annotated(annotated):
                lines = reviews(task, self._url, people)
                if any(says_nothing(task, line) for line in lines):
                    self._empty.append(task["id"])
                if is_named_as_part(task):
                    self._named_as_parts.add(task["id"])
                if len(lines) >= counts[task["id"]]:
                    found[task["id"]] = lines
                await asyncio.sleep(0)  # a task of 1,000 segments takes 20 ms
        self._withheld += [each for each in counts if each not in (*found, *self._unread)]
        return found

    async def _annotated(self, ids: list[int]) -> list[dict[str, Any]]:
        """The tasks that the server can give out; one that it can't takes others along with it.

        The server (1.23) fails on a lone surrogate in a text, which some program has written.
        """
        try:
            return await self._client.retried(self._client.annotated_tasks, self._project, ids)
        except ServiceUnreachable as error:
            if not error.action:  # no answer at all, and none of the server's, is not of a task
                raise
            found = []
            try:
                await self._client.project(self._project)  # it answers, so it is these tasks
            except Unavailable:
                raise error from None
        for each in ids:
            try:
                found += await self._client.annotated_tasks(self._project, [each])
            except Unavailable:
                self._unread.append(each)
        return found

    async def _people(self) -> dict[int, str]:
        """The reviewers' addresses; a user who may not see them gets their numbers."""
        try:
            return await self._client.retried(self._client.people)
        except Denied:
            return {}

    async def _annotations(self) -> int | None:
        project = await self._client.retried(self._client.project, self._project)
        return project.total_annotations_number


def _counted(tasks: list[int]) -> str:
    """How many tasks, and their numbers."""
    more = ", ..." if len(tasks) > _SHOWN else ""
    return f"{count_of(len(tasks), 'task')} ({', '.join(map(str, tasks[:_SHOWN]))}{more})"


def _between(one: int, other: int) -> tuple[int, int]:
    """The bounds of a range with both ends in it."""
    return min(one, other), max(one, other) + 1


def _earlier(moment: str) -> str:
    """A moment a little before this one, as the server reads it; "" where it is none."""
    try:
        earlier = datetime.fromisoformat(moment) - _OVERLAP
    except ValueError:
        return ""
    return earlier.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
