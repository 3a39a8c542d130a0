"""`export`: the tasks as JSON arrays for Label Studio's Import button."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import ConfigFile, OutputFile, StateFile, examples, settings

NAME = "export"
EXAMPLES = examples(
    ("Make label-studio/tasks-0001.json and so on from tasks.jsonl", "export"),
    ("Make them from another run's tasks, in another folder", "export --output c.jsonl --to up/"),
)


def command(
    output: OutputFile = None,
    state: StateFile = None,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Where the files are written.")
    ] = Path("label-studio"),
    config: ConfigFile = None,
) -> None:
    """Write the tasks as JSON array files, which Label Studio's Import button takes.

    Label Studio refuses .jsonl there and in its import API: only its cloud storage reads it.
    Each file holds at most 50,000 tasks and 200 MB, under the server's limits. Only committed
    tasks are taken, so it works beside a run. The names of the files
    are printed.
    """
    chosen = settings(config, output=output, state=state)
    from pipeline.exporting import committed_lines, later_exports, write_arrays

    lines = committed_lines(chosen.output_path, chosen.state_path)
    path = None
    for path in write_arrays(lines, to):
        typer.echo(path)
    for old in later_exports(to, path):
        typer.echo(f"{old} is of an earlier export and is not part of this one.", err=True)
    if path is None:
        typer.echo(f"There are no tasks in {chosen.output_path} yet.", err=True)
