"""The fifth stage: append the tasks to the output, a checkpoint every second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.errors import StateUnusable
from pipeline.net.bounds import HELD_LINES

if TYPE_CHECKING:
    from pipeline.model import Line
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.output_file import Output, OutputFile
    from pipeline.state.run_state import RunState

_MOST_LINES = 500
_QUEUED = 64
_SECONDS = 1.0


class LineQueue(asyncio.Queue["Line"]):
    """The lines on their way to the writer: bounded by their number, and by their bytes."""

    def __init__(self) -> None:
        super().__init__(_QUEUED)
        self.held = 0

    def full(self) -> bool:
        """Whether the next one has to wait; one is always let in, however long it is."""
        return self.held >= HELD_LINES or super().full()

    def _put(self, item: Line) -> None:
        super()._put(item)
        self.held += len(item.content)

    def _get(self) -> Line:
        item: Line = super()._get()
        self.held -= len(item.content)
        return item


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
    """Write until cancelled: a checkpoint every second, 500 lines or 16 MiB; one at the end."""
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
    """Gather lines for a second, or until there are 500, or 16 MiB of them."""
    held = 0
    try:
        async with asyncio.timeout(_SECONDS):
            while len(batch) < _MOST_LINES and held < HELD_LINES:
                batch.append(await lines.get())
                held += len(batch[-1].content)
    except TimeoutError:
        pass
