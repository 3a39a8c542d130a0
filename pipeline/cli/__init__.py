"""The command line: one file per command, all in the same rhythm (help, options, validate, run).

Heavy libraries are imported inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import export, retry, run, serve, status
from pipeline.cli.options import CANNOT_RUN, say
from pipeline.errors import CannotRun

app = typer.Typer(
    name="transcribe-pipeline",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

for _command in (run, status, retry, export, serve):
    app.command(_command.NAME, epilog=_command.EXAMPLES)(_command.command)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 # typer calls it with the flag's value
    if wanted:
        typer.echo(f"transcribe-pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Turn whole S3 buckets of recordings into Label Studio tasks with Amazon Transcribe."""


def main() -> None:
    """Run the command line; what can't run says why in one sentence and exits with 2."""
    try:
        app()
    except CannotRun as error:
        say(str(error))
        sys.exit(CANNOT_RUN)
