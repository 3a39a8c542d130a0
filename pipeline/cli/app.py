"""All commands as one command line."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import (
    check,
    clean,
    compare,
    config,
    convert,
    events,
    export,
    iam,
    labeling_config,
    plan,
    pull,
    push,
    quality,
    report,
    retry,
    run,
    search,
    serve,
    status,
    tasks_rebuild,
    transcripts,
    vocabulary,
)
from pipeline.cli.options import examples

_EXAMPLES = examples(
    ("See what a bucket would take: hours, cost and time", "plan s3://bucket/calls/"),
    ("Transcribe it; run it again for what is new", "run s3://bucket/calls/"),
    ("Put the tasks into Label Studio", 'push --create "Calls 2026"'),
)

app = typer.Typer(
    name="transcribe-pipeline",
    epilog=_EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_tasks = typer.Typer(help="Tasks that a run has written.", no_args_is_help=True)
_tasks.command(tasks_rebuild.NAME, epilog=tasks_rebuild.EXAMPLES)(tasks_rebuild.command)
app.add_typer(_tasks, name="tasks")

_COMMANDS = (
    *(run, plan, check, status, report, retry, transcripts, search),
    *(labeling_config, export, push, pull, quality, convert, compare, clean, serve),
)

for _command in _COMMANDS:
    app.command(_command.NAME, epilog=_command.EXAMPLES)(_command.command)

_vocabulary = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_vocabulary.command(vocabulary.BUILD, epilog=vocabulary.BUILD_EXAMPLES)(vocabulary.build)
_vocabulary.command(vocabulary.APPLY, epilog=vocabulary.APPLY_EXAMPLES)(vocabulary.apply)
app.add_typer(_vocabulary, name=vocabulary.GROUP, help=vocabulary.HELP)

_iam = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_iam.command(iam.POLICY, epilog=iam.POLICY_EXAMPLES)(iam.policy)
_iam.command(iam.APPLY, epilog=iam.APPLY_EXAMPLES)(iam.apply)
app.add_typer(_iam, name=iam.GROUP, help=iam.HELP)

_events = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_events.command(events.SETUP, epilog=events.SETUP_EXAMPLES)(events.setup)
_events.command(events.REMOVE, epilog=events.REMOVE_EXAMPLES)(events.remove)
app.add_typer(_events, name=events.GROUP, help=events.HELP)

_config = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_config.command(config.EXAMPLE, epilog=config.EXAMPLE_EXAMPLES)(config.example)
_config.command(config.SCHEMA, epilog=config.SCHEMA_EXAMPLES)(config.schema)
_config.command(config.SHOW, epilog=config.SHOW_EXAMPLES)(config.show)
app.add_typer(_config, name=config.GROUP, help=config.HELP)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 # typer calls it with the flag's value
    if wanted:
        typer.echo(f"transcribe-pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Turn whole S3 buckets of recordings into Label Studio tasks with Amazon Transcribe."""
