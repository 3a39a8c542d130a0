"""The fifth stage: append the tasks to the JSON Lines file; the checkpoint is the durable act.

Flush and fsync the file, then one commit that holds both the rows written and the file's size. On
opening, the file is cut to the committed size: each task stands in it once, and it is never read
back.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
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

_MENDING = "Put it back, or write it anew from the results with --rebuild-output."
_END = 4096
_MOST_LINES = 500
_SECONDS = 1.0


class Output:
    """The JSON Lines file, mode 0600, cut to what is committed."""

    def __init__(self, path: Path, state: State, *, rebuild: bool = False) -> None:
        self._path = path
        self._state = state
        self._end = b""
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._claim(os.path.relpath(path, state.path.parent), rebuild=rebuild)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._cut()
            self._check_end()
        except BaseException:
            self.close()
            raise

    def _claim(self, name: str, *, rebuild: bool) -> None:
        """Make the file this state's own, unless one of the two belongs to another."""
        if rebuild:
            self._state.forget_output()
            if self._path.is_file():
                self._path.replace(self._path.with_name(f"{self._path.name}.old"))
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
                "nothing of it. Move it away, name another one with --output, name the state file "
                "that belongs to it with --state, or write it anew with --rebuild-output."
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
                    f"shortened or replaced it. {_MENDING}"
                )
            os.ftruncate(self._file, committed)
            os.lseek(self._file, committed, os.SEEK_SET)
            os.fchmod(self._file, 0o600)

    def _check_end(self) -> None:
        """Refuse a file of the right size whose end is not what was written."""
        committed = self._state.output_size
        start = max(0, committed - _END)
        with self._translated():
            self._end = os.pread(self._file, committed - start, start)
        if committed and _digest(self._end) != self._state.fact("output digest"):
            raise OutputUnusable(
                f"The end of {self._path} is not what was written: someone changed or replaced "
                f"it. {_MENDING}"
            )

    def write(self, lines: list[Line]) -> int:
        """Append the lines and commit them; return how many were still wanted.

        A line is not wanted when its recording changed while the job ran.

        Raises:
            OutputUnusable: the disk is full or the file can't be written; nothing is lost.
        """
        self._cut()  # a commit that failed after its lines were written left them behind
        state = self._state
        with state.checkpoint():
            wanted = state.mark_written([line.job for line in lines])
            content = b"".join(line.content for line, yes in zip(lines, wanted, strict=True) if yes)
            end = (self._end + content[-_END:])[-_END:]
            self._append(content)
            size, count = state.output_size + len(content), state.output_lines + sum(wanted)
            state.commit_output(size, count, _digest(end))
        self._end = end
        return sum(wanted)

    def _append(self, content: bytes) -> None:
        with self._translated():
            try:
                _write_all(self._file, content)
                os.fsync(self._file)
            except OSError:
                self._cut()
                raise

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


def _digest(end: bytes) -> str:
    return hashlib.blake2b(end, digest_size=16).hexdigest()


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
