"""Options that several commands share, and where their values come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import BadSettings
from pipeline.logs import ERROR, event, is_json
from pipeline.text import printable

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


ManifestFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Take only what this file names, or an S3 Inventory lists."),
]


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
