"""All commands as one command line."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from pipeline import __version__
from pipeline.cli.command import Command
from pipeline.cli.options import examples

_EXAMPLES = examples(
    ("See what a bucket would take: hours, cost and time", "plan s3://bucket/calls/"),
    ("Transcribe it; run it again for what is new", "run s3://bucket/calls/"),
    ("Put the tasks into Label Studio", 'push --create "Calls 2026"'),
)
_COMMANDS = (
    *("run", "plan", "check", "status", "report", "retry", "transcripts", "search"),
    *("labeling-config", "export", "push", "pull", "quality", "convert", "compare", "clean"),
    *("serve", "tasks", "vocabulary", "iam", "events", "config"),
)


class _Commands(TyperGroup):
    """All commands, each of a module that is imported when the command is called or listed.

    The modules of all others would take as long as many a command itself.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(_COMMANDS)  # type: ignore[assignment] # made when asked for

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _imported(cmd_name)
        return super().get_command(ctx, cmd_name)


def _imported(name: str) -> Any:
    """A command, or the group of those that share this first word."""
    module = import_module(f"pipeline.cli.{name.replace('-', '_')}")
    if hasattr(module, "commands"):
        return get_group(module.commands)
    single = typer.Typer(rich_markup_mode=None, add_completion=False)
    single.command(name, cls=Command, epilog=module.EXAMPLES)(module.command)
    return get_command(single)


app = typer.Typer(
    name="transcribe-pipeline",
    cls=_Commands,
    epilog=_EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


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
