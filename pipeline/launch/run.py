"""A run from its settings to its summary.

Heavy libraries are imported where they are used, so that a command that needs none is quick.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline import __version__
from pipeline.config.schema import Monitoring
from pipeline.errors import BadSettings, CannotRun, PipelineError
from pipeline.extras import require
from pipeline.launch.account import jobs_kept_aside, jobs_so_far, keep_to_account
from pipeline.launch.ending import ended
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.search import search_index
from pipeline.launch.services import services
from pipeline.launch.transcripts import transcript_files
from pipeline.logs import event
from pipeline.naming import S3Uri, job_name_prefix
from pipeline.net.retry import never_deferred
from pipeline.terminal import CANNOT_RUN, say

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pipeline.config.schema import Config
    from pipeline.launch.account import Elsewhere
    from pipeline.launch.transcripts import Wanted
    from pipeline.monitoring.summary import Summary
    from pipeline.run import Run
    from pipeline.stages.collector import Collectors
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.output_file import OutputFile
    from pipeline.state.history import Settings
    from pipeline.state.lock import StateLock
    from pipeline.state.reader import StateReader
    from pipeline.state.run_state import RunState
    from pipeline.terminal import Style


_SIGNALLED = 128
_INTERRUPTED_SECONDS = 20.0
"""How long a run that was told to end takes to tell other machines."""


class RunOptions(NamedTuple):
    """What is to be done: the settings, the place of the recordings, how progress is told.

    `manifest` names which of the recordings; `rebuild_output` writes every task again, and
    `rebuild_state` sets the state file aside first. With `earlier` the recordings are those that
    are written there, and nothing is started. `monitoring` is how others watch it: by default not
    at all, as only one of a night's commands can have the port and the files. `transcripts` are the
    files that each transcript becomes beside its task, `collectors` who makes the tasks elsewhere.
    """

    config: Config
    place: S3Uri | Path
    style: Style
    manifest: S3Uri | Path | None = None
    rebuild_output: bool = False
    rebuild_state: bool = False
    earlier: StateReader | None = None
    monitoring: Monitoring = Monitoring()
    transcripts: Wanted | None = None
    collectors: Callable[..., Collectors] | None = None


def complete(options: RunOptions) -> Summary:
    """Take the state file and the output first: two runs must not even begin to list."""
    from pipeline.stages.output_file import refuse_foreign_output
    from pipeline.state.lock import hold
    from pipeline.state.run_state import open_held

    config = options.config
    uri, bucket = _checked_source(options)
    if not (options.rebuild_output or config.s3_output or config.state_path.exists()):
        refuse_foreign_output(config.output_path, config.state_path)
    name_prefix = job_name_prefix(config.transcribe.job_prefix, bucket)
    with hold(config.state_path) as lock, _output(config, uri, name_prefix) as output:
        lock.bring_up_to_date()  # what can't be read tells of no jobs
        known = jobs_so_far(config, rebuilds=options.rebuild_output)
        kept = None
        if options.rebuild_state:
            kept = jobs_kept_aside(config, options.place, lock, known)
        if config.s3_output:
            in_event_loop(_prepare(options, output, lock))
        with open_held(lock, name_prefix, kept) as state:
            _begin(options, state, uri)
            state.history.begin_run(_settings(config, uri))
            with state.history.ending(CANNOT_RUN):
                return in_event_loop(_with_services(options, state, output, known))


def _begin(options: RunOptions, state: RunState, uri: str) -> None:
    """Begin the run over what this URI names."""
    from pipeline.stages.writer import refuse_another_kind
    from pipeline.state.facts import take_facts_of_jobs

    if not options.rebuild_output:  # before the run counts: it never began
        refuse_another_kind(state, options.config.tasks.kind)
    places = options.earlier.facts.told_results() if options.earlier else ()
    state.begin(uri, options.config.output.results, *places)
    if options.earlier:
        take_facts_of_jobs(state.facts, options.earlier.facts)


def _settings(config: Config, source: str) -> Settings:
    """What a run over `source` begins with."""
    from pipeline.state.history import Settings

    return Settings(
        source=source,
        output=config.output_name,
        language=config.transcribe.language,
        kind=config.tasks.kind,
        results=config.output.results,
        most_in_flight=config.most_in_flight,
        start_rate=config.limits.start_rate,
    )


def _checked_source(options: RunOptions) -> tuple[str, str]:
    """The source and its bucket, before there is a state file of a run that can't begin."""
    config, place = options.config, options.place
    if config.metadata.source == "manifest" and not (options.manifest or options.earlier):
        raise BadSettings(
            "source = 'manifest' in [metadata], and no manifest is named",
            "Name it with --manifest.",
        )
    if config.s3_output:
        from pipeline.launch.s3_refusals import refuse_unfit

        refuse_unfit(config, place, rewrites=options.rebuild_output and not options.rebuild_state)
    if isinstance(place, S3Uri):
        return str(place), place.bucket
    require("local")
    return place.as_uri(), place.as_uri()


def _output(config: Config, source: str, name_prefix: str) -> OutputFile:
    """Where the tasks go: a file, or parts on S3."""
    from pipeline.stages.output_file import OutputFile

    if not config.s3_output:
        return OutputFile(config.output_path)
    from pipeline.launch.on_s3 import description_of
    from pipeline.s3_output.layout import Layout
    from pipeline.s3_output.sealed_output import SealedOutput

    layout = Layout(config.s3_output, config.shard)
    ours = description_of(config, source, name_prefix)
    limits = msgspec.structs.replace(config.limits, max_in_flight=config.most_in_flight)
    return SealedOutput(config.output_path, layout, ours, config.cluster, limits)


async def _prepare(options: RunOptions, output: OutputFile, lock: StateLock) -> None:
    """The output on S3 is this source's, and the state file is as new as anybody's."""
    from pipeline.net.wait_times import WaitTimes

    async with services(options.config, options.place, WaitTimes()) as (_, _, session, s3):
        if options.rebuild_state:
            output.set_aside()
        with never_deferred("the output was looked at"):
            await output.prepare(s3, session, lock, rebuild_state=options.rebuild_state)


async def _with_services(
    options: RunOptions, state: RunState, output: OutputFile, known: Elsewhere
) -> Summary:
    from pipeline.aws.session import connect_lane
    from pipeline.config.pricing import FREE
    from pipeline.jobs.rules import JobRules
    from pipeline.recordings.manifest import named_by
    from pipeline.run import Run

    tracker = _tracker(options.config, state)
    async with AsyncExitStack() as opened:
        config, whole, session, s3 = await opened.enter_async_context(
            services(options.config, options.place, tracker.waits)
        )
        source = named_by(options.manifest, whole, s3, config.metadata)
        if config.shard.count > 1:
            from pipeline.s3_output.shard_source import ShardSource

            source = ShardSource(source, config.shard, JobRules(config, source).identity)
        if not isinstance(options.place, S3Uri):
            config = msgspec.structs.replace(config, prices=FREE)
        elif not (config.s3_output or options.earlier):
            await keep_to_account(session, config, state, known)
        event(
            "run.started",
            version=__version__,
            source=source.uri,
            output=config.output_name,
            state=str(config.state_path),
        )
        lane = await opened.enter_async_context(connect_lane(session, config.lane))
        run = Run(config, source, tracker, lane, s3)
        run.collectors = options.collectors or run.collectors
        output.share_limits(tracker, run.transcriber.rated_calls)
        of_a_folder = not isinstance(options.place, S3Uri)
        with (
            transcript_files(config, s3, options.transcripts) as files,
            search_index(config, tracker.note, of_a_folder=of_a_folder) as index,
        ):
            run.sinks = [sink for sink in (files, index) if sink]
            summary = _recorded(run, await _watched(run, options, output))
        return await _published(run, output, summary) if config.s3_output else summary


async def _published(run: Run, output: OutputFile, summary: Summary) -> Summary:
    """Put beside the parts how the run has ended; what can't be put there changes no exit code."""
    from pipeline.monitoring.summary import with_note

    content, failures = msgspec.json.encode(summary), summary.files.failures
    interrupted = summary.exit_code > _SIGNALLED
    try:
        async with asyncio.timeout(_INTERRUPTED_SECONDS if interrupted else None):
            await output.publish(
                run.s3, run.tracker.state, content, Path(failures) if failures else None
            )
    except (PipelineError, TimeoutError) as error:
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

    return JobTracker(
        state,
        config.most_in_flight,
        config.most_starts,
        queueing=bool(config.transcribe.data_access_role),
        timeout_hours=config.limits.job_timeout_hours,
    )


async def _watched(run: Run, options: RunOptions, output: OutputFile) -> Summary:
    """The run to its end, while progress, history and whoever monitors it look at it."""
    from pipeline.monitoring.exporters import exported, last_success
    from pipeline.monitoring.history_sampler import history_kept
    from pipeline.monitoring.progress import shown
    from pipeline.monitoring.snapshot import take_snapshot

    rebuild = options.rebuild_output and not run.config.s3_output
    work = partial(run.complete, output, rebuild=rebuild)
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
