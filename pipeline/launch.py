"""What a command needs to start its work: the services, and a run or a `clean` to its end.

Heavy libraries are imported where they are used, so that a command that needs none is quick.
"""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline import __version__
from pipeline.config.schema import Monitoring
from pipeline.errors import BudgetSpent, CannotRun
from pipeline.event_loop import in_event_loop, interruptible, settle_memory
from pipeline.extras import require
from pipeline.logs import event
from pipeline.naming import S3Uri, job_name_prefix
from pipeline.terminal import CANNOT_RUN, say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.monitoring.summary import RunEnd, Summary
    from pipeline.net.wait_times import WaitTimes
    from pipeline.recordings.source import Source
    from pipeline.run import Run
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.output_file import OutputFile
    from pipeline.state.cleanup import Cleaning, Cleanup
    from pipeline.state.lock import StateLock
    from pipeline.state.reader import StateReader
    from pipeline.state.run_state import RunState
    from pipeline.terminal import Style
    from pipeline.vocabulary.service import Vocabularies


class RunOptions(NamedTuple):
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


def complete(options: RunOptions) -> Summary:
    """Take the state file and the output first: two runs must not even begin to list."""
    from pipeline.monitoring.history_sampler import settings_of
    from pipeline.stages.output_file import refuse_foreign_output
    from pipeline.stages.writer import refuse_another_kind
    from pipeline.state.lock import hold
    from pipeline.state.run_state import open_held

    config = options.config
    uri, bucket = _checked_source(options)
    if not options.rebuild_output and not config.state_path.exists():
        refuse_foreign_output(config.output_path, config.state_path)
    name_prefix = job_name_prefix(config.transcribe.job_prefix, bucket)
    with hold(config.state_path) as lock, _output(options, bucket) as output:
        if options.rebuild_state:
            lock.set_aside()
        if config.s3_output:
            in_event_loop(_prepare(options, output, lock))
        with open_held(lock, name_prefix) as state:
            if not options.rebuild_output:  # before the run counts: it never began
                refuse_another_kind(state, config.tasks.kind)
            places = options.earlier.facts.result_places() if options.earlier else ()
            state.begin(uri, config.output.results, *map(str, places))
            if options.earlier:
                state.facts.remember_fingerprints(options.earlier.facts.earlier_fingerprints())
            state.history.begin_run(settings_of(config, uri))
            with state.history.ending(CANNOT_RUN):
                return in_event_loop(_with_services(options, state, output))


def _checked_source(options: RunOptions) -> tuple[str, str]:
    """The source and its bucket, before there is a state file of a run that can't begin."""
    config, place = options.config, options.place
    if config.s3_output:
        from pipeline.s3_output.refusals import refuse_unfit

        refuse_unfit(config, place, anew=options.rebuild_output and not options.rebuild_state)
    if isinstance(place, S3Uri):
        return str(place), place.bucket
    require("local")
    return place.as_uri(), place.as_uri()


def _output(options: RunOptions, bucket: str) -> OutputFile:
    """Where the tasks go: a file, or parts on S3."""
    from pipeline.stages.output_file import OutputFile

    if not options.config.s3_output:
        return OutputFile(options.config.output_path)
    from pipeline.s3_output.sealed_output import SealedOutput

    return SealedOutput(options.config, bucket)


async def _prepare(options: RunOptions, output: OutputFile, lock: StateLock) -> None:
    """The output on S3 is this source's, and the state file is as new as anybody's."""
    from pipeline.net.wait_times import WaitTimes

    async with services(options.config, options.place, WaitTimes()) as (config, source, _, s3):
        if options.rebuild_state:
            output.set_aside()
        await output.prepare(s3, lock, config, source.uri)


async def _with_services(options: RunOptions, state: RunState, output: OutputFile) -> Summary:
    from pipeline.config.pricing import FREE
    from pipeline.jobs.rules import JobRules
    from pipeline.recordings.manifest import named_by
    from pipeline.run import Run

    tracker = _tracker(options.config, state)
    async with services(options.config, options.place, tracker.waits) as (
        config,
        whole,
        session,
        s3,
    ):
        source = named_by(options.manifest, whole, s3) if options.manifest else whole
        if config.shard.count > 1:
            from pipeline.s3_output.shard_source import ShardSource

            source = ShardSource(source, config.shard, JobRules(config, source).identity)
        if not isinstance(options.place, S3Uri):
            config = msgspec.structs.replace(config, prices=FREE)  # noqa: PLW2901 # of this run
        event(
            "run.started",
            version=__version__,
            source=source.uri,
            output=config.output_name,
            state=str(config.state_path),
        )
        run = Run(config, source, tracker, session, s3)
        summary = _recorded(run, await _watched(run, options, output))
        return await _published(run, output, summary) if config.s3_output else summary


async def _published(run: Run, output: OutputFile, summary: Summary) -> Summary:
    """Put beside the parts how the run has ended; what can't be put there changes no exit code."""
    from pipeline.monitoring.summary import with_note

    content, failures = msgspec.json.encode(summary), summary.files.failures
    try:
        await output.publish(
            run.s3, run.tracker.state, content, Path(failures) if failures else None
        )
    except CannotRun as error:
        say(str(error))
        summary = with_note(summary, f"Other machines are not told of this run's end: {error}")
    return summary


def _recorded(run: Run, summary: Summary) -> Summary:
    """Write down how the run has ended; what can't be written is told, and changes no exit code."""
    from pipeline.monitoring.failures_file import write_failures
    from pipeline.monitoring.summary import with_note

    state, listed = run.tracker.state, run.tracker.counters.listing_done
    try:
        write_failures(run.config.failures_path, run.source, state, listed=listed)
    except CannotRun as error:
        say(str(error))
        summary = with_note(summary, f"The failures are not in a file: {error}", failures="")
    try:
        state.history.end_run(msgspec.json.encode(summary))
    except CannotRun as error:
        say(str(error))
        summary = with_note(summary, f"The run is not in the history: {error}")
    return summary


def _tracker(config: Config, state: RunState) -> JobTracker:
    from pipeline.stages.job_tracker import JobTracker

    queueing = bool(config.transcribe.data_access_role)
    return JobTracker(state, config.most_in_flight, config.most_starts, queueing=queueing)


async def _watched(run: Run, options: RunOptions, output: OutputFile) -> Summary:
    """The run to its end, while progress, history and whoever monitors it look at it."""
    from pipeline.monitoring.exporters import exported, last_success
    from pipeline.monitoring.history_sampler import history_kept
    from pipeline.monitoring.progress import shown
    from pipeline.monitoring.snapshot import take_snapshot
    from pipeline.recordings.selection import Selection

    base = options.place.key if isinstance(options.place, S3Uri) else ""
    selection = Selection(base, run.config.input)
    rebuild = options.rebuild_output and not run.config.s3_output
    work = partial(run.complete, output, selection, rebuild=rebuild)
    if options.earlier:
        work = partial(run.rewrite, output, options.earlier)
    state, take = run.tracker.state, partial(take_snapshot, run)
    async with (
        shown(take, run.config.state_path, options.style),
        history_kept(state, take),
        exported(take, options.monitoring, last_success(state.reader), say) as status,
    ):
        summary = await _summary_of(run, work)
        status.end(summary.exit_code)
    return summary


async def _summary_of(run: Run, work: Callable[[], Coroutine[None, None, None]]) -> Summary:
    """Complete the run, or end it as it must end; the facts of it either way."""
    from pipeline.monitoring.summary import OVER_BUDGET, RunEnd, summarise

    end = await ended(work)
    if end.exit_code:
        return summarise(run, end)
    if run.tracker.pending.spent and (
        run.tracker.state.recordings.pending() or not run.tracker.counters.listing_done
    ):
        return summarise(run, RunEnd(OVER_BUDGET, run.tracker.pending.limit))
    return summarise(run, end)


async def clean(
    config: Config, state: Cleanup, what: Cleaning, show: Callable[[int], None]
) -> Ended:
    """Delete the jobs that are due, until it is done or must end; `show` gets the count so far."""
    from pipeline.jobs.cleanup import Cleaner
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.jobs.client import Transcriber
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

    waiting, begun = WaitTimes(), time.monotonic()
    async with services(config, S3Uri(state.bucket, ""), waiting) as (_, _, session, s3):
        transcriber = Transcriber(session, config.limits, waiting, JobSlots(1, waiting))
        cleaner = Cleaner(state, transcriber, s3, what, show)
        end = await ended(partial(cleaner.clean, config.budget))
    if not end.exit_code and cleaner.cleaned.deferred:
        end = end._replace(exit_code=1)
    operations = (*transcriber.operations, *s3.operations)
    calls = {each.name: each.calls for each in operations if each.calls}
    return Ended(cleaner.cleaned, calls, time.monotonic() - begun, *end)


async def ended(work: Callable[[], Coroutine[None, None, None]]) -> RunEnd:
    """Do the work to its end, or to where it must end; how it ended."""
    from pipeline.monitoring.summary import OVER_BUDGET, RunEnd

    try:
        received = await interruptible(work)
    except CannotRun as error:
        return RunEnd(CANNOT_RUN, str(error), error.problem, error.advice)
    except BudgetSpent as over:
        return RunEnd(OVER_BUDGET, str(over))
    return RunEnd(128 + received, "interrupted") if received else RunEnd()


@asynccontextmanager
async def services(
    config: Config, place: S3Uri | Path, waiting: WaitTimes
) -> AsyncIterator[tuple[Config, Source, Session, S3]]:
    """AWS for a bucket, or the local endpoint for a folder; the same client for both."""
    from pipeline.aws.s3 import open_s3
    from pipeline.aws.session import connect
    from pipeline.recordings.bucket import S3Source
    from pipeline.recordings.folder import FolderSource

    connections = config.limits.workers + config.limits.collectors
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        keys = None
        if isinstance(place, Path):
            from pipeline.local import CloudOptions, local_cloud

            _leave_the_account_alone()
            cloud = await enter(local_cloud(place, CloudOptions(writable=False)))
            config, keys = _for_folder(config, cloud.url, cloud.region), cloud.keys
        session = await enter(connect(config.aws, connections, keys, config.limits))
        s3 = await enter(open_s3(session, config.limits, waiting))
        source: Source = (
            FolderSource(place, cloud.bucket) if isinstance(place, Path) else S3Source(place, s3)
        )
        settle_memory()
        yield config, source, session, s3


@asynccontextmanager
async def vocabularies(config: Config, place: S3Uri) -> AsyncIterator[Vocabularies]:
    """The custom vocabularies of the account; their tables lie in the bucket of `place`."""
    from pipeline.net.wait_times import WaitTimes
    from pipeline.vocabulary.service import Vocabularies

    waiting = WaitTimes()
    async with services(config, place, waiting) as (_, _, session, s3):
        yield Vocabularies(session, s3, waiting)


def _leave_the_account_alone() -> None:
    """A folder needs no account: no profile, proxy or authority of this machine is in its way."""
    profiles, bundles = (
        ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    )
    for name in (*profiles, *bundles):
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
