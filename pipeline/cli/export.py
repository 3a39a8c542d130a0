"""`export`: the tasks as files that Label Studio takes by hand."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import AWS, FILES, with_settings
from pipeline.cli.options import examples
from pipeline.errors import BadSettings

if TYPE_CHECKING:
    from pipeline.config.schema import Config

EXAMPLES = examples(
    ("Make label-studio/tasks-0001.json and so on from tasks.jsonl", "export"),
    ("The least certain transcripts in the first file", "export --worst-first"),
    (
        "Every night, only what is new, for a bucket that Label Studio syncs",
        "export --format jsonl-parts",
    ),
    ("Make them from another run's tasks, in another folder", "export --output c.jsonl --to up/"),
)


class Format(StrEnum):
    """For the Import button, or for S3 source storage."""

    JSON = "json"
    JSONL_PARTS = "jsonl-parts"


_FOLDERS = {Format.JSON: Path("label-studio"), Format.JSONL_PARTS: Path("label-studio-parts")}


@with_settings(FILES, AWS, on_s3=True)
def command(
    *,
    chosen: Config,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="Where the files are written. [default: label-studio, or label-studio-parts]",
        ),
    ] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="json|jsonl-parts",
            help="For the Import button, or for S3 source storage.",
        ),
    ] = Format.JSON,
    worst_first: Annotated[
        bool, typer.Option("--worst-first", help="By score, the lowest first; json only.")
    ] = False,
) -> None:
    """Write the tasks as files that Label Studio imports.

    json is for the Import button: all tasks, as arrays of at most 50,000 tasks and 200 MB, under
    the server's limits; long recordings as several tasks, as `push` makes them. (The Import button
    and the import API refuse .jsonl.)

    jsonl-parts is for S3 source storage: what is new since the last time, in files that never
    change, because the storage never reads a file again. FOLDER.json remembers how far it is. Copy
    the parts into a bucket, and move or delete them as you like.

    It takes only committed tasks, so it works during a run. It prints the names of the files.
    """
    from pipeline.launch.on_s3 import with_tasks_here

    chosen, folder = with_tasks_here(chosen), to or _FOLDERS[form]
    tasks, state_path = chosen.output_path, chosen.state_path
    if form is Format.JSON:
        most = chosen.label_studio.segments_per_task
        _write_arrays(tasks, state_path, folder, most, worst_first=worst_first)
        return
    if worst_first:
        raise BadSettings(
            "--worst-first does not go with --format jsonl-parts: parts hold what is new",
            "Leave it out, or export with --format json.",
        )
    from pipeline.tasks.export_shards import write_shards

    path = None
    for path in write_shards(tasks, state_path, folder):
        typer.echo(path)
    if path is None:
        typer.echo(f"Nothing is new in {tasks} since the last export to {folder}.", err=True)


def _write_arrays(tasks: Path, state: Path, folder: Path, most: int, *, worst_first: bool) -> None:
    from pipeline.tasks import export
    from pipeline.tasks.recording_parts import tasks_of

    by_score = export.worst_first if worst_first else export.committed_lines
    parts = (part for line in by_score(tasks, state) for part in tasks_of(line, most))
    path = None
    for path in export.write_arrays(parts, folder):
        typer.echo(path)
    for old in export.later_exports(folder, path):
        typer.echo(f"{old} is of an earlier export and is not part of this one.", err=True)
    if path is None:
        typer.echo(f"There are no tasks in {tasks} yet.", err=True)
