"""`run SOURCE`: the main job."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer

from pipeline import __version__
from pipeline.cli.flags import (
    AWS,
    BUDGET,
    EVENTS,
    FILES,
    JOBS,
    LIMITS,
    MONITORING,
    SELECTION,
    with_settings,
)
from pipeline.cli.options import (
    CANNOT_RUN,
    ManifestFile,
    examples,
    say,
)
from pipeline.cli.place import parse_source
from pipeline.cli.services import interruptible, services
from pipeline.config.schema import (
    Config,  # the flags are made from the annotations
    Monitoring,
)
from pipeline.errors import BudgetSpent, CannotRun
from pipeline.logs import ERROR, INFO, WARNING, event, is_json
from pipeline.naming import S3Uri, group_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from pipeline.config.schema import Config
    from pipeline.monitoring.progress import Style
    from pipeline.monitoring.summary import Summary
    from pipeline.run import Run
    from pipeline.state.reader import StateReader
    from pipeline.state.run_state import State

NAME = "run"
EXAMPLES = examples(
    ("Transcribe a folder on this machine, without any account", "run recordings/"),
    (
        "Transcribe a bucket, with the transcripts kept in a bucket of yours",
        "run s3://bucket/calls/ --results s3://bucket/transcripts/",
    ),
    ("Go on after an interruption: the same command again", "run s3://bucket/calls/"),
    (
        "Take only this year's MP3 files, in whatever language they are",
        "run s3://bucket/calls/ --include '2026/*.mp3' --language auto",
    ),
    (
        "A window of the night: end at six, with 3 if work is left",
        "run s3://bucket/calls/ --until '06:00 Europe/Berlin'",
    ),
    (
        "A bucket of millions of objects, from its newest S3 Inventory",
        "run s3://bucket/calls/ --manifest s3://inventories/bucket/daily/",
    ),
    (
        "Let a queue tell when jobs end, instead of listing them (`events setup` makes it)",
        "run s3://bucket/ --events https://sqs.eu-central-1.amazonaws.com/123456789012/events",
    ),
    (
        "As much as fifty dollars pay for; `plan` tells how much that is",
        "run s3://bucket/calls/ --max-cost 50",
    ),
    ("From cron: no progress, the facts as one line of JSON", "run s3://bucket/ --quiet --json"),
)


@with_settings(FILES, JOBS, SELECTION, LIMITS, AWS, EVENTS, BUDGET, MONITORING)
def command(
    *,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")
    ],
    chosen: Config,
    manifest: ManifestFile = None,
    rebuild_output: Annotated[
        bool,
        typer.Option("--rebuild-output", help="Write every task anew, from existing results."),
    ] = False,
    rebuild_state: Annotated[
        bool,
        typer.Option("--rebuild-state", help="Set a damaged state file aside, then the same."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one line of JSON on stdout.")
    ] = False,
) -> None:
    """Transcribe every recording of SOURCE and write a Label Studio task for each.

    Only recordings that have no task yet are transcribed: a second run over the same source
    starts nothing, and an interrupted one goes on where it stopped.

    Exit codes: 0 everything is written; 1 some recordings failed, the others are written; 2 it
    can't run; 3 --limit, --until, --max-hours or --max-cost ended it with work left; 130 or 143
    interrupted. After 3, 130 and 143 the same command goes on.
    """
    from pipeline.monitoring.progress import style_for
    from pipeline.recordings.manifest_file import parse_place

    order = Order(
        chosen,
        parse_source(source, chosen),
        style_for(quiet=quiet),
        parse_place(manifest) if manifest else None,
        rebuild_output=rebuild_output or rebuild_state,
        rebuild_state=rebuild_state,
        monitoring=chosen.monitoring,
    )
    raise typer.Exit(report(complete(order), quiet=quiet, json=json))


class Order(NamedTuple):
    """What is to be done: the settings, the place of the recordings, how progress is told.

    `manifest` names which of the recordings; `rebuild_output` writes every task anew, and
    `rebuild_state` sets the state file aside first. With `earlier` the recordings are those that
    are written there, and nothing is started. `monitoring` is how others watch it: by default not
    at all, as only one of a night's commands can have the port and the files.
    """

    config: Config
    place: S3Uri | Path
    style: Style
    manifest: S3Uri | Path | None = None
    rebuild_output: bool = False
    rebuild_state: bool = False
    earlier: StateReader | None = None
    monitoring: Monitoring = Monitoring()


def report(summary: Summary, *, quiet: bool, json: bool) -> int:
    """Print the summary where it is wanted; return the exit code."""
    from pipeline.monitoring.summary_text import as_text

    if summary.exit_code == CANNOT_RUN:
        say(summary.stopped)
        quiet = quiet or not summary.counts.listed
    if json:
        typer.echo(msgspec.json.encode(summary))
    if is_json():
        level = {1: WARNING, CANNOT_RUN: ERROR}.get(summary.exit_code, INFO)
        facts = msgspec.to_builtins(summary)
        event("run.ended", level, message=as_text(summary), summary=facts)
    elif not json and (not quiet or summary.exit_code == 1):
        typer.echo(as_text(summary), err=True)
    return summary.exit_code


def complete(order: Order) -> Summary:
    """Take the state file first: two runs must not even begin to list."""
    import uvloop

    from pipeline.monitoring.history_sampler import settings_of
    from pipeline.stages.writer import refuse_foreign_output
    from pipeline.state.database import set_aside
    from pipeline.state.history import begin_run, ending
    from pipeline.state.run_state import open_state

    config, place = order.config, order.place
    if isinstance(place, S3Uri):
        uri, bucket = str(place), place.bucket
    else:
        uri = bucket = place.as_uri()
    if order.rebuild_state:
        set_aside(config.state_path)
    elif not order.rebuild_output and not config.state_path.exists():
        refuse_foreign_output(config.output_path, config.state_path)
    with open_state(config.state_path, group_tag(config.transcribe.job_prefix, bucket)) as state:
        places = order.earlier.result_places() if order.earlier else ()
        state.begin(uri, config.output.results, *map(str, places))
        if order.earlier:
            state.remember_fingerprints(order.earlier.earlier_fingerprints())
        begin_run(state, settings_of(config, uri))
        with (
            ending(state, CANNOT_RUN),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            return runner.run(_with_services(order, state))


async def _with_services(order: Order, state: State) -> Summary:
    from pipeline.config.pricing import FREE
    from pipeline.monitoring.exporters import exported, last_success
    from pipeline.monitoring.failures_file import write_failures
    from pipeline.monitoring.history_sampler import history_kept
    from pipeline.monitoring.progress import shown
    from pipeline.monitoring.snapshot import take_snapshot
    from pipeline.recordings.manifest import named_by
    from pipeline.recordings.source import Selection
    from pipeline.run import Run
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.state.history import end_run

    config = order.config
    tracker = JobTracker(
        state,
        config.most_in_flight,
        config.budget.limit or None,
        queueing=bool(config.transcribe.data_access_role),
    )
    base = order.place.key if isinstance(order.place, S3Uri) else ""
    selection = Selection(base, config.input.include, config.input.exclude)
    async with services(config, order.place, tracker.waits) as (set_up, whole, session, s3):
        is_free = not isinstance(order.place, S3Uri)
        config = msgspec.structs.replace(set_up, prices=FREE) if is_free else set_up
        source = named_by(order.manifest, whole, s3) if order.manifest else whole
        run = Run(config, source, tracker, session, s3)
        work = partial(run.complete, selection, rebuild=order.rebuild_output)
        if order.earlier:
            work = partial(run.rewrite, order.earlier)
        event(
            "run.started",
            version=__version__,
            source=source.uri,
            output=str(config.output_path),
            state=str(config.state_path),
        )
        take = partial(take_snapshot, run)
        async with (
            shown(take, config.state_path, order.style),
            history_kept(state, take),
            exported(take, order.monitoring, last_success(state), say) as status,
        ):
            summary = await _summary_of(run, work)
            status.end(summary.exit_code)
        end_run(state, msgspec.json.encode(summary))
        write_failures(config.failures_path, source, state, listed=tracker.counters.listing_done)
        return summary


async def _summary_of(run: Run, work: Callable[[], Coroutine[None, None, None]]) -> Summary:
    """Complete the run, or end it as it must end; the facts of it either way."""
    from pipeline.monitoring.summary import OVER_BUDGET, summarise

    try:
        received = await interruptible(work)
    except CannotRun as error:
        return summarise(run, CANNOT_RUN, str(error))
    except BudgetSpent as over:
        return summarise(run, OVER_BUDGET, str(over))
    if received:
        return summarise(run, 128 + received, "interrupted")
    if run.tracker.pending.spent and (
        run.tracker.state.pending() or not run.tracker.counters.listing_done
    ):
        return summarise(run, OVER_BUDGET, run.tracker.pending.limit)
    return summarise(run, 0)
