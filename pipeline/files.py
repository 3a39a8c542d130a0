"""Files that are there whole or not at all, for their owner alone, and in nobody's place."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import ExitStack, contextmanager
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, Self

from pipeline.errors import OutputUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ELSEWHERE = "Move it away, or name another file."


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


def folds_names(folder: Path) -> bool:
    """Whether names that differ in case, or in how an accent is written, are one file there.

    Where nothing can be written that is not known, and False.
    """
    pairs = (
        ("name", "NAME"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"),
    )
    try:
        with TemporaryDirectory(dir=folder, prefix=".names-") as trial:
            for one, _ in pairs:
                (Path(trial) / one).touch()
            return any((Path(trial) / other).exists() for _, other in pairs)
    except OSError:
        return False


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the operating system refuses inside is an error about `path`.

    Raises:
        OutputUnusable: it can't be written.
    """
    try:
        yield
    except OSError as error:
        raise OutputUnusable(
            f"{path} can't be written: {error.strerror}",
            "Make space and run the same command again."
            if is_full(error)
            else "Let this user write there, or name another place.",
        ) from error


def is_full(error: OSError) -> bool:
    """Whether space is what lacks: on the disk, of this user's share, or in one file."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def flock(handle: int, *, shared: bool = False) -> bool:
    """Lock an open file for this process, or share it with others; False where another holds it."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock(path: Path) -> int:
    """The file of a lock, open; it is made where there is none, and no link is followed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, 0o600)


@contextmanager
def locked(path: Path, busy: str, advice: str) -> Iterator[None]:
    """Hold a lock file, which is made where there is none and stays, for one process at a time.

    Raises:
        OutputUnusable: another one holds it, as `busy` and `advice` say; or it can't be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open_lock(path)
    try:
        if not flock(handle):
            raise OutputUnusable(busy, advice)
        yield
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path, begins: bytes, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once it is whole; a private one unless told otherwise.

    Args:
        path: where; a link is replaced, and what it leads to stays.
        begins: what a file of this kind begins with: one that begins otherwise is somebody's. b""
            where the caller has read what is there, and keeps it.
        mode: of the file.

    Raises:
        OutputUnusable: it can't be written, or something else is there.
    """
    refuse_foreign_file(path, begins)
    with writing(path), _Part(path, mode) as part:
        with os.fdopen(part.handle, "wb", closefd=False) as file:
            yield file
        part.sync()
        part.take_place()


def replace_all(contents: Iterable[tuple[Path, bytes]]) -> dict[Path, OutputUnusable]:
    """Have each content at its path as `replacing` does; why it is not there, by its path.

    Whatever is at a path is replaced. All are open at once, and written before the first one is
    waited for: a disk takes many together in little more than the time of one.
    """
    errors: dict[Path, OutputUnusable] = {}
    with ExitStack() as opened:
        parts = []
        for path, content in contents:
            try:
                with writing(path):
                    part = opened.enter_context(_Part(path))
                    part.write(content)
                    parts.append(part)
            except OutputUnusable as error:
                errors[path] = error
        for step in (_Part.sync, _Part.take_place):
            for part in parts:
                if part.path in errors:
                    continue
                try:
                    with writing(part.path):
                        step(part)
                except OutputUnusable as error:
                    errors[part.path] = error
    return errors


def refuse_foreign_file(path: Path, begins: bytes) -> None:
    """Refuse to replace what begins otherwise; what is empty holds nothing that could be lost.

    Raises:
        OutputUnusable: the file is no ordinary one, begins otherwise, or can't be read.
    """
    with writing(path):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OutputUnusable(f"{path} is no ordinary file", _ELSEWHERE)
        found = _found(path, begins)
    if found and found != begins:
        raise OutputUnusable(
            f"{path} holds something else already, and only what this program wrote there is "
            "replaced",
            _ELSEWHERE,
        )


def remove(path: Path, begins: bytes) -> None:
    """Take a file of ours away, where one is, and leave what is not; `begins` as of `replacing`.

    Raises:
        OutputUnusable: it can't be taken away.
    """
    with writing(path):
        if path.is_file() and path.stat().st_size and _found(path, begins) == begins:
            path.unlink(missing_ok=True)


def same_file(one: Path, other: Path) -> bool:
    """Whether two names are of one file, however they are spelt, whether it is there or not."""
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except OSError:
        return False


class _Part:
    """A new file beside `path`, which takes its place once it is whole, or goes away."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        self.path = path
        self._part = path.with_name(f".{path.name}.part")
        self._is_placed = False
        self.handle = _new(self._part, mode)
        self._made = os.fstat(self.handle)
        if stat.S_IMODE(self._made.st_mode) != mode:
            os.fchmod(self.handle, mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.handle)
        if not self._is_placed and self._is_there():
            self._part.unlink()

    def write(self, content: bytes) -> None:
        """Write the content, and have it begin its way to the disk."""
        left = memoryview(content)
        while left:
            left = left[os.write(self.handle, left) :]
        if hasattr(os, "posix_fadvise"):  # not on macOS
            os.posix_fadvise(self.handle, 0, 0, os.POSIX_FADV_DONTNEED)

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(self.handle)

    def take_place(self) -> None:
        """Replace what is at the path."""
        if not self._is_there():
            raise OutputUnusable(
                f"Another command writes {self.path} at the same time",
                "Wait for it, then run the same command again.",
            )
        os.replace(self._part, self.path)  # noqa: PTH105 # once for each of a million files, and a third of the time
        self._is_placed = True

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(self._made, os.lstat(self._part))
        except OSError:
            return False


def _new(part: Path, mode: int) -> int:
    """A new file in a folder that is made when it is not there."""
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        return os.open(part, flags, mode)
    except FileExistsError:
        part.unlink(missing_ok=True)  # of a process that was killed, or somebody's link
    except FileNotFoundError:
        part.parent.mkdir(parents=True, exist_ok=True)
    return os.open(part, flags, mode)


def _found(path: Path, begins: bytes) -> bytes:
    with path.open("rb") as file:
        return file.read(len(begins))
