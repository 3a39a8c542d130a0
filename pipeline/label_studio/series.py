"""Projects of one title, split at a size: "Calls", "Calls 2", "Calls 3".

They are filled one after the other. A recording that one of them has stays there, and is settled
there by a later round; what none of them has goes into the last one, and behind it into the next.
The tasks of a recording's parts stay together.
"""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from pipeline import terminal
from pipeline.errors import BadSettings
from pipeline.label_studio.delivery import Deliveries, wait_for_sent
from pipeline.label_studio.members import Mark, members_of, numbered
from pipeline.label_studio.playback import playback_advice
from pipeline.label_studio.projects import LONGEST_TITLE, create_project, have_two_reviewers
from pipeline.label_studio.push_ledger import project_key
from pipeline.label_studio.rounds import EarlierTasks
from pipeline.label_studio.task_lines import MOST_TASKS
from pipeline.tasks.recording_parts import cuts_of
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.push_ledger import Place, PushLedger
    from pipeline.label_studio.push_report import PushOptions, PushReport
    from pipeline.label_studio.schema import Project
    from pipeline.label_studio.task_lines import TaskLine

    Following = Callable[[Sequence[Deliveries]], Awaitable[list[Deliveries]]]

_MOST = 999


def check_split(title: str, size: int) -> None:
    """Refuse a split that can't be made.

    Raises:
        BadSettings: a batch of tasks is larger, or no number fits behind the title.
    """
    if 0 < size < MOST_TASKS:
        raise BadSettings(
            f"A project of {count_of(size, 'task')} is too small",
            f"Give --project-size {MOST_TASKS} or more; 0 is no bound.",
        )
    if size and len(numbered(title, _MOST)) > LONGEST_TITLE:
        raise BadSettings(
            f"No number fits behind the title {title!r}",
            f"Label Studio takes {LONGEST_TITLE} characters; give a shorter title.",
        )


class Opening:
    """Opens the projects that a push goes into; `title` is theirs, "" where there is one alone."""

    def __init__(
        self, client: Client, ledger: PushLedger, options: PushOptions, report: PushReport
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._options = options
        self._report = report
        self._tell = partial(terminal.tell, options.style)

    async def way(self, project: Project, place: Place) -> Deliveries:
        """The way into a project that is ready, in which nothing is on its way any more."""
        if overlap := self._options.config.label_studio.overlap:
            await have_two_reviewers(self._client, project, overlap)
        client = self._client
        if await client.retried(wait_for_sent, client, project.id, place, self._tell):
            now = await self._client.retried(self._client.project, project.id)
            project = msgspec.structs.replace(project, task_number=now.task_number)
        earlier = EarlierTasks(
            self._client,
            project,
            reviewed_too=self._options.reviewed_too,
            segments_per_task=self._options.config.label_studio.segments_per_task,
        )
        settled = msgspec.structs.replace(place, sent_at=0.0)
        return Deliveries(earlier, self._ledger, settled, self._report)

    async def ready(self, project: Project, place: Place) -> Deliveries:
        """The way into a project, once reviewers hear its recordings."""
        self._ledger.keep(project_key(self._address(project), project.created_at), place)
        aws = self._options.aws if place.made else None
        self._report.advice += await playback_advice(self._client, project, place.buckets, aws)
        return await self.way(project, place)

    async def behind(self, ways: Sequence[Deliveries]) -> list[Deliveries]:
        """The ways into the projects behind these: another push's, else a new one."""
        *_, full = ways
        title = full.place.title
        listed = await self._client.retried(self._client.projects)
        members = members_of(title, listed)
        known = {each.earlier.project.id for each in ways}
        others = [each.project.id for each in members if each.project.id not in known]
        if not others:
            number = max((each.number for each in members), default=len(ways)) + 1
            config = full.earlier.project.label_config
            made = await create_project(self._client, Mark(title, number), config)
            self._report.further.append(self._address(made))
            others = [made.id]
        return [await self._behind(full, each) for each in others]

    async def _behind(self, full: Deliveries, number: int) -> Deliveries:
        project = await self._client.retried(self._client.project, number)
        version = project.model_version or full.earlier.project.model_version
        shown = msgspec.structs.replace(project, model_version=version)
        place = msgspec.structs.replace(full.place, tasks=0, sent_at=0.0, sent=("", 0))
        return await self.ready(shown, place)

    def _address(self, project: Project) -> str:
        return f"{self._client.url}/projects/{project.id}"


class Series:
    """The ways of one output into the projects of a title, of which the last has room.

    `size` is how many tasks a project has at most, 0 any number, and `segments_per_task` where
    recordings are cut into several; `following` opens what is behind the projects of these ways.
    """

    def __init__(
        self,
        ways: Sequence[Deliveries],
        size: int,
        segments_per_task: int,
        following: Following,
    ) -> None:
        *self._full, self._last = ways
        self._size = size
        self._segments_per_task = segments_per_task
        self._following = following

    async def take(self, batch: list[TaskLine], tell: Callable[[str], None]) -> None:
        """Settle a batch, each task in the project that has its recording, else in one with room.

        Only the last project remembers how far it came: with it the next push goes on.
        """
        rest = batch
        for each in self._full:
            rest = await _others(each, rest, tell)
        while rest := await self._into_last(rest, tell):
            *more, last = await self._following([*self._full, self._last])
            for each in more:
                rest = await _others(each, rest, tell)
            self._full += [self._last, *more]
            self._last = last
        self._last.go_on_behind(batch)

    async def _into_last(
        self, lines: list[TaskLine], tell: Callable[[str], None]
    ) -> list[TaskLine]:
        """Settle what the last project has, and what it has room for; what goes behind it."""
        if self._room(lines) < len(lines):
            lines = await _others(self._last, lines, tell)
        room = self._room(lines)
        if room:
            await self._last.settle(lines[:room], tell)
        return lines[room:]

    def _room(self, lines: Sequence[TaskLine]) -> int:
        """For how many of the lines, from the first, the last project has room.

        A recording of more tasks than a project may have is in one alone.
        """
        if not self._size:
            return len(lines)
        held = self._last.held
        totals = accumulate((self._tasks(line) for line in lines), initial=held)
        fitting = sum(total <= self._size for total in totals) - (held <= self._size)
        return max(fitting, int(bool(lines) and not held))

    def _tasks(self, line: TaskLine) -> int:
        return len(cuts_of(line.content, self._segments_per_task)) + 1


async def _others(
    way: Deliveries, batch: list[TaskLine], tell: Callable[[str], None]
) -> list[TaskLine]:
    """Settle the tasks whose recordings a project has; those whose recordings it has not."""
    earlier = way.earlier
    known = await earlier.client.retried(earlier.known, batch) if batch else set[str]()
    if theirs := [line for line in batch if line.job_id in known]:
        await way.settle(theirs, tell)
    return [line for line in batch if line.job_id not in known]
