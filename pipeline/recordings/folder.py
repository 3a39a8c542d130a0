"""A folder on this machine as the source."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from pipeline.errors import NoSuchSource
from pipeline.model import SourceObject
from pipeline.recordings.source import (
    NO_FILE,
    SYMBOLIC_LINK,
    UNREADABLE_FOLDER,
    UNREADABLE_NAME,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_PAGE = 1000


class FolderSource:
    """A folder on this machine, which the local endpoint serves as the bucket `served_as`."""

    jobs_last = False
    names_each = False

    def __init__(self, folder: Path, served_as: str) -> None:
        self.uri = folder.as_uri()
        self.bucket = self.uri
        self._folder = folder
        self._served_as = served_as

    def media_uri(self, key: str) -> str:
        """What the local endpoint knows the file by."""
        return f"s3://{self._served_as}/{key}"

    def audio_uri(self, key: str) -> str:
        """The file's own URI, percent-encoded as RFC 8089 has it."""
        return f"{self.uri}/{quote(key)}"

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """The files below the folder; the disk is read in a thread."""
        entries = walk(self._folder)
        while page := await asyncio.to_thread(lambda: list(islice(entries, _PAGE))):
            yield page

    def key_of(self, uri: str) -> str | None:
        """What follows the folder, decoded."""
        base = self.audio_uri("")
        return unquote(uri.removeprefix(base)) if uri.startswith(base) else None

    async def look_up(self, key: str) -> SourceObject | None:
        """The file's own facts, where a listing would show it so; nothing outside the folder."""
        if os.path.normpath(key) != key or key.startswith(("/", "../")):  # noqa: ASYNC240 # reads no disk
            return None
        try:
            return await asyncio.to_thread(_entry, f"{self._folder}/{key}", key)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # no file has a NUL in its name
            return None

    async def tags(self, key: str) -> dict[str, str] | None:
        """A file has none."""
        return {} if await self.look_up(key) else None

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """What the file holds there; no link is followed."""
        return await asyncio.to_thread(_read_part, f"{self._folder}/{key}", first, last)


def walk(folder: Path) -> Iterator[SourceObject]:
    """Every file below `folder`, without following symbolic links.

    The etag is made of size and time of change (ns): what rsync and rclone compare by.

    Raises:
        NoSuchSource: the folder can't be read.
    """
    try:
        os.scandir(folder).close()  # os.walk would pass over it
    except OSError as error:
        raise NoSuchSource(
            f"The folder {folder} can't be read: {error.strerror}", "Let this user read it."
        ) from error
    unreadable: list[str] = []
    for place, folders, files in os.walk(folder, onerror=lambda e: unreadable.append(e.filename)):
        folders.sort()
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 # a Path per file costs as much as the rest
        for name in sorted(files + linked):
            path = os.path.join(place, name)  # noqa: PTH118 # as above
            with suppress(FileNotFoundError):  # it went away while the folder was read
                yield _entry(path, _key(path, folder))
    for path in unreadable:
        yield SourceObject(_key(path, folder), "", 0, UNREADABLE_FOLDER)


def _key(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _entry(path: str, key: str) -> SourceObject:
    try:
        key.encode()
    except UnicodeEncodeError:
        return SourceObject(key.encode(errors="replace").decode(), "", 0, UNREADABLE_NAME)
    try:
        facts = os.lstat(path)
    except PermissionError:
        return SourceObject(key, "", 0, UNREADABLE_FOLDER)
    storage = ""
    if stat.S_ISLNK(facts.st_mode):
        storage = SYMBOLIC_LINK
    elif not stat.S_ISREG(facts.st_mode):
        storage = NO_FILE
    return SourceObject(key, f"{facts.st_size:x}-{facts.st_mtime_ns:x}", facts.st_size, storage)


def _read_part(path: str, first: int, last: int) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.pread(file, last - first + 1, first)
    finally:
        os.close(file)
