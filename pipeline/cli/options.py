"""Options that several commands share, and where their values come from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.config.loading import ENVIRONMENT, resolve
from pipeline.config.schema import LogFormat, describe
from pipeline.errors import BadSettings
from pipeline.logs import ERROR, begin_json, event, is_json
from pipeline.model import TaskKind
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.config.schema import Config


CANNOT_RUN = 2
"""The exit code of whatever can't run or can't go on."""


def say(error: str) -> None:
    """Say on stderr what went wrong: an event of the log, or lines under the program's name.

    Foreign words forge no line of either.
    """
    if is_json():
        event("error", ERROR, message=error)
        return
    for line in error.split("\n"):
        typer.echo(f"transcribe-pipeline: {printable(line)}", err=True)


def option(name: str, metavar: str, flag: str = "") -> Any:
    """The command line option of a setting; its help is the setting's own description."""
    flag = flag or f"--{name.replace('_', '-')}"
    return typer.Option(flag, metavar=metavar, help=describe(name), show_default=False)


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings as TOML; config.example.toml has all of them."
    ),
]
ManifestFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Take only what this file names, or an S3 Inventory lists."),
]
OutputFile = Annotated[str | None, option("output", "FILE")]
StateFile = Annotated[str | None, option("state", "FILE")]
Log = Annotated[LogFormat | None, option("log_format", "text|json")]
Task = Annotated[TaskKind | None, option("kind", "KIND", "--task")]


def settings(config_file: Path | None, **flags: Any) -> Config:
    """The settings from flags, environment and file; `None` means that a flag was not given."""
    named = os.environ.get(f"{ENVIRONMENT}CONFIG")
    return resolve(flags, os.environ, config_file or (Path(named) if named else None))


def settings_of_a_run(config_file: Path | None, *, quiet: bool, **flags: Any) -> Config:
    """The settings, and a log in the format that they name.

    Complaints about the settings come in that format where the command line or the environment
    names it.
    """
    known = flags.get("log_format") or os.environ.get(f"{ENVIRONMENT}LOG_FORMAT")
    if known == LogFormat.JSON:
        begin_json(quiet=quiet)
    chosen = settings(config_file, **flags)
    if chosen.monitoring.log_format is LogFormat.JSON:
        begin_json(quiet=quiet)
    return chosen


def page_file(path: Path, *others: Path) -> Path:
    """Where a page is to be written, which must not be one of the command's own files.

    Raises:
        BadSettings: so it is.
    """
    for other in others:
        if path.resolve() == other.resolve():
            raise BadSettings(f"--html {path} would overwrite it. Name another file for the page.")
    return path


def examples(*pairs: tuple[str, str]) -> str:
    r"""Numbered examples for the end of a help text: each a sentence and a command.

    `\b` keeps the line breaks of the paragraph that follows it.
    """
    lines = ["\b", "Examples:"]
    for number, (sentence, command) in enumerate(pairs, 1):
        lines += [f"  {number}. {sentence}", f"     > transcribe-pipeline {command}"]
    return "\n".join(lines)
