"""A file that names recordings, wherever it lies: on this machine or in a bucket."""

from __future__ import annotations

import asyncio
import csv
import zlib
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from pipeline.errors import BadSettings
from pipeline.naming import S3Uri, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.s3 import S3

UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error)
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
    if isinstance(error, csv.Error):
        return f"it is not CSV ({error})"
    return getattr(error, "strerror", None) or "it is damaged, or not gzip"


@asynccontextmanager
async def opened(place: S3Uri | Path, s3: S3) -> AsyncIterator[BinaryIO]:
    """The content for reading; an object is first copied to a temporary file without a name.

    Raises:
        BadSettings: there is no such object.
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
            raise BadSettings(f"There is no object {place}.")
        content, size, etag = part
        await asyncio.to_thread(file.write, content)
        start += len(content)
    file.seek(0)
