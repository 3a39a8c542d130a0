"""Projects of one title, split at a size: "Calls", "Calls 2", "Calls 3".

They are known by their titles alone, and filled one after the other. A recording that one of them
has stays there, and is settled there by a later round; what none of them has goes into the last
one, and behind it into the next.
"""

from __future__ import annotations

import re
from itertools import count, takewhile
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import BadSettings
from pipeline.label_studio.delivery import Deliveries
from pipeline.label_studio.playback import playback_advice
from pipeline.label_studio.projects import LONGEST_TITLE, create_project, have_two_reviewers
from pipeline.label_studio.push_ledger import project_key
from pipeline.label_studio.rounds import EarlierTasks
from pipeline.label_studio.task_lines import MOST_TASKS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.push_ledger import Place, PushLedger
    from pipeline.label_studio.push_report import PushOptions, PushReport
    from pipeline.label_studio.schema import Project
    from pipeline.label_studio.task_lines import TaskLine

_MOST = 999
_NUMBERED = re.compile("(.+) ([2-9]|[1-9][0-9]{1,2})", re.DOTALL)


def numbered(title: str, number: int) -> str:
    """The title of one of the projects, from 1."""
    return title if number == 1 else f"{title} {number}"


def base_of(title: str) -> str:
    """A title without the number behind it; "" where there is none from 2 to 999."""
    found = _NUMBERED.fullmatch(title)
    return found[1] if found else ""


async def titled_projects(client: Client, title: str) -> list[Project]:
    """The projects of a title, in the order in which they are filled.

    Raises:
        BadSettings: a title stands for several, a number is missing, or it is one of another's.
    """
    base = base_of(title)
    listed = await client.retried(client.projects_titled, base or title)
    if base and any(each.title == base for each in listed):
        raise one_of_several(f"{title!r}", base)
    found = _in_order(listed, title, client.url)
    return [await client.retried(client.project, each.id) for each in found]


async def title_of_several(client: Client, project: Project) -> str:
    """The title of several projects of which this is one; "" where it stands alone."""
    base = base_of(project.title)
    for title in filter(None, (base, project.title)):
        listed = await client.retried(client.projects_titled, title)
        known = _by_number(listed, title)
        run = list(takewhile(known.__contains__, count(1)))
        if run[1:] and any(project.id == each.id for number in run for each in known[number]):
            return title
    return ""


def one_of_several(name: str, title: str) -> BadSettings:
    """The refusal to fill one of the projects of a title alone."""
    return BadSettings(
        f"{name} is one of several projects that the tasks of {title!r} are split among",
        f"Give --create {title!r} to push and --title {title!r} to pull. If they have nothing to "
        "do with each other, rename one of them.",
    )


def _by_number(listed: Iterable[Project], title: str) -> dict[int, list[Project]]:
    found: dict[int, list[Project]] = {}
    for each in listed:
        if each.title == title:
            found.setdefault(1, []).append(each)
        elif base_of(each.title) == title:
            number = int(each.title.removeprefix(title))
            found.setdefault(number, []).append(each)
    return found


def _in_order(listed: Iterable[Project], title: str, url: str) -> list[Project]:
    """The projects of a title, of which each number from 1 has one."""
    known = _by_number(listed, title)
    for number in range(1, max(known, default=0) + 1):
        same, name = known.get(number, []), numbered(title, number)
        if not same:
            raise BadSettings(
                f"There is a project {numbered(title, max(known))!r} at {url}, and none {name!r}",
                "Tasks are split among projects of one title, with each number from 2. Give one "
                "that was renamed its title again; where one was deleted, rename those behind it. "
                "A project that is no part of them needs another title.",
            )
        if same[1:]:
            numbers = ", ".join(str(each.id) for each in same)
            raise BadSettings(
                f"{len(same)} projects at {url} have the title {name!r} ({numbers})",
                "Rename all but one, or name one with --project.",
            )
    return [known[number][0] for number in sorted(known)]


async def numbers_titled(client: Client, title: str) -> list[int]:
    """The numbers of the projects of a title.

    Raises:
        BadSettings: there is none, or as of `titled_projects`.
    """
    found = await titled_projects(client, title.strip())
    if not found:
        raise BadSettings(
            f"No project at {client.url} has the title {title!r}",
            "Give it as `push --create` was given it, without a number behind it.",
        )
    return [each.id for each in found]


def check_split(title: str, size: int) -> None:
    """Refuse a split that can't be made.

    Raises:
        BadSettings: a batch of tasks is larger, or no number fits behind the title.
    """
    if 0 < size < MOST_TASKS:
        raise BadSettings(
            f"A project of {size} tasks is too small",
            f"Give --project-size {MOST_TASKS} or more; 0 is no bound.",
        )
    if size and len(numbered(title, _MOST)) > LONGEST_TITLE:
        raise BadSettings(
            f"No number fits behind the title {title!r}",
            f"Label Studio takes {LONGEST_TITLE} characters; give a shorter title.",
        )


class Opening:
    """Opens the projects that a push goes into."""

    def __init__(
        self, client: Client, ledger: PushLedger, options: PushOptions, report: PushReport
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._options = options
        self._report = report

    async def way(self, project: Project, place: Place) -> Deliveries:
        """The way into a project that is ready."""
        if overlap := self._options.config.label_studio.overlap:
            await have_two_reviewers(self._client, project, overlap)
        earlier = EarlierTasks(
            self._client,
            project,
            reviewed_too=self._options.reviewed_too,
            segments_per_task=self._options.config.label_studio.segments_per_task,
        )
        return Deliveries(earlier, self._ledger, place, self._report)

    async def ready(self, project: Project, place: Place) -> Deliveries:
        """The way into a project, once reviewers hear its recordings."""
        self._ledger.keep(project_key(self._address(project), project.created_at), place)
        aws = self._options.aws if place.made else None
        self._report.advice += await playback_advice(self._client, project, place.buckets, aws)
        return await self.way(project, place)

    async def behind(self, way: Deliveries, number: int) -> Deliveries:
        """The way into a new project behind one that is full."""
        full = way.earlier.project
        title = numbered(way.place.title, number)
        project = await create_project(self._client, title, full.label_config)
        self._report.further.append(self._address(project))
        shown = msgspec.structs.replace(project, model_version=full.model_version)
        place = msgspec.structs.replace(way.place, tasks=0, sent_at=0.0)
        return await self.ready(shown, place)

    def _address(self, project: Project) -> str:
        return f"{self._client.url}/projects/{project.id}"


class Series:
    """The ways of one output into the projects of a title, of which the last has room.

    `size` is how many tasks a project has at most, 0 any number; `following` makes the project
    behind another, with a number from 2.
    """

    def __init__(
        self,
        ways: Sequence[Deliveries],
        size: int,
        following: Callable[[Deliveries, int], Awaitable[Deliveries]],
    ) -> None:
        *self._full, self._last = ways
        self._size = size
        self._following = following

    async def take(self, batch: list[TaskLine], tell: Callable[[str], None]) -> None:
        """Settle a batch, each task in the project that has its recording, else in one with room.

        Only the last project remembers how far it came: with it the next push goes on.
        """
        rest = batch
        for each in self._full:
            rest = await _others(each, rest, tell)
        if self._size and self._last.held + len(rest) > self._size:
            rest = await _others(self._last, rest, tell)
            if rest:
                self._full.append(self._last)
                self._last = await self._following(self._last, len(self._full) + 1)
        if rest:
            await self._last.settle(rest, tell)
        self._last.go_on_behind(batch)


async def _others(
    way: Deliveries, batch: list[TaskLine], tell: Callable[[str], None]
) -> list[TaskLine]:
    """Settle the tasks whose recordings a project has; those whose recordings it has not."""
    earlier = way.earlier
    known = await earlier.client.retried(earlier.known, batch) if batch else set[str]()
    if theirs := [line for line in batch if line.job_id in known]:
        await way.settle(theirs, tell)
    return [line for line in batch if line.job_id not in known]
