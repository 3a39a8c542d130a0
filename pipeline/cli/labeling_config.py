"""`labeling-config`: what a Label Studio project needs to show the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli.flags import Given, refuse_idle, with_settings
from pipeline.cli.options import examples
from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config

if TYPE_CHECKING:
    from pipeline.config.schema import Config

EXAMPLES = examples(
    ("Print it, to be pasted into Settings > Labeling Interface > Code", "labeling-config"),
    ("For tasks of segments, into a file", "labeling-config --task segments > segments.xml"),
    ("To go through the segments by keys", "labeling-config --task segments --layout focus"),
)


@with_settings(("kind", "layout"))
def command(
    *,
    chosen: Config,
    given: Given,
) -> None:
    """Print the labeling configuration for Label Studio.

    It is XML, and fits every task of its kind: speakers and languages come from the task.
    """
    if chosen.tasks.kind is TaskKind.TRANSCRIPT:
        refuse_idle(
            given, ["layout"], "tasks of kind transcript have one layout", "Add --task segments."
        )
    typer.echo(labeling_config(chosen.tasks.kind, chosen.label_studio.layout), nl=False)
