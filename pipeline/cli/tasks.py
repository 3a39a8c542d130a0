"""`tasks rebuild`: tasks of the other kind, from results that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.command import Command
from pipeline.cli.flags import AWS, ENGINE, FILES, with_settings
from pipeline.cli.options import FailuresOnly, SummaryJson, examples, group, report
from pipeline.config.shards import Engine
from pipeline.launch.run import RunOptions, complete
from pipeline.terminal import style_for

if TYPE_CHECKING:
    from pipeline.config.schema import Config

commands = group("Tasks that a run has written.")
REBUILD_EXAMPLES = examples(
    ("Write tasks.segments.jsonl beside tasks.jsonl", "tasks rebuild --task segments"),
    (
        "From another run's results, into a file of another name",
        "tasks rebuild --task segments --output calls.jsonl --to regions.jsonl",
    ),
    ("Every night, after the run: only what is new is added", "tasks rebuild --task segments -q"),
)


@commands.command("rebuild", cls=Command, epilog=REBUILD_EXAMPLES)
@with_settings(FILES, ("kind", "results"), AWS, ("log_format",), ENGINE, on_s3=True)
def rebuild(
    *,
    chosen: Config,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="FILE", help="The new tasks. [default: the run's name with KIND]"
        ),
    ] = None,
    quiet: FailuresOnly = False,
    json: SummaryJson = False,
) -> None:
    """Write a run's tasks as another kind, without new jobs.

    For every recording that the run of --output has written, it reads the transcript where it is
    stored: below --results, else with the service, which keeps it for 90 days. The new tasks have a
    state file of their own (FILE.state): run it again and it adds only what is new, or continues
    where it was interrupted. It only reads the run's own files, or the parts of an output on S3.
    With --engine ray the nodes of a cluster read the transcripts.
    """
    from pipeline.launch.on_s3 import with_written_here
    from pipeline.launch.rebuild import settings_of_rebuild, source_of_rebuild

    with with_written_here(chosen) as written:
        options = RunOptions(
            settings_of_rebuild(chosen, to, written),
            source_of_rebuild(chosen, written.state),
            style_for(quiet=quiet),
            earlier=written.state,
        )
        if chosen.cluster.engine is Engine.RAY:
            from pipeline.launch.on_ray.collectors import rebuild_on_ray

            summary = rebuild_on_ray(chosen.cluster.ray_address, options)
        else:
            summary = complete(options)
        code = report(summary, quiet=quiet, json=json)
    raise typer.Exit(code)
