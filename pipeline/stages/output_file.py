"""The output as a file: whose it is, its lock, and its place for what it was before."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from pipeline.errors import OutputUnusable
from pipeline.files import flock, unused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
                raise OutputUnusable(f"{self.path} can't be put aside: {error.strerror}") from error

    def close(self) -> None:
        """Close it, and let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def refuse_foreign_output(path: Path, state: Path) -> None:
    """Refuse to write over a file that the state file knows nothing of.

    Raises:
        OutputUnusable: there is such a file, with something in it.
    """
    if path.is_file() and path.stat().st_size:
        raise OutputUnusable(
            f"{path} exists already, and the state file {state} knows nothing of it",
            "Move it away, name another one with --output, name the state file that belongs to it "
            "with --state, or write it anew with --rebuild-output.",
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
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise OutputUnusable(
            f"The output {path} can't be written: {error.strerror}",
            "Make space and run the same command again; it goes on where it stopped."
            if full
            else "Name another file with --output.",
        ) from error
