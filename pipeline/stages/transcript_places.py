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
from pipeline.files import folds_names, replacing, writing
from pipeline.naming import S3Uri, as_folder

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.aws.s3 import S3

_LONGEST_KEY = 1024
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class Put(NamedTuple):
    """A file that is there: by what it is known, and whether it had to be written."""

    tag: str
    is_new: bool


class Place(Protocol):
    """Where files are put; `name` is the same for the same place, `folds` as of `folds_names`."""

    name: str
    folds: bool

    async def put(self, name: str, content: bytes, known: str | None) -> Put:
        """Have a file hold this content; `known` is the tag of what an earlier call wrote.

        Raises:
            OutputUnusable: something else is there, or this file alone can't be written.
            CannotRun: nothing can be written there.
        """


class FolderPlace:
    """A folder, which is made."""

    def __init__(self, folder: Path) -> None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.name = str(folder.resolve())
        self.folds = folds_names(folder)

    async def put(self, name: str, content: bytes, known: str | None) -> Put:
        """As of `Place`; the tag is a digest of the content."""
        return await asyncio.to_thread(self._put, self._folder / name, content, known)

    def _put(self, path: Path, content: bytes, known: str | None) -> Put:
        tag = _digest(content)
        with writing(path):
            found = path.read_bytes() if path.is_file() else b""
        if found and found == content:
            return Put(tag, is_new=False)
        if found and _digest(found) != known:
            raise _somebody_s(str(path))
        with replacing(path, b"") as file:
            file.write(content)
        return Put(tag, is_new=True)


class BucketPlace:
    """A prefix in a bucket."""

    folds = False

    def __init__(self, place: S3Uri, s3: S3) -> None:
        self._place = as_folder(place)
        self._s3 = s3
        self.name = str(self._place)

    async def put(self, name: str, content: bytes, known: str | None) -> Put:
        """As of `Place`; the tag is the object's ETag."""
        place = self._place._replace(key=f"{self._place.key}{name}")
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
        raise _somebody_s(str(place))


def stops_all(error: OutputUnusable) -> bool:
    """Whether a file that can't be written tells that none can: the disk is full or failing."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _OF_THE_DISK


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _somebody_s(place: str) -> OutputUnusable:
    return OutputUnusable(
        f"{place} holds something else already, and only what this program wrote there is replaced",
        "Move it away, or name another --to.",
    )
