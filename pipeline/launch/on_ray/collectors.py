"""`tasks rebuild` whose tasks a Ray cluster makes; state, output and summary stay here.

Read `pieces.py` first. A piece is some hundred jobs of an earlier run: a node makes their tasks as
the command does without a cluster, in a folder of its own, and sends the lines back.
"""

from __future__ import annotations

import asyncio
from contextlib import chdir, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.errors import CannotRun
from pipeline.extras import require
from pipeline.launch.on_ray.cluster import connected
from pipeline.launch.on_ray.pieces import done_elsewhere
from pipeline.launch.run import RunOptions, complete
from pipeline.model import Line, TranscriptStats
from pipeline.naming import S3Uri, job_name_prefix
from pipeline.stages.collector import Collectors
from pipeline.state.facts import accounts_in
from pipeline.state.parts import Written
from pipeline.state.reader import read_state
from pipeline.state.run_state import open_state
from pipeline.terminal import Style

if TYPE_CHECKING:
    from pipeline.config.schema import Config
    from pipeline.launch.on_ray.pieces import Nodes
    from pipeline.model import Job
    from pipeline.monitoring.summary import Summary

_MOST_JOBS = 500
"""Of a piece; its lines are held at once, some 10 MB of usual calls."""

_GATHER_SECONDS = 0.5
_TASKS = "tasks.jsonl"


class Piece(NamedTuple):
    """Jobs whose tasks are to be made, and what their run knew; the settings name a local file."""

    config: Config
    place: S3Uri
    results: list[str]
    fingerprints: list[str]
    accounts: tuple[str, ...]
    metadata: list[tuple[str, bytes]]
    jobs: list[Job]


class Made(NamedTuple):
    """The lines of tasks by their jobs' names, and the reason and message of those without one."""

    lines: dict[str, bytes]
    failures: dict[str, tuple[str, str]]


class _Data(msgspec.Struct):
    job_id: str
    duration: float


class _Meta(msgspec.Struct):
    silent: bool = False


class _Prediction(msgspec.Struct):
    score: float


class _Task(msgspec.Struct):
    data: _Data
    predictions: list[_Prediction]
    meta: _Meta


_TASK = msgspec.json.Decoder(_Task)


def rebuild_on_ray(address: str, options: RunOptions) -> Summary:
    """`complete` with the tasks made by the cluster at this address.

    Raises:
        MissingExtra: Ray is not installed.
        CannotRun: no cluster takes the work, or as of `complete`.
    """
    require("ray")
    with connected(address) as cluster:
        return complete(with_nodes(cluster, options))


def with_nodes(nodes: Nodes, options: RunOptions) -> RunOptions:
    """The same to be done, with the tasks made there."""
    return options._replace(collectors=partial(_CollectorsElsewhere, nodes, options))


class _CollectorsElsewhere(Collectors):
    """What each collector needs that has nodes read the results."""

    def __init__(self, nodes: Nodes, options: RunOptions, *needed: Any) -> None:
        super().__init__(*needed)
        self._nodes = nodes
        self._options = options

    async def work(self, finished: asyncio.Queue[Job], lines: asyncio.Queue[Line]) -> None:
        """Have pieces made one after the other until cancelled."""
        while True:
            jobs = await _gathered(finished)
            made: Made = await done_elsewhere(self._nodes, make_tasks, self._piece(jobs))
            for job in jobs:
                await self._hand_on(job, made, lines)

    def _piece(self, jobs: list[Job]) -> Piece:
        config, place = self._options.config, self._options.place
        assert isinstance(place, S3Uri)  # a folder's transcripts are not kept
        state = self._tracker.state.reader
        here = msgspec.structs.replace(
            config, output=msgspec.structs.replace(config.output, output=_TASKS)
        )
        keys = {job.row: job.recording.key for job in jobs}
        return Piece(
            here,
            place,
            state.facts.told_results(),
            state.facts.earlier_fingerprints(),
            accounts_in(state.facts),
            [(keys[row], facts) for row, facts in state.metadata.of_rows(keys)],
            jobs,
        )

    async def _hand_on(self, job: Job, made: Made, lines: asyncio.Queue[Line]) -> None:
        if line := made.lines.get(job.name):
            task = _TASK.decode(line)
            score = None if task.meta.silent else task.predictions[0].score
            self._tracker.has_ended(job)
            await lines.put(Line(job, line, TranscriptStats(score, task.data.duration)))
            self._tracker.hand_over(job, silent=task.meta.silent)
        elif job.name in made.failures:
            self._tracker.fail(job, *made.failures[job.name])
        else:
            self._tracker.defer(job)


async def _gathered(finished: asyncio.Queue[Job]) -> list[Job]:
    """The next jobs, as many as come within a moment."""
    jobs = [await finished.get()]
    with suppress(TimeoutError):
        async with asyncio.timeout(_GATHER_SECONDS):
            while len(jobs) < _MOST_JOBS:
                jobs.append(await finished.get())
    return jobs


def make_tasks(piece: Piece) -> Made:
    """Make the tasks of a piece.

    Raises:
        CannotRun: the results can't be read.
    """
    prefix = job_name_prefix(piece.config.transcribe.job_prefix, piece.place.bucket)
    with (
        TemporaryDirectory(prefix="transcribe-pipeline-", ignore_cleanup_errors=True) as folder,
        chdir(folder),
    ):
        with open_state(Path("written.state"), prefix) as state:
            state.begin(str(piece.place), *piece.results)
            state.facts.remember_fingerprints(piece.fingerprints)
            state.facts.note_accounts(piece.accounts)
            state.parts.note_tasks(
                Written(job.recording, job.identity, job.attempt, job.language)
                for job in piece.jobs
            )
            state.metadata.note(piece.metadata)
            options = RunOptions(piece.config, piece.place, Style.QUIET, earlier=state.reader)
            summary = complete(options)
        if summary.problem:
            raise CannotRun(summary.problem, summary.advice)
        with read_state(piece.config.state_path) as read:
            failed = {job.name: why for job, *why in read.failures.recordings(ever=True)}
        lines = Path(_TASKS).read_bytes().splitlines(keepends=True)
    return Made(
        {_TASK.decode(line).data.job_id: line for line in lines},
        {name: (reason, message) for name, (reason, message) in failed.items()},
    )
