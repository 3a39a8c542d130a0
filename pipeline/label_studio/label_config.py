"""Which labeling configuration a project has: one of ours, or a team's own.

One that push gave a project and nobody has changed since is replaced by that of a later version,
while there is no review that it could take from its place.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec

from pipeline.errors import BadSettings, CannotRun, TasksRefused, Unavailable
from pipeline.label_studio.compatibility import misfits
from pipeline.label_studio.schema import Control, Project
from pipeline.model import Layout, TaskKind
from pipeline.tasks.labeling_config import TEXT, labeling_config
from pipeline.text import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.label_studio.client import Client
    from pipeline.label_studio.compatibility import Survey
    from pipeline.label_studio.push_ledger import Place


def label_config_for(survey: Survey, layout: Layout) -> str:
    """The labeling configuration of a new project for these tasks."""
    return labeling_config(_kind_of(survey), layout)


def check_layout(survey: Survey) -> None:
    """Refuse a layout for tasks that have only one.

    Raises:
        BadSettings: they are not of segments.
    """
    if _kind_of(survey) is TaskKind.TRANSCRIPT:
        raise BadSettings(
            "--layout would do nothing: these tasks are not of segments, and have one layout",
            "Leave it out, or have tasks of segments written with --task segments.",
        )


def has_layout(project: Project, place: Place, layout: Layout) -> bool:
    """Whether a project has this layout, or had it when it was made."""
    if place.label_config and TEXT in (project.parsed_label_config or ()):
        return place.layout is layout
    return digest(project.label_config) == digest(labeling_config(TaskKind.SEGMENTS, layout))


def keeps_another(address: str, asked: str) -> BadSettings:
    """What is said where a project is there already, with another configuration than asked for."""
    return BadSettings(
        f"The project {address} is there already, and its labeling configuration is not {asked}",
        "Give it that at Settings, Labeling Interface, have another project made, or leave the "
        "flag out.",
    )


def _kind_of(survey: Survey) -> TaskKind:
    return TaskKind.SEGMENTS if "speakers" in survey.keys else TaskKind.TRANSCRIPT


def config_of_team(path: Path) -> str:
    """A labeling configuration that someone has written.

    Raises:
        BadSettings: the file can't be read, or is no XML.
    """
    try:
        content = path.read_text(encoding="utf-8")
        ET.fromstring(content)  # noqa: S314 # the user's own file
    except (OSError, UnicodeDecodeError, ET.ParseError) as error:
        raise BadSettings(
            f"The labeling configuration {path} can't be read: {error}",
            "Name with --label-config a file with what Label Studio shows at Settings, Labeling "
            "Interface, Code.",
        ) from error
    return content


def check_config_of_team(path: Path, label_config: str, survey: Survey) -> None:
    """Refuse a configuration that is not made for the tasks, before there is a project of it.

    Raises:
        TasksRefused: with all that is missing.
    """
    controls = parsed(label_config)
    unfit = list(
        misfits(Project(0, label_config=label_config, parsed_label_config=controls), survey)
    )
    if unfit:
        raise TasksRefused(
            f"The labeling configuration {path} is not made for these tasks: {'; '.join(unfit)}. "
            "No project was made",
            "Give it what is missing; `transcribe-pipeline labeling-config` prints one that fits.",
        )


def parsed(label_config: str) -> dict[str, Control]:
    """The controls of a configuration by their names, as the server (1.23) parses them."""
    controls = {}
    for tag in ET.fromstring(label_config).iter():  # noqa: S314 # the user's own file
        name, of = tag.get("name"), tag.get("toName")
        if name and of:
            values = [each.get("alias") or each.get("value") for each in tag]
            dynamic = tag.get("value", "").startswith("$")
            listed = [each for each in values if each]
            controls[name] = Control(tag.tag, of.split(","), listed, dynamic)
    return controls


def digest(label_config: str) -> str:
    """What a configuration is known again by, however its lines are broken."""
    words = " ".join(label_config.split())
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()


def later_config(project: Project, place: Place) -> str:
    """The configuration of this version where the project has an earlier one of ours; else ""."""
    known = project.parsed_label_config
    if known is None or digest(project.label_config) != place.label_config:
        return ""
    segments = TEXT in known
    fresh = labeling_config(TaskKind.SEGMENTS if segments else TaskKind.TRANSCRIPT, place.layout)
    return fresh if digest(fresh) != place.label_config else ""


async def upgrade(client: Client, project: Project, label_config: str) -> str:
    """Give a project a later configuration unless there are reviews: why it was not, or ""."""
    if project.total_annotations_number != 0:
        known = project.total_annotations_number
        some = "maybe some annotations are"
        return f"{count_of(known, 'annotation is', 'annotations are') if known else some} in it"
    body = msgspec.json.encode({"label_config": label_config})
    try:
        await client.ask("PATCH", f"projects/{project.id}/", None, body)
    except (Unavailable, CannotRun) as error:
        return error.problem  # the tasks fit the earlier one too
    return ""


def outdated_advice(address: str, why: str) -> str:
    """What a person may do where a project keeps an earlier configuration."""
    return (
        f"The project {address} has the labeling configuration of an earlier version, and keeps it "
        f"({why}). `transcribe-pipeline labeling-config` prints that of this version, for "
        f"{address}/settings/labeling."
    )
