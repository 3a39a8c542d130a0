"""A list of keys as the source, or the inventory that S3 itself writes of a bucket."""

from __future__ import annotations

import asyncio
import csv
import gzip
from io import TextIOWrapper
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote_plus

import msgspec

from pipeline.config.metadata import Metadata, Unusable, decoded, packed
from pipeline.errors import BadSettings
from pipeline.model import SourceObject
from pipeline.recordings.folder import FolderSource
from pipeline.recordings.inventory import InventorySource, is_inventory
from pipeline.recordings.manifest_file import (
    LONGEST_FIELD,
    UNREADABLE,
    Lines,
    is_size,
    opened,
    why_unreadable,
)
from pipeline.recordings.source import MISSING, NamedRecordings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.naming import S3Uri
    from pipeline.recordings.source import Source

_PAGE = 200
"""Keys that are looked up at once."""

_BATCH_OPERATIONS = ["bucket", "key", "versionid"]


_NO_METADATA = Metadata()
_OF_THE_MANIFEST = frozenset(
    {"bucket", "etag", "key", "reason", "size", "storageclass", "uri", "versionid"}
)
"""Columns that say which object is named, and whether it is there."""


def named_by(place: S3Uri | Path | None, source: Source, s3: S3, metadata: Metadata) -> Source:
    """The recordings of `source` that the manifest at `place` names, with their `metadata`.

    All of them where there is no manifest.

    Raises:
        BadSettings: an inventory is named for a folder, or for metadata.
    """
    if place is None:
        return source
    if not is_inventory(place):
        return ManifestSource(place, source, s3, metadata)
    if metadata.source == "manifest":
        raise BadSettings(
            f"source = 'manifest' in [metadata]: the inventory {place} has no columns of yours",
            "Name a table (.csv) or JSON Lines with --manifest, or leave source out.",
        )
    return InventorySource(place, source, s3)


class ManifestSource(NamedRecordings):
    """The recordings of another source that a file names, one a line.

    A line is a key, a URI of the source, or a JSON object with a `uri` or a `key`, such as a line
    of the failures file. Empty lines are skipped. A name that ends with `.csv` is a table: with
    these names in its first line, or a manifest of S3 Batch Operations (bucket, URL-encoded key).
    After either, `.gz` means gzip.

    Each recording is looked up, but for one whose `etag` and `size` are given too.
    """

    def __init__(
        self, place: S3Uri | Path, source: Source, s3: S3, metadata: Metadata = _NO_METADATA
    ) -> None:
        super().__init__(source)
        self._place = place
        self._metadata = metadata
        self.names_each = True
        self._s3 = s3
        # A file's facts cost no call, and only looking them up keeps inside the folder.
        self._believes = not isinstance(source, FolderSource)

    async def pages(self) -> AsyncIterator[list[SourceObject]]:
        """The named objects, 200 at a time; one that is not there is an entry that says so.

        Raises:
            BadSettings: the file can't be read, or a line names nothing in the source.
        """
        try:
            async with opened(self._place, self._s3) as file:
                entries = self._entries(file)
                while page := await asyncio.to_thread(lambda: list(islice(entries, _PAGE))):
                    if not all(entry.etag for entry in page):
                        page = await asyncio.gather(*map(self._completed, page))
                    yield page
        except UNREADABLE as error:
            reason = why_unreadable(error)
            raise BadSettings(
                f"The manifest {self._place} can't be read: {reason}",
                "Let this user read it, or name another one.",
            ) from error

    async def _completed(self, entry: SourceObject) -> SourceObject:
        if entry.etag:
            return entry
        found = await self.look_up(entry.key) or entry._replace(storage=MISSING)
        return found._replace(metadata=entry.metadata)

    def _entries(self, file: BinaryIO) -> Iterator[SourceObject]:
        """What the lines name; without an etag where it is yet to be looked up."""
        name = str(self._place).lower()
        if name.endswith(".gz"):
            file = cast("BinaryIO", gzip.GzipFile(fileobj=file))
        lines = _rows if name.removesuffix(".gz").endswith(".csv") else _lines
        for number, facts in lines(file):
            line = f"Line {number} of {self._place}"
            entry = self._entry(line, {_plain(name): value for name, value in facts.items()})
            yield entry._replace(metadata=self._packed(line, facts))

    def _packed(self, line: str, facts: dict[str, Any]) -> bytes:
        """What a line says of the recording beside its name."""
        if self._metadata.source != "manifest":
            return b""
        others = {n: value for n, value in facts.items() if _plain(n) not in _OF_THE_MANIFEST}
        if not others or "reason" in facts:  # a list of keys, or of failures, says nothing of them
            return b""
        try:
            return msgspec.json.encode(packed(others, self._metadata.columns))
        except Unusable as error:
            raise BadSettings(
                f"{line} has metadata that is not taken: {error}",
                "Name the columns that you want in [metadata] columns, or rename them.",
            ) from error

    def _entry(self, line: str, facts: dict[str, Any]) -> SourceObject:
        given = [
            name for name in ("key", "uri") if isinstance(facts.get(name), str) and facts[name]
        ]
        if not given:
            raise BadSettings(f"{line} names no uri and no key", "Correct it, or take it away.")
        key = facts["key"] if "key" in given else self.key_of(facts["uri"])
        if not key or facts.get("bucket", self.bucket) != self.bucket:
            raise BadSettings(
                f"{line} names something outside {self.uri}",
                "Take it away, or name as the SOURCE what holds all that the lines name.",
            )
        etag, size = str(facts.get("etag") or "").strip('"'), str(facts.get("size", ""))
        storage = str(facts.get("storageclass") or "")
        if max(map(len, (key, etag, storage))) > LONGEST_FIELD:
            raise BadSettings(
                f"{line} has a field of more than {LONGEST_FIELD:,} characters",
                "Correct it, or take it away.",
            )
        # What failed may have been repaired since, under another etag.
        if self._believes and etag and is_size(size) and "reason" not in facts:
            return SourceObject(key, etag, int(size), storage)
        return SourceObject(key, "", 0)


def _lines(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a text, by number; only a newline ends one."""
    with TextIOWrapper(file, "utf-8-sig", newline="\n") as text:
        lines = Lines(text)
        for line in lines:
            lines.end_row()
            if named := line.rstrip("\r\n"):
                yield lines.number, _facts(named)


def _facts(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {"uri" if "://" in line else "key": line}
    try:
        facts: dict[str, Any] = decoded(line)
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        return {}
    return facts


def _rows(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table, by the number of their last line."""
    with TextIOWrapper(file, "utf-8-sig", newline="") as text:
        lines = Lines(text)
        reader = csv.reader(lines, strict=True)
        first = next(reader, [])
        names = [name.strip() for name in first]
        if {"key", "uri"} & set(map(_plain, names)):
            rows: Iterator[list[str]] = reader
        else:
            names = _BATCH_OPERATIONS
            rows = ([unquote_plus(cell) for cell in row] for row in chain([first], reader))
        for row in rows:
            lines.end_row()
            if row:
                yield reader.line_num, dict(zip(names, row, strict=False))


def _plain(name: str) -> str:
    """A column's name however it is spelt: `StorageClass`, `storage_class`, `e_tag`."""
    return name.strip().replace("_", "").replace(" ", "").lower()
