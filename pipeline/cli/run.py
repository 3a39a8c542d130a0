"""`run SOURCE`: the main job."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
import typer

from pipeline.cli.options import (
    CANNOT_RUN,
    ConfigFile,
    OutputFile,
    StateFile,
    examples,
    option,
    say,
    settings,
)
from pipeline.errors import BadSettings, CannotRun, NoSuchSource
from pipeline.naming import S3Place, group_tag, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from pipeline.aws import Session
    from pipeline.board import Board
    from pipeline.config import Config
    from pipeline.progress import Style
    from pipeline.s3 import S3
    from pipeline.sources import Source
    from pipeline.state import State
    from pipeline.summary import Summary

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
    ("From cron: no progress, the facts as one line of JSON", "run s3://bucket/ --quiet --json"),
)


def command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")
    ],
    output: OutputFile = None,
    state: StateFile = None,
    results: Annotated[str | None, option("results", "S3URI")] = None,
    language: Annotated[str | None, option("language", "CODE")] = None,
    include: Annotated[list[str] | None, option("include", "GLOB")] = None,
    exclude: Annotated[list[str] | None, option("exclude", "GLOB")] = None,
    max_in_flight: Annotated[int | None, option("max_in_flight", "N")] = None,
    start_rate: Annotated[float | None, option("start_rate", "N")] = None,
    workers: Annotated[int | None, option("workers", "N")] = None,
    profile: Annotated[str | None, option("profile", "NAME")] = None,
    region: Annotated[str | None, option("region", "NAME")] = None,
    endpoint_url: Annotated[str | None, option("endpoint_url", "URL")] = None,
    config: ConfigFile = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one line of JSON on stdout.")
    ] = False,
) -> None:
    """Transcribe every recording of SOURCE and write a Label Studio task for each.

    Only recordings that have no task yet are transcribed: a second run over the same source
    starts nothing, and an interrupted one goes on where it stopped.

    Exit codes: 0 everything is written; 1 some recordings failed, the others are written; 2 it
    can't run; 130 or 143 interrupted, run it again to go on.
    """
    chosen = settings(
        config,
        output=output,
        state=state,
        results=results,
        language=language,
        include=include,
        exclude=exclude,
        max_in_flight=max_in_flight,
        start_rate=start_rate,
        workers=workers,
        profile=profile,
        region=region,
        endpoint_url=endpoint_url,
    )
    from pipeline.progress import style_for

    order = Order(chosen, parse_source(source, chosen), style_for(quiet=quiet))
    raise typer.Exit(_report(_complete(order), quiet=quiet, json=json))


class Order(NamedTuple):
    """What is to be done: the settings, the place of the recordings, how progress is told."""

    config: Config
    place: S3Place | Path
    style: Style


def parse_source(source: str, config: Config) -> S3Place | Path:
    """The bucket and prefix, or the folder, that SOURCE names.

    Raises:
        BadSettings: it is neither, or the settings do not go with a folder.
        NoSuchSource: there is no such folder.
    """
    place = parse_s3_uri(source)
    if place is not None:
        return place
    if "://" in source:
        raise BadSettings(f"SOURCE {source!r}: write it as s3://bucket/prefix, or name a folder.")
    folder = Path(source).absolute()
    if not folder.is_dir():
        if folder.exists():
            raise NoSuchSource(f"{source} is a file: name the folder it is in, and --include it.")
        raise NoSuchSource(f"There is no folder {source} (a bucket is s3://bucket/prefix).")
    language = config.transcribe.language
    if language != "auto" and not language.startswith("en-"):
        raise BadSettings(
            f"language = {language!r}: the recogniser for folders knows US English only. "
            "Recordings in other languages need a bucket and Amazon Transcribe."
        )
    if config.output.results:
        raise BadSettings("results goes with a bucket: a folder's transcripts are not kept.")
    return folder


def _report(summary: Summary, *, quiet: bool, json: bool) -> int:
    """Print the summary where it is wanted; return the exit code."""
    from pipeline.summary import as_text

    if summary.exit_code == CANNOT_RUN:
        say(summary.stopped)
        quiet = quiet or not summary.listed
    if json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    elif not quiet or summary.exit_code == 1:
        typer.echo(as_text(summary), err=True)
    return summary.exit_code


def _complete(order: Order) -> Summary:
    """Take the state file first: two runs must not even begin to list."""
    import uvloop

    from pipeline.state import open_state

    config, place = order.config, order.place
    if isinstance(place, S3Place):
        uri, bucket = str(place), place.bucket
    else:
        uri = bucket = place.as_uri()
    with open_state(config.state_path, group_tag(config.transcribe.job_prefix, bucket)) as state:
        state.begin(uri)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_with_services(order, state))


async def _with_services(order: Order, state: State) -> Summary:
    from pipeline.board import Board
    from pipeline.progress import shown
    from pipeline.run import Run
    from pipeline.sources import Selection
    from pipeline.summary import summarise

    board = Board(state, order.config.limits.max_in_flight)
    base = order.place.key if isinstance(order.place, S3Place) else ""
    selection = Selection(base, order.config.input.include, order.config.input.exclude)
    async with _services(order, board) as (config, source, session, s3):
        run = Run(config, source, board, session, s3)
        try:
            async with shown(board, order.style):
                received = await _interruptible(lambda: run.complete(selection))
        except CannotRun as error:
            return summarise(run, CANNOT_RUN, str(error))
        if received:
            return summarise(run, 128 + received, "interrupted")
        return summarise(run, 0)


@asynccontextmanager
async def _services(
    order: Order, board: Board
) -> AsyncIterator[tuple[Config, Source, Session, S3]]:
    """AWS for a bucket, or the local endpoint for a folder; the same client for both."""
    from pipeline.aws import connect
    from pipeline.s3 import open_s3
    from pipeline.sources import FolderSource, S3Source

    config, place = order.config, order.place
    connections = config.limits.workers + config.limits.collectors
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        keys = None
        if isinstance(place, Path):
            from pipeline.local import local_cloud

            _leave_the_account_alone()
            cloud = await enter(local_cloud(place))
            config, keys = _for_folder(config, cloud.url, cloud.region), ("local", "local")
        session = await enter(connect(config.aws, connections, keys))
        s3 = await enter(open_s3(session, connections, board.braking))
        if isinstance(place, Path):
            yield config, FolderSource(place, cloud.bucket), session, s3
        else:
            yield config, S3Source(place, s3), session, s3


def _leave_the_account_alone() -> None:
    """A folder needs no account: no profile or proxy of this machine gets in its way."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"


def _for_folder(config: Config, url: str, region: str) -> Config:
    """The settings with the local endpoint in AWS's place, and predictions named after it."""
    replace = msgspec.structs.replace
    model = config.tasks.model_version or f"pocketsphinx/{config.transcribe.language}"
    return replace(
        config,
        aws=replace(config.aws, endpoint_url=url, region=region, profile=""),
        tasks=replace(config.tasks, model_version=model),
    )


async def _interruptible(work: Callable[[], Coroutine[None, None, None]]) -> int:
    """Do the work; the first SIGINT or SIGTERM cancels it and is returned, else 0.

    A second signal has its ordinary effect.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work())
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received else 0
