"""Files that are there whole or not at all, and for their owner alone."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from itertools import chain, count
from typing import TYPE_CHECKING, BinaryIO

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def unused(path: Path, companions: Iterable[str] = ()) -> Path:
    """The path itself, or with the first number at its end of which nothing is there yet.

    `companions` are ends of names that are to be as unused.
    """
    candidates = chain([path], (path.with_name(f"{path.name}.{n}") for n in count(1)))
    ends = ("", *companions)
    return next(
        each
        for each in candidates
        if not any(os.path.lexists(each.with_name(f"{each.name}{end}")) for end in ends)
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the operating system refuses inside is an error about `path`.

    Raises:
        OutputUnusable: it can't be written.
    """
    try:
        yield
    except OSError as error:
        raise OutputUnusable(f"{path} can't be written: {error.strerror}") from error


def flock(handle: int, *, shared: bool = False) -> bool:
    """Lock an open file for this process, or share it with others; False where another holds it."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path, busy: str, advice: str) -> Iterator[None]:
    """Hold a lock file, which is made where there is none and stays, for one process at a time.

    Raises:
        OutputUnusable: another one holds it, as `busy` and `advice` say; or it can't be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not flock(handle):
            raise OutputUnusable(busy, advice)
        yield
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once it is whole; a private one unless told otherwise.

    Raises:
        OutputUnusable: it can't be written.
    """
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, mode)
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
