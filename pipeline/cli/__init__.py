"""The command line: one file per command, all in the same rhythm (help, options, validate, run).

Heavy libraries are imported inside the commands, so that `--help` is quick. It may import every
room, and no room imports it. Read `run` first, then `flags`, which makes the settings' flags.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.cli import (
    check,
    clean,
    compare,
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
    serve,
    status,
    tasks_rebuild,
    vocabulary,
)
from pipeline.errors import CannotRun
from pipeline.logs import silence_libraries
from pipeline.terminal import CANNOT_RUN, say

_TRACEBACK = "TRANSCRIBE_PIPELINE_TRACEBACK"

INTERRUPTED = 130
PIPE_CLOSED = 141

app = typer.Typer(
    name="transcribe-pipeline",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_tasks = typer.Typer(help="Tasks that were written already.", no_args_is_help=True)
_tasks.command(tasks_rebuild.NAME, epilog=tasks_rebuild.EXAMPLES)(tasks_rebuild.command)
app.add_typer(_tasks, name="tasks")

_COMMANDS = (
    *(run, plan, check, status, report, retry, labeling_config, export),
    *(push, pull, quality, convert, compare, clean, serve),
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


def _print_version(wanted: bool) -> None:  # noqa: FBT001 # typer calls it with the flag's value
    if wanted:
        typer.echo(f"transcribe-pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Turn whole S3 buckets of recordings into Label Studio tasks with Amazon Transcribe."""


def main() -> None:
    """Run the command line; what can't run says why in one sentence and exits with 2."""
    _ready_streams()
    if not os.environ.get(_TRACEBACK):
        silence_libraries()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains at its end
        sys.exit(PIPE_CLOSED)
    except CannotRun as error:
        say(str(error))
        sys.exit(CANNOT_RUN)
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        say(
            f"An error that should not happen, please report it: {type(error).__name__}: {error} "
            f"({_TRACEBACK}=1 shows where)."
        )
        sys.exit(CANNOT_RUN)


def _ready_streams() -> None:
    """Print whatever the terminal can't show escaped, and nothing where a stream is closed.

    Cron and `2>&-` close streams; the next file opened would take their number, and be written to.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 # until the end
        else:
            stream.reconfigure(errors="backslashreplace")
