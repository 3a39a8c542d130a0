"""What the runs of all shards have done, for a plan: from the copies of their states and the parts.

A recording is looked for in the state of its own shard. Shards without a copy have one state
together, in which stands what the parts hold and which results there are.
"""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.config.shards import Shard
from pipeline.errors import StateUnusable
from pipeline.net.retry import never_deferred
from pipeline.plan.forecast import Earlier
from pipeline.s3_output.claim import compare
from pipeline.s3_output.layout import Layout
from pipeline.s3_output.overview import shard_count
from pipeline.s3_output.parts import parts_there, tasks_in, unknown_parts
from pipeline.s3_output.states import fetch_state
from pipeline.stages.producer import find_results
from pipeline.state.run_state import open_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Recording
    from pipeline.naming import S3Uri
    from pipeline.s3_output.claim import Description
    from pipeline.s3_output.layout import Part
    from pipeline.state.recordings import Standing
    from pipeline.state.run_state import RunState
    from pipeline.state.statistics import JobTimes


@asynccontextmanager
async def earlier_runs(
    s3: S3, output: S3Uri, ours: Description, job_rules: JobRules
) -> AsyncIterator[Earlier]:
    """What earlier runs have left below an output on S3; nothing, where nobody has run yet.

    Raises:
        CannotRun: it is of another source, a part was changed, or it can't be read.
    """
    with ExitStack() as opened:
        states = _States(s3, output, job_rules, opened)
        with never_deferred("the output was looked at"):
            await compare(s3, Layout(output, Shard()).description, ours)
            await states.open()
        yield Earlier(f"{output}state/", states.standings, states.job_times())


class _States:
    """The states of all shards."""

    def __init__(self, s3: S3, output: S3Uri, job_rules: JobRules, opened: ExitStack) -> None:
        self._s3 = s3
        self._output = output
        self._job_rules = job_rules
        self._prefix = job_rules.name_prefix
        self._opened = opened
        self._folder = Path(opened.enter_context(TemporaryDirectory()))
        self._of: dict[Shard, RunState] = {}
        self._count = 1

    async def open(self) -> None:
        """Bring them here, and look at the parts that they do not know."""
        here = Layout(self._output, Shard())
        self._count = await shard_count(self._s3, here) or 1
        there = await parts_there(self._s3, here)
        shards = [Shard(number, self._count) for number in range(self._count)]
        for shard in shards:
            if state := await self._copy(Layout(self._output, shard)):
                state.facts.check_belongs(self._job_rules.source.uri, self._prefix)
                self._of[shard] = state
                await self._take_up([shard], state, there)
        if without := [shard for shard in shards if shard not in self._of]:
            state = self._open(self._folder / "without")
            self._of |= dict.fromkeys(without, state)
            await self._take_up(without, state, there)
            await find_results(self._s3, self._job_rules, state)

    async def _copy(self, layout: Layout) -> RunState | None:
        """The state of a shard; None where there is no copy, or a damaged one."""
        if await self._s3.look_up(layout.state) is None:
            return None
        try:
            return self._open((await fetch_state(self._s3, layout, self._folder)).path)
        except StateUnusable:
            return None

    def _open(self, path: Path) -> RunState:
        return self._opened.enter_context(open_state(path, self._prefix))

    async def _take_up(
        self, shards: Sequence[Shard], state: RunState, there: Mapping[Part, str]
    ) -> None:
        """Note the recordings of the parts that the state does not know."""
        known = state.parts.known()
        layouts = [Layout(self._output, shard) for shard in shards]
        unknown = {part for each in layouts for part in unknown_parts(each, known, there)}
        async for _, found in tasks_in(self._s3, layouts[0], sorted(unknown), self._prefix):
            state.parts.note_written(list(found))

    def standings(self, page: Sequence[tuple[Recording, bytes]]) -> list[Standing]:
        """What a run of its shard would do with each of these recordings."""
        of_shard: dict[Shard, list[int]] = {}
        for place, (_, identity) in enumerate(page):
            of_shard.setdefault(Shard.of(identity, self._count), []).append(place)
        found: dict[int, Standing] = {}
        for shard, places in of_shard.items():
            standings = self._of[shard].recordings.standings([page[each] for each in places])
            found |= zip(places, standings, strict=True)
        return [found[place] for place in range(len(page))]

    def job_times(self) -> JobTimes:
        """How long jobs took, of the shard that knows most of them."""
        times = [each.statistics.job_times() for each in self._of.values()]
        return max(times, key=lambda each: each.jobs)
