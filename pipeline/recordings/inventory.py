"""S3 Inventory as the source: the list of a whole bucket that S3 writes every day or week.

It costs no call per key or page. The format is that of "Amazon S3 Inventory" in the S3 User Guide:
a `manifest.json` names CSV parts, gzipped, whose keys are URL-encoded with "+" for a space.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import re
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast
from urllib.parse import unquote_plus

import msgspec

from pipeline.aws.s3_listing import all_folders
from pipeline.errors import BadSettings, PipelineError
from pipeline.model import SourceObject
from pipeline.naming import S3Uri, parse_s3_uri
from pipeline.recordings.manifest_file import (
    LONGEST_FIELD,
    UNREADABLE,
    Lines,
    is_size,
    opened,
    why_unreadable,
)
from pipeline.recordings.source import NamedRecordings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from io import BufferedReader

    from pipeline.aws.s3 import S3
    from pipeline.recordings.source import Source

_PAGE = 1000
_ANOTHER = "Name the inventory of another day."
_MANIFEST = "manifest.json"
_DAY = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ")
_LARGEST_MANIFEST = 16 * 2**20  # bytes; a part takes about 150 of them


class Part(msgspec.Struct, frozen=True):
    """One file of an inventory."""

    key: str
    md5: str = msgspec.field(name="MD5checksum")


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """A `manifest.json`."""

    source_bucket: str
    file_format: str
    file_schema: str
    files: list[Part]


class Columns(NamedTuple):
    """Where the fields stand in a row of `width`; None where the inventory has no such field."""

    width: int
    key: int
    etag: int
    size: int
    storage: int | None
    latest: int | None
    marker: int | None


def is_inventory(place: S3Uri | Path) -> bool:
    """Whether a name is that of an inventory: a manifest.json, or the folder of one or several."""
    if isinstance(place, Path):
        return place.suffix == ".json" or place.is_dir()
    return place.key.endswith((".json", "/")) or not place.key


class InventorySource(NamedRecordings):
    """The objects below a bucket's prefix that an inventory lists: current versions alone."""

    def __init__(self, place: S3Uri | Path, source: Source, s3: S3) -> None:
        super().__init__(source)
        whole = parse_s3_uri(source.uri)
        if whole is None:
            raise BadSettings(
                f"The inventory {place} goes with a bucket, not with a folder",
                "Name s3://bucket/prefix/ as the SOURCE.",
            )
        self._place = place
        self._source = whole
        self._s3 = s3

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """Its objects, 1,000 a page; each part is checked before anything of it is taken.

        Raises:
            BadSettings: it is not of this bucket, lacks a column, or is damaged or incomplete.
        """
        place = await self._manifest_place()
        manifest = await self._manifest(place)
        columns = columns_of(manifest.file_schema, place)
        for part in manifest.files:
            where = _place_of(part, place)
            try:
                async with opened(where, self._s3) as file:
                    await asyncio.to_thread(_check, file, part)
                    entries = entries_of(file, columns, self._source)
                    while page := await asyncio.to_thread(_page, entries):
                        yield page
            except UNREADABLE as error:
                reason = why_unreadable(error)
                raise BadSettings(f"The inventory's part {where}: {reason}", _ANOTHER) from error
            except ValueError as error:
                raise BadSettings(
                    f"The inventory's part {where} is not what {place} says: {error}", _ANOTHER
                ) from error

    async def _manifest_place(self) -> S3Uri | Path:
        """The manifest that was named, or the newest one below the folder that was."""
        place = self._place
        if isinstance(place, Path):
            if not place.is_dir():
                return place
            found = [place / _MANIFEST, *sorted(place.glob(f"*/{_MANIFEST}"), reverse=True)]
            return next((each for each in found if each.is_file()), found[0])
        if place.key and not place.key.endswith("/"):
            return place
        days = [place.key + day for day in await self._days(place)]
        for folder in (place.key, *sorted(days, reverse=True)):
            found_there = place._replace(key=folder + _MANIFEST)
            if await self._s3.look_up(found_there):
                return found_there
        raise BadSettings(
            f"There is no manifest.json of an inventory below {place}",
            "Name the folder that S3 writes a bucket's inventory into.",
        )

    async def _days(self, place: S3Uri) -> list[str]:
        """The folders that inventories are written into, one for each."""
        names = [name.removeprefix(place.key) for name in await all_folders(self._s3, place)]
        return [name for name in names if _DAY.fullmatch(name.removesuffix("/"))]

    async def _manifest(self, place: S3Uri | Path) -> Manifest:
        try:
            async with opened(place, self._s3) as file:
                manifest = msgspec.json.decode(file.read(_LARGEST_MANIFEST), type=Manifest)
        except OSError as error:
            raise BadSettings(
                f"The inventory {place} can't be read: {why_unreadable(error)}",
                "Let this user read it, or name another one.",
            ) from error
        except PipelineError:
            raise
        except Exception as error:
            raise BadSettings(
                f"{place} is not the manifest.json of an inventory: {error}", _ANOTHER
            ) from error
        if manifest.source_bucket != self._source.bucket:
            raise BadSettings(
                f"The inventory {place} is of s3://{manifest.source_bucket}, not of {self.uri}",
                "Name this bucket's own inventory, or the other bucket as the SOURCE.",
            )
        if manifest.file_format != "CSV":
            raise BadSettings(
                f"The inventory {place} is written as {manifest.file_format}",
                "Choose CSV as the "
                "output format of its configuration; the next one can then be read.",
            )
        return manifest


def columns_of(schema: str, place: S3Uri | Path) -> Columns:
    """Where the fields stand, from a manifest's `fileSchema`.

    Raises:
        BadSettings: one that is needed is not among them.
    """
    names = [name.strip() for name in schema.split(",")]
    needed = ("Key", "ETag", "Size")
    if missing := [name for name in needed if name not in names]:
        raise BadSettings(
            f"The inventory {place} has no column {' and no column '.join(missing)}",
            f"Add "
            f"{' and '.join(missing)} to the additional fields of its configuration; the next one "
            "can then be read.",
        )
    others = ("StorageClass", "IsLatest", "IsDeleteMarker")
    places = [names.index(name) if name in names else None for name in others]
    return Columns(len(names), *map(names.index, needed), *places)


def entries_of(file: BinaryIO, columns: Columns, source: S3Uri) -> Iterator[SourceObject]:
    """The current objects below the prefix `source.key` that a part lists.

    Raises:
        ValueError: a row is not what the columns say.
    """
    lines = Lines(TextIOWrapper(gzip.GzipFile(fileobj=file), "utf-8", newline=""))
    reader = csv.reader(lines, strict=True)
    for row in reader:
        lines.end_row()
        try:
            entry = _entry(row, columns)
        except ValueError as error:
            raise ValueError(f"its line {reader.line_num} has other columns") from error
        if entry and entry.key.startswith(source.key):
            yield entry


def _entry(row: list[str], columns: Columns) -> SourceObject | None:
    """What a row says of an object; None where it is of an old version or a deleted object."""
    width, key, etag, size, storage, latest, marker = columns
    if len(row) != width:
        raise ValueError
    if latest is not None and row[latest] == "false":
        return None
    if marker is not None and row[marker] == "true":
        return None
    longest = max(len(row[key]), len(row[etag]))
    if not is_size(row[size]) or longest > 3 * LONGEST_FIELD:  # keys are percent-encoded
        raise ValueError
    storage_class = row[storage][:LONGEST_FIELD] if storage is not None else ""
    return SourceObject(unquote_plus(row[key]), row[etag].strip('"'), int(row[size]), storage_class)


def _page(entries: Iterator[SourceObject]) -> list[SourceObject]:
    return list(islice(entries, _PAGE))


def _check(file: BinaryIO, part: Part) -> None:
    """Make sure that a part came through whole.

    Raises:
        ValueError: it is another file, or cut short.
    """
    content = cast("BufferedReader", file)  # what both ways of opening it make
    found = hashlib.file_digest(content, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    if found != part.md5.lower():
        raise ValueError(f"its MD5 checksum is {found}")
    file.seek(0)


def _place_of(part: Part, manifest: S3Uri | Path) -> S3Uri | Path:
    """Where a part lies: in the manifest's bucket, or where a download puts it beside the manifest.

    A download keeps the folders (`DATE/manifest.json` and `data/PART`), or puts all in one.
    """
    if not isinstance(manifest, Path):
        return manifest._replace(key=part.key)
    name = part.key.rpartition("/")[2]
    folder = manifest.parent
    places = (folder.parent / "data" / name, folder / "data" / name, folder / name)
    return next((each for each in places if each.is_file()), places[0])
