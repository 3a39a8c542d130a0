"""The lock of a state file: one command at a time may change it, and is let in before it does.

It is held twice: on `<path>.lock`, and on the state file itself, so that a lock file that a tidy-up
has removed lets nobody in. The kernel lets go of both when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.errors import StateOutdated, StateUnusable
from pipeline.files import flock, open_lock, unused
from pipeline.state.database import COMPANIONS, connect, is_of_another_program, translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK_SECONDS = 0.05
_LONGEST = 20  # bytes of a process' number; what holds more is no lock file of ours
_PLACE = 2**62
"""The byte that is locked: no file is so long, and SQLite locks none near it."""


class StateLock:
    """The lock of the state file at `path`, held."""

    def __init__(self, path: Path, handles: ExitStack) -> None:
        self.path = path
        self._real = path.resolve()  # SQLite's companions lie beside the file, not beside a link
        self._handles = handles
        self._file: int | None = None

    def cover(self) -> None:
        """Lock the file itself, where there is one.

        Raises:
            StateUnusable: another run works with it, or it can't be opened.
        """
        with translated(self.path):
            if self._real.exists():
                self._open(0)

    def create(self) -> None:
        """Make the file where there is none, with mode 0600; SQLite's companions copy the mode."""
        if self._file is None:
            with translated(self.path):
                self._open(os.O_CREAT | os.O_EXCL)
                self.make_private()

    def _open(self, flags: int) -> None:
        handle = os.open(self._real, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        # It is closed behind SQLite: closing any descriptor of a file drops SQLite's own locks.
        self._handles.callback(os.close, handle)
        if not _lock_file(handle):
            raise _busy(self.path, "?")
        self._file = handle

    def bring_up_to_date(self) -> None:
        """Bring a file of an earlier format up to date; another one is left as it is."""
        with suppress(StateUnusable):
            connect(self.path).close()

    def make_private(self) -> None:
        """Give the file, which is known to be ours by now, and its companions the mode 0600."""
        if self._file is None:
            return
        with translated(self.path):
            os.fchmod(self._file, 0o600)
            for part in self._parts()[1:]:
                if part.is_file() and not part.is_symlink():
                    part.chmod(0o600)

    def set_aside(self) -> None:
        """Name a damaged file, and its companions, `.damaged`, `.damaged.1` and so on.

        Raises:
            StateUnusable: it is a sound SQLite file of another program.
        """
        if is_of_another_program(self._real):
            raise StateUnusable(
                f"{self.path} is an SQLite file of another program",
                "Name another state file with --state.",
            )
        with translated(self.path):
            aside = unused(self._real.with_name(f"{self._real.name}.damaged"), COMPANIONS)
            for part, suffix in zip(self._parts(), ("", *COMPANIONS), strict=True):
                if part.exists():
                    part.replace(aside.with_name(f"{aside.name}{suffix}"))
        self._file = None

    def _parts(self) -> list[Path]:
        return [self._real.with_name(f"{self._real.name}{each}") for each in ("", *COMPANIONS)]


def lock_path(path: Path) -> Path:
    """The lock file of a state file; one file has one lock, whatever links lead to it."""
    real = path.resolve()
    return real.with_name(f"{real.name}.lock")


@contextmanager
def hold(path: Path) -> Iterator[StateLock]:
    """Hold a state file, whether it is there yet or not.

    Raises:
        StateUnusable: another run holds it, or it can't be opened.
    """
    with ExitStack() as handles:
        with translated(path):
            _refuse_what_is_no_file(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = open_lock(lock_path(path))
        handles.callback(os.close, handle)
        _take(handle, path)
        lock = StateLock(path, handles)
        lock.cover()
        yield lock


def bring_up_to_date(path: Path) -> None:
    """Bring a file of an earlier format up to date, alone; another one is left as it is.

    Raises:
        StateUnusable: it is not a state file, or a run holds it while it would be changed.
    """
    try:
        connect(path, read_only=True).close()
    except StateOutdated:
        with hold(path):
            connect(path).close()


def is_held(path: Path) -> bool:
    """Whether a run works with the state file now."""
    with translated(path), ExitStack() as handles:
        for each, held in ((lock_path(path), _is_flocked), (path, _is_locked)):
            try:
                handle = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            handles.callback(os.close, handle)
            if held(handle):
                return True
    return False


def _refuse_what_is_no_file(path: Path) -> None:
    """Refuse a device or a pipe before anything is laid beside it; a folder says so when opened."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise StateUnusable(f"{path} is no ordinary file", "Name another state file with --state.")


def _take(handle: int, path: Path) -> None:
    with translated(path):
        if not flock(handle):
            time.sleep(_LOOK_SECONDS)  # who looks whether it is held holds it for microseconds
            if not flock(handle):
                raise _busy(path, os.read(handle, _LONGEST).decode(errors="replace").strip() or "?")
        if os.fstat(handle).st_size <= _LONGEST:
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())


def _busy(path: Path, holder: str) -> StateUnusable:
    return StateUnusable(
        f"Another run (process {holder}) works with the state file {path}",
        "Wait for it or stop it; `transcribe-pipeline status` shows how far it is.",
    )


def _is_flocked(handle: int) -> bool:
    return not flock(handle, shared=True)


# A lock of an open file, unlike flock's, is of one byte, so that it is in nobody's way where a
# network's file system makes both of one kind. Linux alone has it; elsewhere the lock file does.


def _lock_file(handle: int) -> bool:
    """Lock the state file itself; False where another one holds it."""
    if sys.platform == "linux":
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _request())
        except BlockingIOError:
            return False
    return True


def _is_locked(handle: int) -> bool:
    if sys.platform == "linux":
        answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _request())
        return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)
    return False


def _request() -> bytes:
    """The kernel's `struct flock`: exclusive, from the beginning of the file, one byte."""
    return struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, _PLACE, 1, 0)
