"""`pull`: the reviewers' corrections, from a Label Studio project into the ground truth."""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import GROUND_TRUTH, Given, with_settings
from pipeline.cli.options import Json, Quiet, examples
from pipeline.errors import BadSettings
from pipeline.launch.event_loop import in_event_loop, interruptible
from pipeline.terminal import CANNOT_RUN, answer, say, style_for
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.label_studio import LabelStudio
    from pipeline.config.schema import Config
    from pipeline.ground_truth.store import Changes

SOME_UNREAD = 1
_SHOWN = 10
EXAMPLES = examples(
    (
        "Take what was reviewed since the last time; the token is in LABEL_STUDIO_API_KEY",
        "pull --url https://labels.example.com --project 12",
    ),
    ("From cron: the counts as one line of JSON", "pull --config calls.toml --quiet --json"),
    ("All projects that an output was split among", "pull --title 'Calls 2026'"),
    ("Compare every annotation, whatever the server says of changes", "pull --project 12 --all"),
)


@with_settings(("url", "project"), GROUND_TRUTH, ("token_file",))
def command(
    *,
    chosen: Config,
    given: Given,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TITLE", help="All projects of `push --create TITLE`, also those behind it."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take every annotation, not only what changed.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Bring reviews back from Label Studio as ground truth.

    Each annotation is one line, with the prediction's text next to the reviewer's. A later
    correction replaces the earlier line, a deleted annotation is removed, and skipped tasks and
    drafts are left out. A recording of several tasks is one line, once all of them are reviewed.
    Pull again and nothing is doubled. Several projects may share a file.
    """
    server = chosen.label_studio
    _check(server, title, given)
    pulled: dict[int, Changes] = {}

    async def work() -> None:
        await _pull(chosen, title, pulled, whole=everything, quiet=quiet)

    if received := in_event_loop(interruptible(work)):
        say(
            "interrupted; the same command goes on with the other projects."
            if pulled
            else "interrupted, and nothing was changed; the same command begins again."
        )
        raise typer.Exit(128 + received)
    together = reduce(lambda one, other: one.beside(other), pulled.values())
    if json:
        answer(msgspec.json.encode(together))
    elif not quiet:
        typer.echo(_in_words(together, server.ground_truth), err=True)
    code = max(
        _told(msgspec.structs.replace(server, project=number), pulled[number]) for number in pulled
    )
    if code:
        raise typer.Exit(code)


def _check(server: LabelStudio, title: str | None, given: Given) -> None:
    if title is not None and "project" in given:
        raise BadSettings("--project and --title both name projects", "Name one of them.")
    if not server.project and title is None:
        raise BadSettings(
            "Which project?",
            "Name its number with --project, as its address shows it, or its --title.",
        )


def _told(server: LabelStudio, changes: Changes) -> int:
    """Say what is in doubt, and which tasks could not be read; the exit code for it."""
    if changes.doubt:
        say(
            f"Nothing that Label Studio left out of project {server.project} is removed, as "
            f"{changes.doubt}. What {server.ground_truth} has of it stays. Pull again; if it is "
            "said again, ask the server's administrator, or the people who run a proxy or a cache "
            "in between."
        )
        if not changes.given:
            return CANNOT_RUN
    for sentence in _to_do(server, changes):
        say(sentence)
    return SOME_UNREAD if changes.unread else 0


async def _pull(
    config: Config, title: str | None, pulled: dict[int, Changes], *, whole: bool, quiet: bool
) -> None:
    """Pull project after project; `pulled` gets what changed, by their numbers."""
    from pipeline.label_studio.client import connected
    from pipeline.label_studio.members import numbers_titled
    from pipeline.label_studio.pull import PullOptions, pull
    from pipeline.label_studio.token import address, read_token

    chosen = config.label_studio
    path, style = Path(chosen.ground_truth), style_for(quiet=quiet)
    url, token = address(chosen, os.environ), read_token(chosen, os.environ)
    async with connected(url, token, config.limits) as client:
        titled = title is not None
        numbers = await numbers_titled(client, title or "") if titled else [chosen.project]
        for number in numbers:
            pulled[number] = await pull(
                client, PullOptions(number, path, whole, style, chosen.prefer)
            )


def _in_words(changes: Changes, path: str) -> str:
    return (
        f"Pulled: {changes.added:,} added, {changes.replaced:,} corrected, "
        f"{changes.removed:,} removed; {path} has {count_of(changes.total, 'line')}."
    )


def _numbers(tasks: list[int]) -> str:
    return ", ".join(map(str, tasks[:_SHOWN])) + (", ..." if len(tasks) > _SHOWN else "")


def _to_do(server: LabelStudio, changes: Changes) -> Iterator[str]:
    """What is to be done in the project before its reviews are whole."""
    tasks, path = f"of project {server.project}'s tasks", server.ground_truth
    if changes.empty:
        yield (
            f"{count_of(len(changes.empty), f'{tasks} has', f'{tasks} have')} an empty review, "
            f"though words were heard in the recording ({_numbers(changes.empty)}). Open each "
            "there: where someone speaks, write it down or delete the annotation; then pull again."
        )
    if changes.skipped:
        skipped = count_of(
            changes.skipped_total,
            f"{tasks} was skipped, and nobody has reviewed it",
            f"{tasks} were skipped, and nobody has reviewed them",
        )
        yield (
            f"{skipped} ({_numbers(changes.skipped)}). Skipped tasks are no part of {path}; see "
            "what is wrong with them in the Data Manager, with the filter *Cancelled annotations* "
            "> 0."
        )
    if changes.incomplete:
        yield _incomplete(server, changes)
    if unknown := changes.unknown_parts:
        yield (
            f"{count_of(len(unknown), f'{tasks} is', f'{tasks} are')} a part of a long recording, "
            f"and another program dropped the `meta` that says which ({_numbers(unknown)}); {path} "
            "does not have it. Have the other parts of the recording in this project too, or push "
            "it into a new project and review it there."
        )
    if changes.unread:
        yield (
            f"Label Studio can't give out {len(changes.unread):,} {tasks} "
            f"({_numbers(changes.unread)}); what {path} has of them stays. Open each there: a text "
            "with a character that is none (half an emoji) is the usual cause; then pull again."
        )


def _incomplete(server: LabelStudio, changes: Changes) -> str:
    """Which long recordings have no line yet, and why."""
    lacking = f" ({_numbers(changes.to_review)})" if changes.to_review else ""
    project, path = f"project {server.project}", server.ground_truth
    recordings = count_of(
        changes.incomplete,
        f"long recording of {project} is reviewed in part, so {path} does not have it",
        f"long recordings of {project} are reviewed in part, so {path} does not have them",
    )
    tasks = count_of(changes.to_review_total, "of the tasks is", "of the tasks are")
    return (
        f"{recordings}. {tasks} not reviewed{lacking}, or the review is empty or of an earlier "
        "transcript than the other parts': review the task again and delete that one. "
        "`push --again` of the output that they came from puts back what was deleted."
    )
