"""A file that names recordings, wherever it lies: on this machine or in a bucket."""

from __future__ import annotations

import asyncio
import csv
import zlib
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryFile, gettempdir
from typing import TYPE_CHECKING, BinaryIO, TextIO

from pipeline.errors import BadSettings
from pipeline.naming import S3Uri, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pipeline.aws.s3 import S3

LONGEST_LINE = 2**20
"""Characters of a line, and of a row of several lines. A line names one recording: S3's keys have
1,024 bytes, and a line of a failures file or an inventory a few thousand."""

LONGEST_FIELD = 4096
"""Characters of a key, as the path of a file, or of another fact that is kept of a line."""


_LONGEST_SIZE = 18  # digits, which SQLite's integers hold


class LongLine(ValueError):
    """A line is longer than any that names a recording."""


UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, LongLine)
"""What reading a file of text, CSV or gzip may end with."""

_SPAN = 8 * 2**20
"""Bytes of an object that are asked for, and held in memory, at once."""


def parse_place(name: str) -> S3Uri | Path:
    """An object of a bucket, or a path on this machine."""
    return parse_s3_uri(name) or Path(name)


def why_unreadable(error: BaseException) -> str:
    """The reason in words that say what is wrong with the file."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, LongLine):
        return str(error)
    if isinstance(error, csv.Error):
        return f"it is not CSV ({error})"
    return getattr(error, "strerror", None) or "it is damaged, or not gzip"


def is_size(text: str) -> bool:
    """Whether a text is a number of bytes; an object has 5 terabytes at most."""
    return text.isdecimal() and len(text) <= _LONGEST_SIZE


class Lines:
    """The lines of a text, none of which is held in memory when it is too long to name a recording.

    Who reads rows of several lines says where each ends, with `end_row`.
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._row = 0
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._row += len(line)
        if self._row > LONGEST_LINE:
            raise LongLine(f"its line {self.number} is longer than a megabyte")
        return line

    def end_row(self) -> None:
        """What follows is another row."""
        self._row = 0


@asynccontextmanager
async def opened(place: S3Uri | Path, s3: S3) -> AsyncIterator[BinaryIO]:
    """The content for reading; an object is first copied to a temporary file without a name.

    Raises:
        BadSettings: there is no such object, or no room for its copy.
        OSError: the file can't be opened, or the disk is full.
        CannotRun: the bucket can't be read.
    """
    if isinstance(place, Path):
        with place.open("rb") as file:
            yield file
        return
    with TemporaryFile() as copy:
        await _copy(place, s3, copy)
        yield copy


async def _copy(place: S3Uri, s3: S3, file: BinaryIO) -> None:
    start, size, etag = 0, 1, "*"
    while start < size:
        part = await s3.read_part(place, (start, start + _SPAN - 1), etag)
        if part is None:
            raise BadSettings(f"There is no object {place}", "Check its name.")
        content, size, etag, _ = part
        if size - start > (room := disk_usage(gettempdir()).free):
            raise BadSettings(
                f"{place} has {size / 1e9:.1f} GB, and {gettempdir()} room for {room / 1e9:.1f}",
                "Name a folder with more room in TMPDIR.",
            )
        await asyncio.to_thread(file.write, content)
        start += len(content)
    file.seek(0)
