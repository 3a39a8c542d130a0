"""What is on S3, for the commands that look at a run: its tasks and its state files."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from pipeline.config.shards import Shard, refuse_unnamed_shard
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.services import services
from pipeline.naming import S3Uri
from pipeline.net.retry import never_deferred

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.s3_output.layout import Layout
    from pipeline.s3_output.overview import Overview
    from pipeline.state.run_state import RunState


def with_tasks_here(config: Config) -> Config:
    """The settings with the tasks in a file; those on S3 are brought into a copy that grows.

    Raises:
        CannotRun: they can't be read, or were changed.
    """
    if not config.s3_output:
        return config
    replace = msgspec.structs.replace
    copy = f"{_name(config.s3_output)}.copy.jsonl"
    here = replace(config, output=replace(config.output, output=copy, state=""))
    in_event_loop(_bring(config, here))
    return here


@contextmanager
def with_state_here(config: Config) -> Iterator[Config]:
    """The settings with the shard's state in a file, for reading.

    Raises:
        CannotRun: it can't be read.
    """
    if not config.s3_output:
        yield config
        return
    refuse_unnamed_shard(config.cluster)
    with TemporaryDirectory() as folder:
        path = in_event_loop(_fetch(config, Path(folder)))
        yield msgspec.structs.replace(
            config, output=msgspec.structs.replace(config.output, state=str(path))
        )


def overview_of(config: Config) -> Overview:
    """How far the shards are.

    Raises:
        CannotRun: it can't be read.
    """
    return in_event_loop(_overview(config))


def change_states(config: Config, change: Callable[[Sequence[RunState]], None]) -> None:
    """Change the states of all shards; runs take it up when they begin.

    Raises:
        CannotRun: one can't be read or written; those before it are changed.
    """
    in_event_loop(_change(config, change))


async def _bring(config: Config, here: Config) -> None:
    from pipeline.s3_output.tasks_copy import bring_tasks

    async with _opened(config) as (s3, layout):
        await bring_tasks(s3, layout, here.output_path, here.state_path)


async def _fetch(config: Config, folder: Path) -> Path:
    from pipeline.s3_output.states import fetch_state

    async with _opened(config) as (s3, layout):
        return (await fetch_state(s3, layout, folder)).path


async def _overview(config: Config) -> Overview:
    from pipeline.s3_output.overview import overview

    async with _opened(config) as (s3, layout):
        return await overview(s3, layout, datetime.now(UTC))


async def _change(config: Config, change: Callable[[Sequence[RunState]], None]) -> None:
    from pipeline.s3_output.overview import overview, refuse_running
    from pipeline.s3_output.states import fetch_state, put_back
    from pipeline.state.run_state import open_state

    async with _opened(config) as (s3, layout):
        found = await overview(s3, layout, datetime.now(UTC))
        refuse_running(found)
        shards = [Shard(each.shard, len(found.shards)) for each in found.shards if each.told]
        with TemporaryDirectory() as folder:
            copies = [
                await fetch_state(s3, layout._replace(shard=each), Path(folder)) for each in shards
            ]
            with ExitStack() as opened:
                change([opened.enter_context(open_state(each.path, "")) for each in copies])
            for each in copies:
                await put_back(s3, each)


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[tuple[S3, Layout]]:
    from pipeline.net.wait_times import WaitTimes
    from pipeline.s3_output.layout import Layout

    assert config.s3_output is not None
    place = S3Uri(config.s3_output.bucket, "")
    async with services(config, place, WaitTimes()) as (_, _, _, s3):
        with never_deferred("the output was looked at"):
            yield s3, Layout(config.s3_output, config.shard)


def _name(output: S3Uri) -> str:
    return output.key.rstrip("/").rpartition("/")[2] or output.bucket
