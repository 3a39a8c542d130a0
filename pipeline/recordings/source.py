"""What a source holds, and which of it is taken: the rules are pure, the folder is read here."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

from pipeline.errors import NoSuchSource
from pipeline.model import SourceObject
from pipeline.recordings.globs import folder_of, pattern

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri

MEDIA_FORMATS = frozenset({"mp3", "mp4", "wav", "flac", "ogg", "amr", "webm", "m4a"})
"""The service's `MediaFormat` values, which are also the extensions that are taken."""

_CERTAIN = MEDIA_FORMATS - {"mp4", "m4a"}  # one container: the service may detect the other name
LARGEST = 2 * 2**30
"""Bytes; the service's limit for one file."""

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_SYMBOLIC_LINK = "SYMBOLIC_LINK"
_UNREADABLE_NAME = "UNREADABLE_NAME"
_NO_FILE = "NO_ORDINARY_FILE"
MISSING = "NOT_THERE"
_UNREADABLE_FOLDER = "UNREADABLE_FOLDER"
_UNUSABLE = frozenset({_SYMBOLIC_LINK, _UNREADABLE_NAME, _UNREADABLE_FOLDER, _NO_FILE, MISSING})
_PAGE = 1000


class Source(Protocol):
    """Where recordings come from."""

    @property
    def uri(self) -> str:
        """The source as a whole; one state file belongs to one."""

    @property
    def bucket(self) -> str:
        """What job names are computed with."""

    @property
    def jobs_last(self) -> bool:
        """Whether the service still knows a job when the run is over."""

    def media_uri(self, key: str) -> str:
        """How the service is told of a recording."""

    def audio_uri(self, key: str) -> str:
        """How a task names a recording."""

    def pages(self) -> AsyncIterator[list[SourceObject]]:
        """Everything in it, page by page."""

    def key_of(self, uri: str) -> str | None:
        """The key of the recording that tasks name so; None where it is not of this source."""

    async def look_up(self, key: str) -> SourceObject | None:
        """One object of it, or None where there is none."""

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """The bytes of an object from the first to the last one; None where there is none."""


class S3Source:
    """`s3://bucket/prefix`."""

    jobs_last = True

    def __init__(self, place: S3Uri, s3: S3) -> None:
        self.uri = str(place)
        self.bucket = place.bucket
        self._place = place
        self._s3 = s3

    def media_uri(self, key: str) -> str:
        """The object's own URI, nothing encoded."""
        return f"s3://{self.bucket}/{key}"

    audio_uri = media_uri

    def pages(self) -> AsyncIterator[list[SourceObject]]:
        """ListObjectsV2, 1,000 objects a page."""
        return self._s3.pages(self._place)

    def key_of(self, uri: str) -> str | None:
        """What follows the bucket, nothing decoded."""
        return uri.removeprefix(base) if uri.startswith(base := self.audio_uri("")) else None

    async def look_up(self, key: str) -> SourceObject | None:
        """HeadObject."""
        return await self._s3.look_up(self._place._replace(key=key))

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """GetObject with a range."""
        found = await self._s3.read_part(self._place._replace(key=key), (first, last))
        return found and found[0]


class FolderSource:
    """A folder on this machine, which the local endpoint serves as the bucket `served_as`."""

    jobs_last = False

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

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """What the file holds there; no link is followed."""
        return await asyncio.to_thread(_read_part, f"{self._folder}/{key}", first, last)


class NamedRecordings:
    """What a file names of another source: its state file, job names and tasks are the same."""

    def __init__(self, source: Source) -> None:
        self.uri = source.uri
        self.bucket = source.bucket
        self.jobs_last = source.jobs_last
        self.media_uri = source.media_uri
        self.audio_uri = source.audio_uri
        self.key_of = source.key_of
        self.look_up = source.look_up
        self.read_part = source.read_part


def walk(folder: Path) -> Iterator[SourceObject]:
    """Every file below `folder`, without following symbolic links.

    The etag is made of size and time of change (ns): what rsync and rclone compare by.

    Raises:
        NoSuchSource: the folder can't be read.
    """
    try:
        os.scandir(folder).close()  # os.walk would pass over it
    except OSError as error:
        raise NoSuchSource(f"The folder {folder} can't be read: {error.strerror}.") from error
    unreadable: list[str] = []
    for place, folders, files in os.walk(folder, onerror=lambda e: unreadable.append(e.filename)):
        folders.sort()
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 # a Path per file costs as much as the rest
        for name in sorted(files + linked):
            path = os.path.join(place, name)  # noqa: PTH118 # as above
            with suppress(FileNotFoundError):  # it went away while the folder was read
                yield _entry(path, _key(path, folder))
    for path in unreadable:
        yield SourceObject(_key(path, folder), "", 0, _UNREADABLE_FOLDER)


def _key(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _entry(path: str, key: str) -> SourceObject:
    try:
        key.encode()
    except UnicodeEncodeError:
        return SourceObject(key.encode(errors="replace").decode(), "", 0, _UNREADABLE_NAME)
    try:
        facts = os.lstat(path)
    except PermissionError:
        return SourceObject(key, "", 0, _UNREADABLE_FOLDER)
    storage = ""
    if stat.S_ISLNK(facts.st_mode):
        storage = _SYMBOLIC_LINK
    elif not stat.S_ISREG(facts.st_mode):
        storage = _NO_FILE
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


class Selection:
    """Which entries are taken; globs are matched against the path below the source."""

    def __init__(self, base: str, include: Iterable[str], exclude: Iterable[str]) -> None:
        self._base = folder_of(base)
        self._include = _any_of(include)
        self._exclude = _any_of(exclude)

    def why_skipped(self, entry: SourceObject) -> str | None:
        """The reason why an entry is no recording for this run; None when it is one."""
        if entry.storage in _UNUSABLE:
            return entry.storage.replace("_", " ").lower()
        if entry.key.endswith("/"):
            return "folder marker"
        path = entry.key.removeprefix(self._base)
        if self._include and not self._include.match(path):
            return "not included"
        if self._exclude and self._exclude.match(path):
            return "excluded"
        return _why_unusable(entry)


def _why_unusable(entry: SourceObject) -> str | None:
    if extension(entry.key) not in MEDIA_FORMATS:
        return "not audio"
    if entry.size == 0:
        return "empty object"
    if entry.size > LARGEST:
        return "over 2 GB"
    if entry.storage in _ARCHIVED:
        return "archived in Glacier"
    return None


def _any_of(globs: Iterable[str]) -> re.Pattern[str] | None:
    found = pattern(globs)
    return re.compile(found) if found else None


def extension(key: str) -> str:
    """The extension in lower case, without the dot; a name that only begins with one has none."""
    stem, _, found = key.rpartition("/")[2].rpartition(".")
    return found.lower() if stem else ""


def certain_format(key: str) -> str | None:
    """The service's MediaFormat where the extension says it for certain.

    A wrong one fails the job, and none lets the service look for itself.
    """
    found = extension(key)
    return found if found in _CERTAIN else None
