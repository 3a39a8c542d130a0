"""The fifth stage: append the tasks to the JSON Lines file; the checkpoint is the durable act.

Flush and fsync the file, then one commit that holds both the rows written and the file's size. On
opening, the file is cut to the committed size: each task stands in it once, and it is never read
back.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable, StateUnusable
from pipeline.stages.output_file import output_errors, refuse_foreign_output
from pipeline.state.output import END, MENDING, checked_end, digest_of

if TYPE_CHECKING:
    from pipeline.model import Line
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.output_file import OutputFile
    from pipeline.state.run_state import RunState

_MOST_LINES = 500
_SECONDS = 1.0


class Output:
    """The JSON Lines file, mode 0600, cut to what is committed."""

    def __init__(self, file: OutputFile, state: RunState) -> None:
        self._of = file
        self._path = file.path
        self._state = state
        self._growing = False
        try:
            with output_errors(self._path):
                self._claim(os.path.relpath(self._path, state.path.parent))
            self._file = file.open()
            self._end = checked_end(self._file, self._path, state.facts)
            self._cut()
        except BaseException:
            file.close()
            raise

    def _claim(self, name: str) -> None:
        """Make the file this state's own, unless one of the two belongs to another."""
        known, committed = self._state.facts.value("output"), self._state.facts.output_size
        if committed and known != name and (self._state.path.parent / (known or "")).exists():
            raise StateUnusable(
                f"The state file {self._state.path} belongs to the output {known}, not to {name}",
                "Name another one with --state, or that output with --output.",
            )
        if committed and not self._path.exists():
            raise OutputUnusable(f"{self._path} is missing", MENDING)
        if not committed and not (known == name and self._state.output.has_grown()):
            refuse_foreign_output(self._path, self._state.path)
        if known != name:
            self._state.output.bind(name)

    def _cut(self) -> None:
        """Cut the file to the committed size; what follows is of an interrupted run."""
        committed = self._state.facts.output_size
        with output_errors(self._path):
            facts = os.fstat(self._file)
            if not self._path.exists() or not os.path.samestat(facts, self._path.stat()):
                raise OutputUnusable(f"{self._path} was moved or removed just now", MENDING)
            if facts.st_size < committed:
                raise OutputUnusable(f"{self._path} was shortened just now", MENDING)
            os.ftruncate(self._file, committed)
            os.lseek(self._file, committed, os.SEEK_SET)
            os.fchmod(self._file, 0o600)

    def write(self, lines: list[Line]) -> int:
        """Append the lines and commit them; return how many were still wanted.

        A line is not wanted when its recording changed while the job ran.

        Raises:
            OutputUnusable: the disk is full or the file can't be written; nothing is lost.
        """
        state = self._state
        if not self._growing:
            state.output.begin()
            self._growing = True
        self._cut()  # a commit that failed after its lines were written left them behind
        with state.output.checkpoint():
            wanted = state.output.mark_written([line.job for line in lines])
            kept = [line for line, yes in zip(lines, wanted, strict=True) if yes]
            state.history.note_transcripts([(line.job, line.stats) for line in kept])
            content = b"".join(line.content for line in kept)
            end = (self._end + content[-END:])[-END:]
            self._append(content)
            size, count = (
                state.facts.output_size + len(content),
                state.facts.output_lines + content.count(b"\n"),
            )
            state.output.commit(size, count, digest_of(end))
        self._end = end
        return len(kept)

    def _append(self, content: bytes) -> None:
        with output_errors(self._path):
            try:
                _write_all(self._file, content)
                os.fsync(self._file)
            except OSError:
                self._cut()
                raise

    def close(self) -> None:
        """Close the file; whatever is behind the committed size from now on is not ours."""
        try:
            self._cut()
            self._state.output.end()
        finally:
            self._of.close()


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


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


async def write(output: Output, lines: asyncio.Queue[Line], tracker: JobTracker) -> None:
    """Write until cancelled: a checkpoint every second, or every 500 lines; one at the end."""
    batch: list[Line] = []
    try:
        while True:
            batch.append(await lines.get())
            await _fill(batch, lines)
            _commit(output, batch, tracker)
            batch.clear()
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
