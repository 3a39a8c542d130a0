"""The fifth stage: append the tasks to the output, a checkpoint every second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.errors import StateUnusable

if TYPE_CHECKING:
    from pipeline.model import Line
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.output_file import Output, OutputFile
    from pipeline.state.run_state import RunState

_MOST_LINES = 500
_SECONDS = 1.0


def forget_output(file: OutputFile, state: RunState, *, results_exist: bool) -> None:
    """Put the file that is there aside, as `<path>.old`, and every task back to be written.

    Where there is one of that name already it is `<path>.old.1` and so on: it may be the good one.

    Raises:
        OutputUnusable: it can't be put aside, or another run writes to it.
    """
    file.set_aside()
    state.output.forget(results_exist=results_exist)


def keep_to_one_kind(state: RunState, kind: str, model_version: str) -> None:
    """Remember what the output's tasks are: one project in Label Studio takes one kind.

    Raises:
        StateUnusable: the output holds tasks of another kind.
    """
    refuse_another_kind(state, kind)
    state.output.describe(kind, model_version)


def refuse_another_kind(state: RunState, kind: str) -> None:
    """Refuse to add tasks of another kind to those that the output holds.

    Raises:
        StateUnusable: so it would be.
    """
    known = state.facts.value("output kind")
    if state.facts.output_size and known not in (None, kind):
        raise StateUnusable(
            f"The output of the state file {state.path} holds tasks of the kind {known}, not "
            f"{kind}",
            f"Name another --output, or write {kind} from the same results with "
            f"`tasks rebuild --task {kind}`.",
        )


async def write(output: Output, lines: asyncio.Queue[Line], tracker: JobTracker) -> None:
    """Write until cancelled: a checkpoint every second, or every 500 lines; one at the end."""
    batch: list[Line] = []
    try:
        while True:
            await _fill(batch, lines)
            if batch:
                _commit(output, batch, tracker)
                batch.clear()
            await output.settle()
    finally:
        while not lines.empty():
            batch.append(lines.get_nowait())
        if batch:
            _commit(output, batch, tracker)


def _commit(output: Output, batch: list[Line], tracker: JobTracker) -> None:
    wanted = output.write(batch)
    tracker.wrote([line.job for line in batch], wanted)


async def _fill(batch: list[Line], lines: asyncio.Queue[Line]) -> None:
    """Gather lines for a second, or until there are 500."""
    try:
        async with asyncio.timeout(_SECONDS):
            while len(batch) < _MOST_LINES:
                batch.append(await lines.get())
    except TimeoutError:
        pass
