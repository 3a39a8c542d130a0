"""Files that are there whole or not at all, and for their owner alone."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from itertools import chain, count
from typing import TYPE_CHECKING, BinaryIO

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def unused(path: Path) -> Path:
    """The path itself, or with a number at its end where there is a file of that name."""
    candidates = chain([path], (path.with_name(f"{path.name}.{n}") for n in count(2)))
    return next(each for each in candidates if not each.exists())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A private file that takes the place of `path` once it is whole.

    Raises:
        OutputUnusable: it can't be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise OutputUnusable(f"{path} can't be written: {error.strerror}.") from error
        raise
