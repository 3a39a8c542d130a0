"""Which projects the tasks of a title go into: "Calls", "Calls 2", "Calls 3".

A project that a push fills by a title says so in a line of its description, which a team sees and
Label Studio (1.23) keeps. By that line it is found, whatever its title is by then. One without the
line is found as earlier versions did it: by its title, where a push has made it.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import BadSettings
from pipeline.label_studio.project_setup import LOWEST_SCORE_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.schema import Project

    Kept = Callable[[Project], str]
    """The title by which the ledger knows a project; "" where it knows none."""

_NUMBERED = re.compile("(.+) ([2-9]|[1-9][0-9]{1,2})", re.DOTALL)
_LINE = re.compile(
    "Project ([1-9][0-9]{0,2}) of “(.{1,50})”: transcribe-pipeline finds it by this line[.]",
    re.DOTALL,
)


class Mark(NamedTuple):
    """What a description says of its project: of which title it has tasks, and which one it is."""

    title: str
    number: int

    def __str__(self) -> str:
        return (
            f"Project {self.number} of “{self.title}”: transcribe-pipeline finds it by this line."
        )


class Member(NamedTuple):
    """A project that tasks of a title go into, and which of them it is, from 1."""

    number: int
    project: Project


def mark_of(project: Project) -> Mark | None:
    """What its description says, which people may change."""
    found = _LINE.search(project.description or "")
    return Mark(found[2], int(found[1])) if found else None


def description_with(mark: Mark, description: str) -> str:
    """A description with this line at its end, in the place of others."""
    return f"{_LINE.sub('', description).strip()}\n{mark}".strip()


def numbered(title: str, number: int) -> str:
    """The title of one of the projects, from 1."""
    return title if number == 1 else f"{title} {number}"


def base_of(title: str) -> str:
    """A title without the number behind it; "" where there is none from 2 to 999."""
    found = _NUMBERED.fullmatch(title)
    return found[1] if found else ""


def free_title(mark: Mark, listed: Iterable[Project]) -> str:
    """The title of a new project, which none of these has."""
    taken = {each.title for each in listed}
    return next(each for n in count(mark.number) if (each := numbered(mark.title, n)) not in taken)


def members_of(title: str, listed: Collection[Project], kept: Kept = lambda _: "") -> list[Member]:
    """The projects that tasks of a title go into, in the order in which they are filled.

    Two may have one number: pushes at one time have made them.
    """
    marks = [(mark_of(each), each) for each in listed]
    found = [Member(mark.number, each) for mark, each in marks if mark and mark.title == title]
    marked = {each.number for each in found}
    unmarked = [each for mark, each in marks if not mark]
    for each in unmarked:
        number = _number_of(each, title)
        if number == 1 or number not in marked | {0}:
            found.append(Member(number, each))
    for each in unmarked:
        if kept(each) == title and each not in [member.project for member in found]:
            taken = {member.number for member in found}
            found.append(Member(next(n for n in count(1) if n not in taken), each))
    return sorted(found, key=lambda each: (each.number, each.project.id))


def _number_of(project: Project, title: str) -> int:
    """Which of a title's projects it is by its own title; 0 is none, or another program's."""
    if project.title == title:
        return 1
    made_by_push = project.sampling == LOWEST_SCORE_FIRST
    ours = made_by_push and base_of(project.title) == title
    return int(project.title.removeprefix(title)) if ours else 0


def title_of_several(
    project: Project, listed: Collection[Project], kept: Kept = lambda _: ""
) -> str:
    """The title of several projects of which this is one; "" where it stands alone."""
    mark = mark_of(project)
    titles = (mark.title if mark else "", kept(project), base_of(project.title), project.title)
    for title in filter(None, titles):
        if _is_one_of_several(project, members_of(title, listed, kept)):
            return title
    return ""


def _is_one_of_several(project: Project, members: Sequence[Member]) -> bool:
    """Whether a project is one of a title's, and there are others.

    A title is no name: other people's project may have the same one, and is no part of ours.
    """
    own = next((each.number for each in members if each.project.id == project.id), 0)
    others = any(each.number != own for each in members)
    same = [each.project for each in members if each.number == own]
    another_has_line = any(mark_of(each) for each in same if each.id != project.id)
    if mark_of(project):
        return own > 0 and (own > 1 or others or another_has_line)
    return own > 0 and others and not another_has_line


def first_title(members: Sequence[Member], kept: str, given: str) -> str:
    """By which title they go on to be found, which were found by the given one.

    One that stands alone and was renamed may be given by its new title; by the first one, which its
    description says or the ledger has `kept`, other commands still find it.
    """
    *others, last = members
    mark = mark_of(last.project)
    return given if others else (mark.title if mark else kept or given)


def one_of_several(name: str, title: str) -> BadSettings:
    """The refusal to fill one of the projects of a title alone."""
    return BadSettings(
        f"{name} is one of several projects that the tasks of {title!r} are split among",
        f"Give --create {title!r} to push and --title {title!r} to pull. If they have nothing to "
        "do with each other, rename one of them, also in the line of its description.",
    )


async def projects_titled(client: Client, title: str, kept: Kept = lambda _: "") -> list[Member]:
    """The projects that tasks of a title go into, in the order in which they are filled.

    Raises:
        BadSettings: one of them is missing or not certain, or the title is of one of another's.
    """
    listed = await client.retried(client.projects)
    same = [each for each in listed if each.title == title]
    for each in same:
        if (several := title_of_several(each, listed, kept)) not in ("", title):
            raise one_of_several(f"{title!r}", several)
    found = members_of(title, listed, kept) or [Member(1, each) for each in same]
    _check(title, found, client.url)
    return [Member(number, await client.retried(client.project, each.id)) for number, each in found]


async def numbers_titled(client: Client, title: str) -> list[int]:
    """The numbers of the projects that tasks of a title went into.

    Raises:
        BadSettings: there is none, or as of `projects_titled`.
    """
    found = await projects_titled(client, title.strip())
    if not found:
        raise BadSettings(
            f"No project at {client.url} has the title {title!r}",
            "Give it as `push --create` was given it, without a number behind it.",
        )
    return [each.project.id for each in found]


def _check(title: str, members: Sequence[Member], url: str) -> None:
    """Refuse what can't be told from the projects that there are."""
    last = max((each.number for each in members), default=0)
    for number in range(1, last + 1):
        same = [each.project for each in members if each.number == number]
        if not same:
            raise _missing(Mark(title, number), Mark(title, last), url)
        if same[1:] and not all(map(mark_of, same)):
            numbers = ", ".join(str(each.id) for each in same)
            raise BadSettings(
                f"{len(same)} projects at {url} have the title {numbered(title, number)!r}, by "
                f"themselves or by their description ({numbers})",
                "Rename all but one, also in their descriptions, or name one with --project.",
            )


def _missing(lacking: Mark, last: Mark, url: str) -> BadSettings:
    return BadSettings(
        f"There is a project {numbered(*last)!r} at {url}, and none {numbered(*lacking)!r}",
        "Tasks are split among projects of one title, with each number from 2. Give one that was "
        f"renamed its title again, or write into its description: {lacking} Where it was deleted, "
        "lower the numbers in the titles and descriptions of those behind it. A project that is "
        "no part of them needs another title.",
    )
