"""How a command ends: an exit code, a sentence on stderr, and with `--json` one line on stdout.

It is so whatever the end, and never is there a traceback.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
import typer
from typer.main import get_command

from pipeline import terminal
from pipeline.cli.app import app
from pipeline.cli.command import wrong_use
from pipeline.cli.end import End, end_by
from pipeline.cli.streams import leave_unwritable, ready_streams
from pipeline.errors import CannotRun, PipelineError
from pipeline.extras import extras_named
from pipeline.logs import silence_libraries
from pipeline.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
ABORTED = 1
PIPE_CLOSED = 141
"""What a shell reports of a program that SIGPIPE has ended."""

# Every wrong use is of the kind above the one that typer shows: click's own, which it keeps inside.
_WRONG_USE = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
_SIGNALS = (129, INTERRUPTED, 143)
_PROGRAM = "transcribe-pipeline"
_COMPLETES = "_TRANSCRIBE_PIPELINE_COMPLETE"
_TRACEBACK = "TRANSCRIBE_PIPELINE_TRACEBACK"


def run_to_its_end(arguments: Sequence[str]) -> int:
    """Run a command of the command line; return its exit code."""
    ready_streams()
    if not os.environ.get(_TRACEBACK):
        silence_libraries()
    if _COMPLETES in os.environ:
        app(prog_name=_PROGRAM)  # the shell asks what may follow: typer answers, and exits
    terminal.answers.clear()
    end = End(0)
    try:
        end = _end_of(arguments)
        if end.exit_code and "--json" in arguments and not terminal.answers:
            terminal.answer(msgspec.json.encode(end))
        sys.stdout.flush()
    except BrokenPipeError:
        leave_unwritable()
        return PIPE_CLOSED
    except CannotRun as error:
        if error.problem != end.problem:  # the command itself has met it and said it
            say(str(error))
        end = end_by(error)
    leave_unwritable()
    return end.exit_code


def _end_of(arguments: Sequence[str]) -> End:
    """Run a command; how it ended, which has been said on stderr."""
    try:
        with extras_named():
            return _invoked(arguments)
    except KeyboardInterrupt:
        return End(INTERRUPTED, "interrupted")
    except typer.Abort:
        typer.echo("Aborted!", err=True)
        return End(ABORTED, "aborted")
    except CannotRun as error:
        say(str(error))
        return end_by(error)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        problem = f"An error that should not happen: {type(error).__name__}: {error}"
        unknown = PipelineError(problem, f"Please report it; {_TRACEBACK}=1 shows where.")
        say(str(unknown))
        return end_by(unknown)


@cache
def command_line() -> Any:
    """Every command with its flags, as typer makes them of the functions: a click group."""
    return get_command(app)


def _invoked(arguments: Sequence[str]) -> End:
    """Run a command as typer does, which takes a closed pipe for exit code 1."""
    try:
        with command_line().make_context(_PROGRAM, list(arguments)) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return End(end.exit_code, "interrupted" if end.exit_code in _SIGNALS else "")
    except _WRONG_USE as error:
        error.message = wrong_use(error)
        error.show()
        return End(error.exit_code, error.format_message().removesuffix("."))
    return End(0)
