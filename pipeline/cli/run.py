"""`run SOURCE`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.flags import (
    AWS,
    BUDGET,
    ENGINE,
    EVENTS,
    FILES,
    JOBS,
    LIMITS,
    MONITORING,
    SELECTION,
    SHARDS,
    TRANSCRIPTS,
    Given,
    refuse_idle,
    with_settings,
)
from pipeline.cli.options import FailuresOnly, ManifestFile, Source, SummaryJson, examples, report
from pipeline.cli.place import parse_source, parse_transcripts
from pipeline.config.shards import Engine
from pipeline.errors import BadSettings
from pipeline.launch.run import RunOptions
from pipeline.terminal import style_for

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.launch.transcripts import Wanted
    from pipeline.naming import S3Uri

EXAMPLES = examples(
    ("Transcribe a folder on this machine, without any account", "run recordings/"),
    (
        "Transcribe a bucket, with the transcripts kept in a bucket of yours",
        "run s3://bucket/calls/ --results s3://bucket/transcripts/",
    ),
    ("Go on after an interruption: the same command again", "run s3://bucket/calls/"),
    (
        "Write each transcript as text and subtitles too",
        "run s3://bucket/calls/ --transcripts texts/ --transcript-format txt,srt",
    ),
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
    (
        "On a machine that may die, or as the third of eight: the tasks in parts on S3",
        "run s3://b/calls/ --results s3://b/t/ --output s3://b/tasks/ --shards 8 --shard 2",
    ),
    (
        "All eight shards on a Ray cluster, from one of its machines",
        "run s3://b/calls/ --results s3://b/t/ --output s3://b/tasks/ --shards 8 --engine ray",
    ),
    ("From cron: no progress, the facts as one line of JSON", "run s3://bucket/ --quiet --json"),
)


@with_settings(
    FILES,
    JOBS,
    TRANSCRIPTS,
    SELECTION,
    LIMITS,
    AWS,
    EVENTS,
    BUDGET,
    MONITORING,
    SHARDS,
    ENGINE,
    on_s3=True,
)
def command(
    *,
    source: Source,
    chosen: Config,
    given: Given,
    manifest: ManifestFile = None,
    rebuild_output: Annotated[
        bool,
        typer.Option("--rebuild-output", help="Rewrite every task, from existing results."),
    ] = False,
    rebuild_state: Annotated[
        bool,
        typer.Option(
            "--rebuild-state",
            help="Set a damaged state file aside first; else as --rebuild-output.",
        ),
    ] = False,
    quiet: FailuresOnly = False,
    json: SummaryJson = False,
) -> None:
    """Transcribe every recording of SOURCE into a task.

    It writes one Label Studio task for each recording, and transcribes only recordings that have no
    task yet: a second run over the same source starts nothing, and an interrupted one continues
    where it stopped.

    Exit codes: 0 everything is written; 1 some recordings failed, the others are written; 2 it
    can't run; 3 --limit, --until, --max-hours or --max-cost ended it with work left; 130 or 143
    interrupted. After 3, 130 and 143 the same command continues.
    """
    from pipeline.recordings.manifest_file import parse_place

    if not chosen.output.transcripts:
        refuse_idle(
            given, ["transcript_format"], "no transcripts are written", "Add --transcripts PLACE."
        )
    place = parse_source(source, chosen)
    options = RunOptions(
        chosen,
        place,
        style_for(quiet=quiet),
        parse_place(manifest) if manifest else None,
        rebuild_output=rebuild_output or rebuild_state,
        rebuild_state=rebuild_state,
        monitoring=chosen.monitoring,
        transcripts=_transcripts(chosen, place) if chosen.output.transcripts else None,
    )
    if chosen.cluster.engine is Engine.RAY:
        from pipeline.launch.on_ray.driver import complete_on_ray as complete
    else:
        from pipeline.launch.run import complete
    raise typer.Exit(report(complete(options), quiet=quiet, json=json))


def _transcripts(chosen: Config, source: S3Uri | Path) -> Wanted:
    """The files to be written beside the tasks.

    Raises:
        BadSettings: they can't be written by this run.
    """
    from pipeline.launch.transcripts import Wanted
    from pipeline.transcripts.captions import Layout

    to, formats = parse_transcripts(chosen)
    if not formats:
        raise BadSettings(
            "A run writes no parquet: its tables grow by many recordings at once",
            "Write them after it, with `transcripts --to PLACE --format parquet`.",
        )
    if chosen.cluster.engine is Engine.RAY:
        raise BadSettings(
            "--transcripts does not go with --engine ray",
            "Write them afterwards, with `transcripts --to PLACE` and the same --output.",
        )
    if isinstance(source, Path) and not isinstance(to, Path):
        raise BadSettings(
            f"--transcripts {to} is on S3, and SOURCE is a folder, which needs no account",
            "Name a folder for the transcripts too.",
        )
    return Wanted(to, formats, Layout())
