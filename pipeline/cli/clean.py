"""`clean`: have the service forget the jobs of what was written long ago."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import AWS, FILES, Given, refuse_idle, with_settings
from pipeline.cli.options import Json, Quiet, Yes, examples
from pipeline.errors import BadSettings
from pipeline.jobs.cleanup_text import (
    Ended,
    Wanted,
    as_facts,
    as_lines,
    consequences,
    names_of_due,
)
from pipeline.launch.clean import clean, opened_for_cleaning
from pipeline.launch.event_loop import in_event_loop
from pipeline.terminal import CANNOT_RUN, answer, confirm, counted, say, style_for

if TYPE_CHECKING:
    from pipeline.config.schema import Config

EXAMPLES = examples(
    (
        "Look first: which jobs of recordings that were written a month ago and more",
        "clean --older-than 30d --dry-run",
    ),
    (
        "Delete their records at the service; it says what that means, and asks",
        "clean --older-than 30d",
    ),
    (
        "Every night after the run, an hour at most",
        "clean --older-than 30d --yes -q --max-hours 1",
    ),
    (
        "With the transcripts below --results, for good",
        "clean --older-than 8w --results-too",
    ),
)


@with_settings(FILES, ("until", "max_hours"), AWS, on_s3=True)
def command(
    *,
    older_than: Annotated[
        str,
        typer.Option(
            metavar="AGE",
            help="Only what was written so long ago: 12h, 30d, 8w.",
            show_default=False,
        ),
    ],
    chosen: Config,
    given: Given,
    results_too: Annotated[
        bool, typer.Option("--results-too", help="Delete transcripts below --results as well.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Print the jobs' names and delete nothing.")
    ] = False,
    yes: Yes = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Delete the service's job records of written recordings.

    The transcripts that the service keeps with them go too. It deletes only jobs of recordings that
    are written in the state file, or of their earlier versions. It looks each job up first, and
    leaves it unless its media is ours. Jobs that failed or run stay, and so do the tasks; where
    transcripts are deleted, their tasks must be there. You can interrupt it at any time.

    Exit codes: 0 nothing is left to delete; 1 the service gave no answer for some; 2 it can't
    delete; 3 --until or --max-hours ended it; 130 or 143 interrupted. After 1, 3, 130 and 143 the
    same command continues.
    """
    from pipeline.state.cleanup import Cleaning

    if dry_run:
        refuse_idle(given, ["json"], "--dry-run prints names", "Leave one of them out.")
    what = Cleaning(time.time() - _age(older_than), results_too)
    with opened_for_cleaning(chosen, what) as opened:
        count = sum(each.count_due(what) for each in opened)
        if dry_run:
            typer.echo("".join(f"{line}\n" for line in names_of_due(opened, what)), nl=False)
        if not quiet or not (yes or dry_run):
            named = str(chosen.s3_output or chosen.state_path)
            wanted = Wanted(what, named, older_than, chosen.limits.delete_rate)
            typer.echo("\n".join(consequences(opened, wanted, count)), err=True)
        if dry_run:
            return
        if count:
            confirm("Delete them?", "Nothing was deleted", "Agree with --yes.", yes=yes)
        with counted(style_for(quiet=quiet), count, "cleaned") as show:
            ended = in_event_loop(clean(chosen, opened, what, show))
    raise typer.Exit(_report(ended, quiet=quiet, json=json))


def _age(text: str) -> int:
    from pipeline.jobs.cleanup import parse_age

    try:
        return parse_age(text)
    except ValueError as error:
        raise BadSettings(f"--older-than: {error}", "Write it as 12h, 30d or 8w.") from error


def _report(ended: Ended, *, quiet: bool, json: bool) -> int:
    """Print what was done where it is wanted; return the exit code."""
    if ended.exit_code == CANNOT_RUN:
        say(ended.stopped)
    if json:
        answer(msgspec.json.encode(as_facts(ended)))
    elif not quiet or ended.exit_code == 1:
        typer.echo("\n".join(as_lines(ended)), err=True)
    return ended.exit_code
