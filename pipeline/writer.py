"""The fifth stage: append the tasks to the JSON Lines file; the checkpoint is the durable act.

Flush and fsync the file, then one commit that holds both the rows written and the file's size. On
opening, the file is cut to the committed size: each task stands in it once, and it is never read
back.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable, StateUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.board import Board
    from pipeline.collector import Line
    from pipeline.state import State

_MOST_LINES = 500
_SECONDS = 1.0


class Output:
    """The JSON Lines file, mode 0600, cut to what is committed."""

    def __init__(self, path: Path, state: State) -> None:
        self._path = path
        self._state = state
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._claim(os.path.relpath(path, state.path.parent))
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._cut()
        except BaseException:
            self.close()
            raise

    def _claim(self, name: str) -> None:
        """Make the file this state's own, unless one of the two belongs to another."""
        known = self._state.fact("output")
        if known == name:
            return
        if self._state.output_size:
            raise StateUnusable(
                f"The state file {self._state.path} belongs to the output {known}, not to "
                f"{name}. Name another one with --state, or that output with --output."
            )
        if self._path.is_file() and self._path.stat().st_size:
            raise OutputUnusable(
                f"{self._path} exists already, and the state file {self._state.path} knows "
                "nothing of it. Move it away, name another one with --output, or name the state "
                "file that belongs to it with --state."
            )
        self._state.bind_output(name)

    def _cut(self) -> None:
        """Cut the file to the committed size; what follows is of an interrupted run."""
        committed = self._state.output_size
        with self._translated():
            found = os.fstat(self._file).st_size
            if found < committed:
                raise OutputUnusable(
                    f"{self._path} has {found} bytes, but {committed} were written: someone "
                    "shortened or replaced it. Put it back, or begin anew with another --output "
                    "and --state."
                )
            os.ftruncate(self._file, committed)
            os.lseek(self._file, committed, os.SEEK_SET)
            os.fchmod(self._file, 0o600)

    def write(self, lines: list[Line]) -> int:
        """Append the lines and commit them; return how many were still wanted.

        A line is not wanted when its recording changed while the job ran.

        Raises:
            OutputUnusable: the disk is full or the file can't be written; nothing is lost.
        """
        self._cut()  # a commit that failed after its lines were written left them behind
        committed = self._state.output_size
        with self._state.checkpoint():
            wanted = self._state.mark_written([line.job for line in lines])
            content = b"".join(line.content for line, yes in zip(lines, wanted, strict=True) if yes)
            with self._translated():
                try:
                    _write_all(self._file, content)
                    os.fsync(self._file)
                except OSError:
                    self._cut()
                    raise
            lines_now = self._state.output_lines + sum(wanted)
            self._state.commit_output(committed + len(content), lines_now)
        return sum(wanted)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            step = (
                "Make space and run the same command again; it goes on where it stopped."
                if full
                else "Name another file with --output."
            )
            raise OutputUnusable(
                f"The output {self._path} can't be written: {error.strerror}. {step}"
            ) from error


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


async def write(output: Output, lines: asyncio.Queue[Line], board: Board) -> None:
    """Write until cancelled: a checkpoint every second, or every 500 lines; one at the end."""
    batch: list[Line] = []
    try:
        while True:
            batch.append(await lines.get())
            await _fill(batch, lines)
            board.figures.written += output.write(batch)
            batch.clear()
    finally:
        while not lines.empty():
            batch.append(lines.get_nowait())
        if batch:
            board.figures.written += output.write(batch)


async def _fill(batch: list[Line], lines: asyncio.Queue[Line]) -> None:
    """Gather lines for a second, or until there are 500."""
    try:
        async with asyncio.timeout(_SECONDS):
            while len(batch) < _MOST_LINES:
                batch.append(await lines.get())
    except TimeoutError:
        pass
