"""The output as a file: whose it is, its lock, and what of it is committed.

A checkpoint is the durable act: flush and fsync the file, then one commit that holds both the rows
written and the file's size. On opening, the file is cut to the committed size: each task stands in
it once, and it is never read back.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Self

from pipeline.errors import OutputUnusable, StateUnusable
from pipeline.files import flock, is_full, unused
from pipeline.state.output import END, MENDING, checked_end, digest_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.model import Line
    from pipeline.net.retry import RateLimitedCall
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.state.lock import StateLock
    from pipeline.state.run_state import RunState


class OutputFile:
    """The JSON Lines file at `path`, locked before anything is changed, made when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Lock the file that is there, if one is.

        Raises:
            OutputUnusable: another run writes to it, or it can't be written.
        """
        if self.path.exists():
            self.open()
        return self

    def __exit__(self, *error: object) -> None:
        """Close it, and let go of it."""
        self.close()

    def open(self) -> int:
        """The file open and locked; it is made, with mode 0600, where there is none.

        Raises:
            OutputUnusable: another run writes to it, or it can't be written.
        """
        if self._handle is None:
            with output_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                free = flock(self._handle)
            if not free:
                self.close()
                raise OutputUnusable(
                    f"Another run writes to {self.path}", "Wait for it, or name another --output."
                )
        return self._handle

    async def prepare(
        self, s3: S3, session: Session, lock: StateLock, *, rebuild_state: bool
    ) -> None:
        """What is to be done elsewhere before the state file is opened: nothing, for a file."""

    def share_limits(self, tracker: JobTracker, calls: Sequence[RateLimitedCall]) -> None:
        """What a run shares with others that have a part of the output: nothing, for a file."""

    def going_on(self, s3: S3) -> AbstractAsyncContextManager[None]:  # noqa: ARG002 # parts on S3 need it
        """What others are told while a run goes on: nothing, for a file."""
        return nullcontext()

    async def publish(self, s3: S3, state: RunState, summary: bytes, failures: Path | None) -> None:
        """What is to be done elsewhere after a run: nothing, for a file."""

    @asynccontextmanager
    async def writing(
        self,
        state: RunState,
        s3: S3,  # noqa: ARG002 # parts on S3 need it
    ) -> AsyncIterator[Output]:
        """The output of a run, open for its tasks.

        Raises:
            OutputUnusable: it can't be written, or is not what was written.
            StateUnusable: the state file belongs to another output.
        """
        with closing(Output(self, state)) as output:
            yield output

    def set_aside(self) -> None:
        """Give the file that is there another name: `<path>.old`, `<path>.old.1` and so on.

        Raises:
            OutputUnusable: another run writes to it, or it can't be put aside.
        """
        with self:
            try:
                if self._handle is not None:
                    self.path.replace(unused(self.path.with_name(f"{self.path.name}.old")))
            except OSError as error:
                raise OutputUnusable(
                    f"{self.path} can't be put aside: {error.strerror}",
                    "Move it away, or name another file with --output.",
                ) from error

    def close(self) -> None:
        """Close it, and let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


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
        with self.checkpoint():
            wanted = state.output.mark_written([line.job for line in lines])
            kept = [line for line, yes in zip(lines, wanted, strict=True) if yes]
            state.history.note_transcripts([(line.job, line.stats) for line in kept])
            self.extend([line.content for line in kept], len(kept))
        return len(kept)

    @contextmanager
    def checkpoint(self) -> Iterator[None]:
        """What is written and noted inside is one commit."""
        if not self._growing:
            self._state.output.begin()
            self._growing = True
        self._cut()  # a commit that failed after its lines were written left them behind
        before = self._end
        try:
            with self._state.output.checkpoint():
                yield
        except BaseException:
            self._end = before
            raise

    def extend(self, contents: list[bytes], lines: int) -> None:
        """Append whole lines, inside a checkpoint; the output has so many lines more."""
        facts = self._state.facts
        if contents:
            self._append(contents)
        self._end = b"".join([self._end, *(each[-END:] for each in contents)])[-END:]
        size, lines = facts.output_size + sum(map(len, contents)), facts.output_lines + lines
        self._state.output.commit(size, lines, digest_of(self._end))

    def empty(self) -> None:
        """Begin a new file, inside a checkpoint; the output still has the lines that it had."""
        self._end = b""
        self._state.output.commit(0, self._state.facts.output_lines, digest_of(b""))

    def _append(self, contents: list[bytes]) -> None:
        with output_errors(self._path):
            try:
                for each in contents:
                    _write_all(self._file, each)
                os.fsync(self._file)
            except OSError:
                self._cut()
                raise

    async def settle(self) -> None:
        """What is to be done after checkpoints, and every second: nothing, for a file."""

    def close(self) -> None:
        """Close the file; whatever is behind the committed size from now on is not ours."""
        try:
            self._cut()
            self._state.output.end()
        finally:
            self._of.close()


def refuse_foreign_output(path: Path, state: Path) -> None:
    """Refuse to write over a file that the state file knows nothing of.

    Raises:
        OutputUnusable: there is such a file, with something in it.
    """
    if path.is_file() and path.stat().st_size:
        raise OutputUnusable(
            f"{path} exists already, and the state file {state} knows nothing of it",
            "Move it away, name another one with --output, name the state file that belongs to it "
            "with --state, or rewrite it with --rebuild-output.",
        )


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """What the operating system refuses inside is an error about the output at `path`.

    Raises:
        OutputUnusable: it can't be written.
    """
    try:
        yield
    except OSError as error:
        raise OutputUnusable(
            f"The output {path} can't be written: {error.strerror}",
            "Make space and run the same command again; it goes on where it stopped."
            if is_full(error)
            else "Name another file with --output.",
        ) from error


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
