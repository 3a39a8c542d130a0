"""Where files of transcripts are put: a folder, or a prefix on S3.

A file is there whole or not at all. One that says the same is left as it is; one that an earlier
call wrote is replaced; any other is somebody's, and stays.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.aws.s3 import IF_ABSENT, if_still
from pipeline.errors import OutputUnusable, RecordingFailed
from pipeline.files import folds_names, refuse_foreign_file, replace_all, writing
from pipeline.naming import S3Uri, as_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.aws.s3 import S3

_LONGEST_KEY = 1024
_AT_ONCE = 64
"""Files that are open at once, of the 256 that some systems allow."""

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class File(NamedTuple):
    """A file that is wanted; `known` is the tag of what an earlier call wrote, None for nothing."""

    name: str
    content: bytes
    known: str | None = None


class Put(NamedTuple):
    """A file that is there: by what it is known, and whether it had to be written."""

    tag: str
    is_new: bool


class Place(Protocol):
    """Where files are put; `name` is the same for the same place, `folds` as of `folds_names`."""

    name: str
    folds: bool

    async def put(self, files: Sequence[File]) -> list[Put | OutputUnusable]:
        """Have these files there, in their order; an error for one that alone can't be.

        Raises:
            CannotRun: nothing can be written there.
        """

    async def names(self, below: str) -> list[str]:
        """The names of all files in a folder there, which ends in `/`.

        Raises:
            CannotRun: they can't be listed.
        """

    async def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none.

        Raises:
            CannotRun: it can't be read.
        """


class FolderPlace:
    """A folder, which is made."""

    def __init__(self, folder: Path) -> None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._wanted: list[File] = []
        self._batch: asyncio.Task[list[Put | OutputUnusable]] | None = None
        self._turn = asyncio.Lock()
        self.name = str(folder.resolve())
        self.folds = folds_names(folder)

    async def put(self, files: Sequence[File]) -> list[Put | OutputUnusable]:
        """As of `Place`; the tag is a digest of the content.

        What is wanted while others are put there is put there next, together.
        """
        first = len(self._wanted)
        self._wanted += files
        if self._batch is None:
            self._batch = asyncio.create_task(self._put_wanted())
        found = (await asyncio.shield(self._batch))[first : first + len(files)]
        for each in found:
            if isinstance(each, OutputUnusable) and _is_of_the_disk(each.__cause__):
                raise each
        return found

    async def names(self, below: str) -> list[str]:
        """As of `Place`; those that are hidden are nobody's."""
        return await asyncio.to_thread(self._names, self._folder / below)

    def _names(self, folder: Path) -> list[str]:
        with writing(folder):
            return [
                path.relative_to(self._folder).as_posix()
                for path in folder.rglob("[!.]*")
                if path.is_file()
            ]

    async def read(self, name: str) -> bytes | None:
        """As of `Place`."""
        return await asyncio.to_thread(_read, self._folder / name)

    async def _put_wanted(self) -> list[Put | OutputUnusable]:
        async with self._turn:
            files, self._wanted, self._batch = self._wanted, [], None
            return await asyncio.to_thread(self._put, files)

    def _put(self, files: Sequence[File]) -> list[Put | OutputUnusable]:
        return [
            put
            for first in range(0, len(files), _AT_ONCE)
            for put in self._replaced(files[first : first + _AT_ONCE])
        ]

    def _replaced(self, files: Sequence[File]) -> list[Put | OutputUnusable]:
        paths = [self._folder / each.name for each in files]
        found = [_as_found(*each) for each in zip(paths, files, strict=True)]
        changes = [
            (path, file.content)
            for path, file, put in zip(paths, files, found, strict=True)
            if isinstance(put, Put) and put.is_new
        ]
        errors = replace_all(changes)
        return [errors.get(path, put) for path, put in zip(paths, found, strict=True)]


class BucketPlace:
    """A prefix in a bucket."""

    folds = False

    def __init__(self, place: S3Uri, s3: S3) -> None:
        self._place = as_folder(place)
        self._s3 = s3
        self.name = str(self._place)

    async def put(self, files: Sequence[File]) -> list[Put | OutputUnusable]:
        """As of `Place`; the tag is the object's ETag."""
        return [await self._put(each) for each in files]

    async def names(self, below: str) -> list[str]:
        """As of `Place`."""
        start, folder = len(self._place.key), self._place._replace(key=f"{self._place.key}{below}")
        return [each.key[start:] async for page in self._s3.pages(folder) for each in page]

    async def read(self, name: str) -> bytes | None:
        """As of `Place`."""
        return await self._s3.read(self._place._replace(key=f"{self._place.key}{name}"))

    async def _put(self, file: File) -> Put | OutputUnusable:
        content, known = file.content, file.known
        place = self._place._replace(key=f"{self._place.key}{file.name}")
        if len(place.key.encode()) > _LONGEST_KEY:
            raise OutputUnusable(
                f"{place} is a longer name than S3 takes", "Choose a shorter --to."
            )
        for only in (if_still(known), IF_ABSENT) if known else (IF_ABSENT,):
            etag = await self._s3.write(place, content, only)
            if etag is not None:
                return Put(etag, is_new=True)
            try:
                found = await self._s3.read(place)
            except RecordingFailed:  # too large to be ours
                break
            if found == content and (there := await self._s3.look_up(place)):
                return Put(there.etag, is_new=False)
            if found is not None:
                break
        return _somebody_s(str(place))


def _is_of_the_disk(cause: BaseException | None) -> bool:
    return isinstance(cause, OSError) and cause.errno in _OF_THE_DISK


def _as_found(path: Path, file: File) -> Put | OutputUnusable:
    """What is to become of a file by what is there: whether it is new, or another's."""
    tag = _digest(file.content)
    try:
        found = _read(path)
        if found and found == file.content:
            return Put(tag, is_new=False)
        if found and _digest(found) != file.known:
            raise _somebody_s(str(path))
        if found is not None:
            refuse_foreign_file(path, b"")
    except OutputUnusable as error:
        return error
    return Put(tag, is_new=True)


def _read(path: Path) -> bytes | None:
    """What a file holds; None where there is none."""
    with writing(path):
        try:
            return path.read_bytes() if path.stat().st_size else b""
        except FileNotFoundError:
            return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _somebody_s(place: str) -> OutputUnusable:
    return OutputUnusable(
        f"{place} holds something else already, and only what this program wrote there is replaced",
        "Move it away, or name another --to.",
    )
