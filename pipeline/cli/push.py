"""`push`: the tasks into a Label Studio project."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.end import End, end_by
from pipeline.cli.flags import AWS, FILES, GROUND_TRUTH, Given, refuse_idle, with_settings
from pipeline.cli.options import Quiet, examples
from pipeline.errors import BadSettings, CannotRun
from pipeline.launch.event_loop import in_event_loop, interruptible
from pipeline.terminal import answer, say, style_for
from pipeline.text import count_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Aws, Config
    from pipeline.label_studio.push_report import PushReport

SOME_REFUSED = 1
EXAMPLES = examples(
    (
        "Make a project and fill it; the token is in LABEL_STUDIO_API_KEY",
        "push --url https://labels.example.com --create 'Calls 2026'",
    ),
    (
        "Have segments corrected one after the other, by keys alone",
        "push --create 'Calls 2026' --layout focus",
    ),
    (
        "With a labeling configuration of your own, which is checked against the tasks",
        "push --create 'Calls 2026' --label-config team.xml",
    ),
    (
        "Every night after the run, with the address in LABEL_STUDIO_URL: add what is new",
        "push --project 12 --token-file token.txt --quiet",
    ),
    (
        "Have only the uncertain ones reviewed, and take the others as they are",
        "push --project 12 --review-below 0.9",
    ),
    (
        "Have a sample of the others reviewed too: `quality` then tells how wrong they are",
        "push --project 12 --review-below 0.9 --audit 5%",
    ),
    ("Have one task in ten reviewed by two people", "push --project 12 --overlap 10%"),
    (
        "Have reviewers hear the recordings of a folder: Label Studio gets copies of them",
        "push --create 'Calls 2026' --upload-audio",
    ),
    (
        "Split a large output among projects: Calls 2026, Calls 2026 2, ...",
        "push --create 'Calls 2026' --project-size 50000",
    ),
    ("Put back what was deleted in the project by mistake", "push --project 12 --again"),
)


@with_settings(
    ("url", "project", "layout"),
    FILES,
    ("token_file", "review_below", "audit", "overlap", "project_size", "upload_audio"),
    GROUND_TRUTH,
    AWS,
    on_s3=True,
)
def command(
    *,
    chosen: Config,
    given: Given,
    create: Annotated[
        str | None,
        typer.Option(
            metavar="TITLE", help="Make the project, unless there is one with this title."
        ),
    ] = None,
    label_config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The labeling configuration of a new project, instead of ours."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Look every task up, also those pushed before.")
    ] = False,
    reviewed_too: Annotated[
        bool,
        typer.Option("--reviewed-too", help="Give reviewed tasks new predictions too."),
    ] = False,
    quiet: Quiet = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the counts as one line of JSON on stdout.")
    ] = False,
) -> None:
    """Put the tasks into a Label Studio project.

    Each task is there once, with its prediction. Only committed tasks are sent, so it works during
    a run. Push again and it sends only what is new. Kill it, or lose OUTPUT.pushed, and no task is
    there twice: it looks every task up before it sends it. What was deleted in the project stays
    deleted, unless you give --again.

    A recording of over 200 segments has several tasks, which `pull` joins again; any other has one.
    When the recordings were transcribed again, with other settings, the tasks that are there get
    the new predictions. Reviewed ones are left alone, unless you give --reviewed-too. With
    --project-size what a project has no room for goes into new ones, with numbers in their titles.

    A project that it has made gets the labeling configuration of a later version, unless you have
    changed that, or there are annotations. Your own --label-config is checked against the tasks.

    Exit codes: 0 every task is there; 1 the server refused some, the others are there; 2 it can't
    push, or can't go on; 130 or 143 interrupted. After 2, 130 and 143 the same command continues.
    """
    _check(chosen, given, create, label_config)
    from pipeline.label_studio.push import Push
    from pipeline.label_studio.push_report import PushOptions
    from pipeline.launch.on_s3 import with_tasks_here

    chosen = with_tasks_here(chosen)
    style = style_for(quiet=quiet)
    aws = partial(_aws, chosen.aws)
    layout = chosen.label_studio.layout if "layout" in given else None
    options = PushOptions(chosen, create, again, reviewed_too, style, aws, label_config, layout)
    push = Push(options, os.environ)
    try:
        received = in_event_loop(interruptible(push.complete))
    except CannotRun as error:
        if push.report.done:
            _show(push.report, end_by(error), quiet=quiet, json=json)
        raise
    if push.report.address or not received:
        code = 128 + received if received else SOME_REFUSED if push.report.refused else 0
        end = End(code, "interrupted" * bool(received))
        _show(push.report, end, quiet=quiet, json=json)
    if received:
        say("interrupted; the same command goes on.")
        raise typer.Exit(128 + received)
    raise typer.Exit(SOME_REFUSED if push.report.refused else 0)


def _check(chosen: Config, given: Given, create: str | None, label_config: Path | None) -> None:
    """Refuse flags that do not go together."""
    if create is not None and "project" in given:
        raise BadSettings("--project and --create name two projects", "Name one of them.")
    if label_config is not None and create is None:
        raise BadSettings(
            "--label-config is for a project that is made, and --create names none",
            "A project that is there keeps its own: see Settings, Labeling Interface.",
        )
    if create is None:
        why = "a project that is named by its number takes everything"
        refuse_idle(given, ["project_size"], why, "Name the title of several with --create.")
    if create is None and chosen.label_studio.project:
        refuse_idle(
            given,
            ["layout"],
            "a project that is there keeps its labeling configuration",
            "Paste at Settings, Labeling Interface, what `labeling-config --layout` prints.",
        )
    if label_config is not None:
        refuse_idle(given, ["layout"], "--label-config says it all", "Leave one of them out.")
    if not chosen.label_studio.review_below:
        refuse_idle(
            given, GROUND_TRUTH, "every task is pushed, and none taken", "Add --review-below SCORE."
        )


def _aws(settings: Aws) -> Aws:
    """Where a storage is to find the buckets: where a run does, by the environment too."""
    from pipeline.aws.machine import with_defaults

    return with_defaults(settings)


def _show(report: PushReport, end: End, *, quiet: bool, json: bool) -> None:
    if json:
        facts = msgspec.to_builtins(report) | msgspec.to_builtins(end)
        helps = [*report.advice, *filter(None, [end.advice])]
        answer(msgspec.json.encode(facts | {"advice": helps}))
    elif not quiet:
        for line in _lines(report):
            typer.echo(line, err=True)
    for sentence in (*report.refusals, *report.advice):
        typer.echo(printable(sentence), err=True)


def _lines(report: PushReport) -> Iterator[str]:
    """The report in words."""
    if not report.address:
        yield "There are no tasks yet, so no project was made."
        return
    made = "New project" if report.created else "Project"
    yield f"{made} {report.project}: {report.address}"
    for address in report.further:
        yield f"It is full; new project behind it: {address}"
    yield f"Tasks:   {report.sent:,} pushed, {report.there:,} were there already"
    if report.split:
        long = count_of(report.split, "of these is long, and", "of these are long, and")
        yield f"Parts:   {long} got {count_of(report.parts, 'new task')}"
    if report.good:
        good = count_of(report.good, "as it is", "as they are")
        yield f"Taken:   {good}, into {report.ground_truth}"
    if report.audited:
        audited = count_of(report.audited, "that needs no review is", "that need no review are")
        yield f"Audit:   {audited} among the tasks all the same"
    if report.copied:
        copied = count_of(report.copied, "recording")
        yield f"Heard:   {copied} of this machine, copied to Label Studio"
    if report.unheard:
        silent = count_of(
            report.unheard,
            "recording that could not be copied; its task is",
            "recordings that could not be copied; their tasks are",
        )
        yield f"Silent:  {silent} there. Once that is mended, --again copies them."
    yield from _exceptions(report)


def _exceptions(report: PushReport) -> Iterator[str]:
    """What became of tasks that were not just pushed."""
    if report.upgraded:
        yield "Config:  the project has the labeling configuration of this version now"
    if report.renewed:
        renewed = count_of(
            report.renewed,
            "of a recording that was there has",
            "of recordings that were there have",
        )
        yield f"Renewed: {renewed} the new prediction"
    if report.reviewed:
        kept = count_of(
            report.reviewed,
            "of a recording that is reviewed stays as it is",
            "of recordings that are reviewed stay as they are",
        )
        yield f"Kept:    {kept} (--reviewed-too gives them the new prediction)"
    if report.lacking:
        lacking = count_of(report.lacking, "of these is", "of these are")
        yield (
            f"Lacking: {lacking} in several tasks, of which some were deleted. Push the output "
            "that they are from with --again, and they are back."
        )
    if report.refused:
        yield (
            f"Refused: {report.refused:,} that the server does not take; the others are there. "
            "Once that is mended, --again sends them."
        )
    if report.mended:
        yield f"Mended:  {report.mended:,} that lacked their prediction"
    if report.doubled:
        yield (
            f"Doubled: {count_of(report.doubled, 'task too many stands', 'tasks too many stand')} "
            "in the project, from elsewhere. In the Data Manager choose all, then Actions, Remove "
            "duplicated tasks. Where a long recording has a task of the whole beside its parts, "
            "delete that one."
        )
