"""`tasks rebuild`: tasks of the other kind, from results that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import AWS, with_settings
from pipeline.cli.options import examples, report
from pipeline.launch.run import RunOptions, complete

if TYPE_CHECKING:
    from pipeline.config.schema import Config

NAME = "rebuild"
EXAMPLES = examples(
    ("Write tasks.segments.jsonl beside tasks.jsonl", "tasks rebuild --task segments"),
    (
        "From another run's results, into a file of another name",
        "tasks rebuild --task segments --state calls.jsonl.state --output regions.jsonl",
    ),
    ("Every night, behind the run: only what is new is added", "tasks rebuild --task segments -q"),
)


@with_settings(
    ("state", "kind", "results"),
    AWS,
    ("log_format",),
    state=typer.Option(
        metavar="FILE", help="The state file of the run. [default: tasks.jsonl.state]"
    ),
)
def command(
    *,
    chosen: Config,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The new tasks. [default: the run's name with KIND]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one line of JSON on stdout.")
    ] = False,
) -> None:
    """Write a run's tasks as another kind, without new jobs.

    For every recording that the run of --state has written, it reads the transcript where it is
    stored: below --results, else with the service, which keeps it for 90 days. The new tasks have a
    state file of their own (FILE.state): run it again and it adds only what is new, or continues
    where it was interrupted. It only reads the run's own files.
    """
    from pipeline.state.reader import read_state
    from pipeline.tasks.rebuild import settings_of_rebuild, source_of_rebuild
    from pipeline.terminal import style_for

    with read_state(chosen.state_path) as earlier:
        options = RunOptions(
            settings_of_rebuild(chosen, output, earlier),
            source_of_rebuild(chosen, earlier),
            style_for(quiet=quiet),
            earlier=earlier,
        )
        code = report(complete(options), quiet=quiet, json=json)
    raise typer.Exit(code)
