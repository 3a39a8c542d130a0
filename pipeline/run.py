"""Read this first: how a bucket of recordings becomes Label Studio tasks, top to bottom.

    producer            starters (bounded pool)        poller                  collectors            writer
    lists the source ─► start the job, retry,     ─►   one loop asks what  ─►  fetch transcript, ─►  append JSON Lines,
    into the state      back off, adopt on             has finished            build the task        checkpoint
      Recording           Job                            Job (finished)          Task (bytes)          state + file size

With `--events` a listener stands beside the poller: a queue tells which jobs have ended, and they
are listed seldom. Every arrow is bounded. The state file is the queue between producer and
starters, so a restart is the ordinary start. Stopping is a polite crash: the group is cancelled,
the writer makes a last checkpoint, and the next run adopts what still runs at the service.
"""  # noqa: E501 # the picture is wider than a line of code

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws.bucket_regions import WrongRegion, look_at_the_other
from pipeline.config.deadline import stop_in_time
from pipeline.errors import first_of
from pipeline.jobs.client import Transcriber
from pipeline.jobs.rules import JobRules
from pipeline.stages.collector import Collectors
from pipeline.stages.metadata_reader import MetadataReader
from pipeline.stages.poller import Poller
from pipeline.stages.producer import find_results, produce, take_over
from pipeline.stages.results import Results
from pipeline.stages.starters import Starters
from pipeline.stages.writer import LineQueue, forget_output, keep_to_one_kind, write
from pipeline.tasks.builder import TaskBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.events.listener import Listener
    from pipeline.events.queue import EventQueue
    from pipeline.model import Job
    from pipeline.net.retry import RateLimitedCall
    from pipeline.recordings.source import Source
    from pipeline.stages.cost_budget import CostBudget
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.output_file import Output, OutputFile
    from pipeline.stages.stored_transcripts import RunSink
    from pipeline.state.reader import StateReader

_QUEUE = 64
_LOOK_AT_REFUSALS_SECONDS = 0.2


class Run:
    """One run over one source; each transcript goes into its `sinks` too.

    `collectors` makes those that turn finished jobs into lines.
    """

    def __init__(  # what a run is made of
        self, config: Config, source: Source, tracker: JobTracker, session: Session, s3: S3
    ) -> None:
        self.config = config
        self.source = source
        self.tracker = tracker
        self.s3 = s3
        self.job_rules = JobRules(config, source, tracker.state.facts.earlier_fingerprints())
        self.transcriber = Transcriber(session, config.limits, tracker.waits, tracker.slots)
        self.sinks: Sequence[RunSink] = ()
        self.collectors: Callable[..., Collectors] = Collectors
        self._event_queue: EventQueue | None = None
        if url := config.aws.events:
            from pipeline.events.queue import open_queue  # a run without events loads none of it

            self._event_queue = open_queue(session, tracker.waits, url)

    @property
    def operations(self) -> tuple[RateLimitedCall, ...]:
        """Every operation of all services, for its counts of calls."""
        events = self._event_queue.operations if self._event_queue else ()
        return *self.transcriber.operations, *self.s3.operations, *events

    async def complete(self, output: OutputFile, *, rebuild: bool = False) -> None:
        """List, start, poll, collect and write until every recording is settled.

        Args:
            output: the file for the tasks, locked where it is there already.
            rebuild: write the output again from the results that exist.

        Raises:
            CannotRun: the run had to stop; what was collected is written.
            BudgetSpent: the time of `--until` or `--max-hours` is over.
        """
        try:
            async with output.going_on(self.s3):  # a million results take minutes to list
                await self._complete(output, rebuild=rebuild)
        except WrongRegion as error:
            results = self.job_rules.results
            of_results = results.bucket if results else ""
            at_source = error.bucket == self.source.bucket
            await look_at_the_other(
                self.s3.bucket_region, error, of_results if at_source else self.source.bucket
            )
            raise

    async def _complete(self, output: OutputFile, *, rebuild: bool) -> None:
        rules, state = self.job_rules, self.tracker.state
        await find_results(self.s3, rules, state)
        if rebuild:
            forget_output(output, state, results_exist=self.source.jobs_last)
        state.facts.remember_fingerprints(rules.fingerprints)
        await self._write(output, partial(produce, self.config.metadata, rules, self.tracker))

    async def rewrite(self, output: OutputFile, earlier: StateReader) -> None:
        """Write a task for every recording that an earlier run has written; start nothing.

        Raises:
            CannotRun: the run had to stop; what was collected is written.
        """
        self._event_queue = None  # nothing runs, so nothing will end
        await self._write(output, partial(take_over, earlier, self.tracker))

    async def _write(
        self, file: OutputFile, listing: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        state = self.tracker.state
        keep_to_one_kind(state, self.config.tasks.kind, self.config.model_version)
        try:
            async with AsyncExitStack() as stack:
                output = await stack.enter_async_context(file.writing(state, self.s3))
                budget = await self._budget(stack) if self.config.most_cost else None
                await self._stages(listing, output, budget)
        except BaseExceptionGroup as group:
            raise first_of(group) from group

    async def _budget(self, stack: AsyncExitStack) -> CostBudget:
        from pipeline.recordings.prober import open_prober  # loads FFmpeg, 23 MB
        from pipeline.stages.cost_budget import CostBudget

        config = self.config
        prober = await stack.enter_async_context(open_prober(self.source, config.limits.workers))
        return CostBudget(config.most_cost, config.prices, self.job_rules, self.tracker, prober)

    async def _stages(
        self,
        listing: Callable[[], Coroutine[None, None, None]],
        output: Output,
        budget: CostBudget | None,
    ) -> None:
        config, tracker, transcriber = self.config, self.tracker, self.transcriber
        ended: asyncio.Queue[Job] = asyncio.Queue(_QUEUE)
        lines = LineQueue()
        tracker.resume()
        if budget:
            await budget.count(list(tracker.waiting.values()))
        listener = await self._listener(ended)
        events = listener.trust if listener else None
        pages = partial(transcriber.pages, name_contains=self.job_rules.name_prefix)
        starters = Starters(tracker, transcriber, self.job_rules, ended, budget)
        poller = Poller(tracker, pages, config.limits.max_poll_seconds, ended, events)
        collectors = self._collectors()

        async with asyncio.TaskGroup() as group:
            go = group.create_task
            pool = [go(starters.work()) for _ in range(config.limits.workers)]
            others = [
                go(listing()),
                go(poller.poll()),
                *([go(listener.listen())] if listener else []),
                *(go(collectors.work(ended, lines)) for _ in range(config.limits.collectors)),
                go(write(output, lines, tracker)),
                go(stop_in_time(config.budget)),
                go(_settle_refusals(tracker, starters, collectors)),
            ]
            await asyncio.gather(*pool)  # they end when every recording is settled
            for stage in others:
                stage.cancel()  # the writer writes what is left in its queue

    def _collectors(self) -> Collectors:
        config, tracker, rules = self.config, self.tracker, self.job_rules
        results = Results(tracker.state.facts, self.transcriber, self.s3, rules)
        metadata = MetadataReader(config.metadata, tracker.state.metadata, rules, tracker.note)
        tasks = TaskBuilder(config.tasks.kind, config.model_version, config.tasks.mark_below)
        return self.collectors(tracker, results, metadata, tasks, self.sinks)

    async def _listener(self, ended: asyncio.Queue[Job]) -> Listener | None:
        """Who listens to events: nobody, or one whose queue has been looked into.

        Raises:
            CannotRun: the queue can't be used.
        """
        if self._event_queue is None:
            return None
        from pipeline.events.listener import Listener

        resumed = bool(self.tracker.counters.resumed)
        prefix = self.job_rules.name_prefix
        listener = Listener(self._event_queue, prefix, self.tracker, ended, resumed=resumed)
        await listener.begin()
        return listener


async def _settle_refusals(tracker: JobTracker, starters: Starters, collectors: Collectors) -> None:
    """Decide on what was refused when nothing else is left that could tell whose fault it is.

    Raises:
        CannotRun: it is the account's; no recording fails for it.
    """
    while True:
        await asyncio.sleep(_LOOK_AT_REFUSALS_SECONDS)
        starts, results = starters.refusals, collectors.refusals
        if (starts.held or results.held) and tracker.pending.only_open(starts.held + results.held):
            results.stop()
            starts.settle()
