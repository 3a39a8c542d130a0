"""The project that the tasks go to: found, made, and looked at whether it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import BadSettings, Denied, TasksRefused
from pipeline.label_studio.compatibility import misfits
from pipeline.label_studio.members import Mark, description_with, free_title, mark_of
from pipeline.label_studio.project_setup import add_tabs, project_settings
from pipeline.text import count_of

if TYPE_CHECKING:
    from pipeline.label_studio.client import Client
    from pipeline.label_studio.compatibility import Survey
    from pipeline.label_studio.members import Member
    from pipeline.label_studio.schema import Project

SHORTEST_TITLE, LONGEST_TITLE = 3, 50
"""Characters of a project's title (1.23)."""


def checked_title(title: str) -> str:
    """The title as Label Studio keeps it, without spaces around it.

    Raises:
        BadSettings: it has fewer than 3 or more than 50 characters.
    """
    kept = title.strip()
    if not SHORTEST_TITLE <= len(kept) <= LONGEST_TITLE:
        raise BadSettings(
            f"The title {kept!r} has {count_of(len(kept), 'character')}",
            f"Label Studio wants {SHORTEST_TITLE} to {LONGEST_TITLE}.",
        )
    return kept


async def create_project(client: Client, mark: Mark, label_config: str) -> Project:
    """A new project with its tabs; after a lost answer what is there is not made again."""

    async def create() -> Project:
        listed = await client.projects()
        there = [each for each in listed if mark_of(each) == mark]
        settings = project_settings(free_title(mark, listed), str(mark), label_config)
        made = there[0] if there else await client.create_project(settings)
        await add_tabs(client, made.id)
        return await client.project(made.id)

    return await client.retried(create)


async def mark(client: Client, title: str, member: Member) -> list[str]:
    """Have a project's description say that tasks of a title go into it, where it does not yet.

    Returns:
        What to do where this user may not change the project.
    """
    number, project = member
    wanted = Mark(title, number)
    if mark_of(project) == wanted:
        return []
    body = msgspec.json.encode({"description": description_with(wanted, project.description or "")})
    try:
        await client.retried(client.ask, "PATCH", f"projects/{project.id}/", None, body)
    except Denied as error:
        untold = (
            f"The description of {client.url}/projects/{project.id} does not say that it is found "
            f"by {title!r}: {error.sentence} Do not rename it, or write there, as someone who may: "
            f"{wanted}"
        )
        return [untold]
    return []


async def have_two_reviewers(client: Client, project: Project, share: float) -> None:
    """Have a share of the project's tasks reviewed by two people each.

    The server (1.23, also the community edition) chooses them, those that one person has reviewed
    first, and chooses again whenever tasks are added. It knows whole percents.
    """
    wanted = {
        "maximum_annotations": max(2, project.maximum_annotations),
        "overlap_cohort_percentage": max(1, round(100 * share)),
    }
    is_so = project.maximum_annotations, project.overlap_cohort_percentage
    if is_so != tuple(wanted.values()):
        body = msgspec.json.encode(wanted)
        await client.retried(client.ask, "PATCH", f"projects/{project.id}/", None, body)


def check_fit(address: str, project: Project, survey: Survey) -> None:
    """Refuse a project that is not made for the tasks.

    Raises:
        TasksRefused: with all that does not fit.
    """
    unfit = list(misfits(project, survey))
    if unfit:
        raise TasksRefused(
            f"The project {address} is not made for these tasks: {'; '.join(unfit)}. Nothing was "
            "sent",
            "Give it the labeling configuration that fits (`transcribe-pipeline labeling-config` "
            "prints it; Settings, Labeling Interface), or have a project made with --create "
            "TITLE.",
        )
