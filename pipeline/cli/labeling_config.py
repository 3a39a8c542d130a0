"""`labeling-config`: what a Label Studio project needs to show the tasks."""

from __future__ import annotations

import typer

from pipeline.cli.options import ConfigFile, Task, examples, settings
from pipeline.tasks.labeling_config import labeling_config

NAME = "labeling-config"
EXAMPLES = examples(
    ("Print it, to be pasted into Settings > Labeling Interface > Code", "labeling-config"),
    ("For tasks of segments, into a file", "labeling-config --task segments > segments.xml"),
)


def command(task: Task = None, config: ConfigFile = None) -> None:
    """Print the labeling configuration of a Label Studio project, as XML.

    One configuration fits every task of its kind: speakers and languages come out of the task.
    """
    chosen = settings(config, kind=task)
    typer.echo(labeling_config(chosen.tasks.kind), nl=False)
