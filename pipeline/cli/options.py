"""Options that several commands share."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.errors import BadSettings
from pipeline.files import same_file
from pipeline.logs import ERROR, INFO, WARNING, event, is_json
from pipeline.terminal import CANNOT_RUN, answer, as_called, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.model import Job
    from pipeline.monitoring.summary import Summary
    from pipeline.stages.stored_transcripts import Told

_NAMED = 20

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
SummaryJson = Annotated[
    bool, typer.Option("--json", help="Print the summary as one line of JSON on stdout.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")]
FailuresOnly = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ManifestFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Take only what this file names, or an S3 Inventory lists."),
]


def page_file(path: Path, *others: Path) -> Path:
    """Where a page is to be written, which must not be one of the command's own files.

    Raises:
        BadSettings: it is one of them.
    """
    for other in others:
        if same_file(path, other):
            raise BadSettings(
                f"--html {path} would overwrite a file that the command reads",
                "Name another file for the page.",
            )
    return path


def examples(*pairs: tuple[str, str]) -> str:
    r"""Numbered examples for the end of a help text: each a sentence and a command.

    `\b` keeps the line breaks of the paragraph that follows it.
    """
    lines = ["\b", "Examples:"]
    for number, (sentence, command) in enumerate(pairs, 1):
        lines += [f"  {number}. {sentence}", f"     > transcribe-pipeline {command}"]
    return "\n".join(lines)


def group(purpose: str) -> typer.Typer:
    """The commands that share their first word; the help text says what they are for."""
    return typer.Typer(
        help=purpose, no_args_is_help=True, rich_markup_mode=None, add_completion=False
    )


def report(summary: Summary, *, quiet: bool, json: bool) -> int:
    """Print the summary where it is wanted; return the exit code."""
    from pipeline.monitoring.summary_text import as_text

    if summary.exit_code == CANNOT_RUN:
        say(summary.stopped)
        quiet = quiet or not summary.counts.listed
    if json:
        answer(msgspec.json.encode(summary))
    if is_json():
        level = {1: WARNING, CANNOT_RUN: ERROR}.get(summary.exit_code, INFO)
        facts = msgspec.to_builtins(summary)
        event("run.ended", level, message=as_text(summary), summary=facts)
    elif not json and (not quiet or summary.exit_code == 1):
        typer.echo(as_called(as_text(summary)), err=True)
    return summary.exit_code


def told(progress: Callable[[int], None]) -> Told:
    """How far a command is that reads transcripts, and the first recordings that lack theirs."""
    from pipeline.stages.stored_transcripts import Told

    named = count()

    def tell(job: Job, _: str, why: str) -> None:
        if next(named) < _NAMED:
            say(f"{job.recording.key}: {why}")

    return Told(progress, tell, say)
