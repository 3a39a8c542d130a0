"""What is on S3, for the commands that look at a run: its tasks and its state files."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pipeline.config.shards import Shard, refuse_unnamed_shard
from pipeline.errors import OutputUnusable, PipelineError
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.services import services
from pipeline.naming import S3Uri, folder_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.jobs.rules import JobRules
    from pipeline.launch.rebuild import Written
    from pipeline.plan.forecast import Earlier
    from pipeline.s3_output.claim import Description
    from pipeline.s3_output.layout import Layout
    from pipeline.s3_output.overview import Overview
    from pipeline.s3_output.states import StateCopy
    from pipeline.state.cleanup import Cleaning, Cleanup
    from pipeline.state.reader import StateReader
    from pipeline.state.run_state import RunState

T = TypeVar("T")


def with_tasks_here(config: Config) -> Config:
    """The settings with the tasks in a file; those on S3 are brought into a copy that grows.

    Raises:
        CannotRun: they can't be read, or were changed.
    """
    if not config.s3_output:
        return config
    from pipeline.s3_output.tasks_copy import bring_tasks

    replace = msgspec.structs.replace
    copy = f"{folder_name(config.s3_output)}.copy.jsonl"
    here = replace(config, output=replace(config.output, output=copy, state=""))
    _asked(config, partial(bring_tasks, path=here.output_path, state_path=here.state_path))
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
    from pipeline.s3_output.states import fetch_state

    refuse_unnamed_shard(config.cluster)
    with TemporaryDirectory() as folder:
        path = _asked(config, partial(fetch_state, folder=Path(folder))).path
        yield msgspec.structs.replace(
            config, output=msgspec.structs.replace(config.output, state=str(path))
        )


@contextmanager
def with_written_here(config: Config) -> Iterator[Written]:
    """What a run has written: its state file; of an output on S3 what all parts say of it.

    Raises:
        CannotRun: it can't be read, or was changed.
    """
    from pipeline.launch.rebuild import Written, written_by_run
    from pipeline.state.reader import read_state

    if not config.s3_output:
        with read_state(config.state_path) as read:
            yield written_by_run(read)
        return
    from pipeline.s3_output.written_tasks import note_written, read_origin
    from pipeline.state.run_state import open_state
    from pipeline.tasks.export import committed_lines

    here = with_tasks_here(config)
    tasks, own = Path(f"{folder_name(config.s3_output)}.jsonl"), (here.output_path, here.state_path)
    with read_state(here.state_path) as copy:
        parts = (
            f"{config.s3_output} {copy.facts.output_size}"  # none changes, and they are appended
        )
    with TemporaryDirectory() as folder, ExitStack() as opened:

        def rebuilt() -> StateReader:
            origin = _asked(config, read_origin)
            prefix = origin.description.prefix
            state = opened.enter_context(open_state(Path(folder) / "state", prefix))
            note_written(state, origin, committed_lines(*own))
            return state.reader

        yield Written(tasks, own, rebuilt, parts)


def known_of_earlier_runs(
    config: Config, job_rules: JobRules, s3: S3
) -> AbstractAsyncContextManager[Earlier]:
    """What earlier runs have done, for a plan; of all shards where the output is on S3.

    Raises:
        CannotRun: it is another source's, or can't be read.
    """
    if config.s3_output:
        from pipeline.s3_output.earlier_runs import earlier_runs as on_s3

        ours = description_of(config, job_rules.source.uri, job_rules.name_prefix)
        return on_s3(s3, config.s3_output, ours, job_rules)
    from pipeline.plan.planning import earlier_runs

    return earlier_runs(config.state_path, job_rules, s3)


def description_of(config: Config, source: str, name_prefix: str) -> Description:
    """What an output on S3 is of."""
    from pipeline.s3_output.claim import Description, Lanes

    profiles = tuple(config.cluster.lanes)
    lanes = Lanes(profiles, shards=config.shard.count if profiles else 0)
    return Description(source, config.tasks.kind, config.output.results, name_prefix, lanes=lanes)


def overview_of(config: Config) -> Overview:
    """How far the shards are.

    Raises:
        CannotRun: it can't be read.
    """
    from pipeline.s3_output.overview import overview

    return _asked(config, overview)


def change_states(config: Config, change: Callable[[Sequence[RunState]], None]) -> None:
    """Change the states of all shards; runs take it up when they begin.

    Raises:
        CannotRun: one can't be read or written; those before it are changed.
    """
    from pipeline.s3_output.states import put_back
    from pipeline.state.run_state import open_state

    async def changed(s3: S3, layout: Layout) -> None:
        with TemporaryDirectory() as folder:
            copies = await _copies(s3, layout, Path(folder))
            with ExitStack() as opened:
                change([opened.enter_context(open_state(each.path, "")) for each in copies])
            for each in copies:
                await put_back(s3, each)

    _asked(config, changed)


@contextmanager
def states_to_clean(config: Config, what: Cleaning) -> Iterator[list[Cleanup]]:
    """The states of all shards, on this machine; those that were changed are put back at the end.

    Raises:
        CannotRun: a shard runs, a part is missing or was changed, or a state can't be read or
            written.
    """
    from pipeline.state.cleanup import open_for_cleaning

    with TemporaryDirectory() as folder:
        copies = _asked(config, partial(_copies_to_clean, folder=Path(folder)))
        with ExitStack() as opened:
            states = [
                opened.enter_context(open_for_cleaning(each.path, each.layout.shard.number))
                for each in copies
            ]
            before = [each.count_due(what) for each in states]
            yield states
            left = [each.count_due(what) for each in states]
        each = zip(copies, before, left, strict=True)
        changed = [copy for copy, was, now in each if now != was]
        _asked(config, partial(_put_back, copies=changed))


async def _copies_to_clean(s3: S3, layout: Layout, folder: Path) -> list[StateCopy]:
    from pipeline.s3_output.parts import parts_there, unknown_parts
    from pipeline.state.run_state import open_state

    copies = await _copies(s3, layout, folder)
    if not copies:
        raise OutputUnusable(
            f"No run of {layout.output} has ended yet, so nothing is known to be deleted",
            "Run its `run` command to its end.",
        )
    there = await parts_there(s3, layout)
    for each in copies:
        with open_state(each.path, "") as state:
            unknown_parts(each.layout, state.parts.known(), there)
    return copies


async def _put_back(s3: S3, _: Layout, copies: Sequence[StateCopy]) -> None:
    """Put back every state that can be; one that was changed meanwhile holds up no other."""
    from pipeline.s3_output.states import put_back

    refused: list[PipelineError] = []
    for each in copies:
        try:
            await put_back(s3, each)
        except PipelineError as error:
            refused.append(error)
    if refused:
        raise refused[0]


async def _copies(s3: S3, layout: Layout, folder: Path) -> list[StateCopy]:
    """The states of all shards, none of which may run."""
    from pipeline.s3_output.overview import overview, refuse_running
    from pipeline.s3_output.states import fetch_state

    found = await overview(s3, layout)
    refuse_running(found)
    shards = [Shard(each.shard, len(found.shards)) for each in found.shards if each.told]
    return [await fetch_state(s3, layout._replace(shard=each), folder) for each in shards]


def _asked(config: Config, work: Callable[[S3, Layout], Coroutine[Any, Any, T]]) -> T:
    """What work on the output comes to, in an event loop of its own."""

    async def asked() -> T:
        async with opened_output(config) as (s3, layout):
            return await work(s3, layout)

    return in_event_loop(asked())


@asynccontextmanager
async def opened_output(config: Config) -> AsyncIterator[tuple[S3, Layout]]:
    """The output on S3; no call is left for later while the body looks at it.

    Raises:
        CannotRun: it can't be reached.
    """
    from pipeline.net.retry import never_deferred
    from pipeline.net.wait_times import WaitTimes
    from pipeline.s3_output.layout import Layout

    assert config.s3_output is not None
    place = S3Uri(config.s3_output.bucket, "")
    async with services(config, place, WaitTimes()) as (_, _, _, s3):
        with never_deferred("the output was looked at"):
            yield s3, Layout(config.s3_output, config.shard)
