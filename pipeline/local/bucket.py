"""A folder as one bucket: its files in S3's order, read and written without ever leaving it."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_VALID_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_UNFINISHED = ".transcribe-unfinished-"
_OPEN_LISTINGS = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One object; `size` in bytes, `modified` in seconds since 1970."""

    key: str
    size: int
    modified: float
    etag: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing; `more` is where the next one begins after, None at the end.

    `prefixes` stand for the keys that a delimiter groups.
    """

    entries: list[Entry]
    prefixes: list[str]
    more: str | None
    unread: Entry | None = None


def page_of(listing: Iterator[Entry], grouping: tuple[str, str], limit: int) -> Page:
    """The next part of a listing in S3's order: at most `limit` objects and prefixes.

    Args:
        listing: what is left of it.
        grouping: prefix and delimiter; keys are grouped by what they have in common up to the
            first delimiter after the prefix. "" groups none.
        limit: S3's MaxKeys.
    """
    prefix, delimiter = grouping
    entries: list[Entry] = []
    prefixes: list[str] = []
    more = None
    while limit and (entry := next(listing, None)):
        name, found, _ = entry.key[len(prefix) :].partition(delimiter or "\0")
        group = prefix + name + found if delimiter and found else ""
        if group and prefixes and prefixes[-1] == group:
            more = entry.key
            continue
        if len(entries) + len(prefixes) == limit:
            return Page(entries, prefixes, more, entry)
        if group:
            prefixes.append(group)
        else:
            entries.append(entry)
        more = entry.key
    return Page(entries, prefixes, None)


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may be called so."""
    return bool(_VALID_NAME.fullmatch(name)) and ".." not in name


def bucket_name(folder: Path) -> str:
    """The folder's own name where a bucket may be called so, else "recordings"."""
    name = folder.resolve().name
    return name if is_bucket_name(name) else "recordings"


class NotReplaced(Exception):
    """What is there is not what was to be replaced."""


def _any(_: Entry | None) -> bool:
    return True


class Bucket:
    """The files below a folder. Symbolic links are neither followed nor listed.

    The methods block (they are quick except for a page of a huge directory) and may be called
    from any thread.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.root = folder.resolve(strict=True)
        if not self.root.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder")
        # A listing goes on where it stopped instead of reading a huge directory for every page.
        self._listings: OrderedDict[tuple[str, str], Iterator[Entry]] = OrderedDict()

    def page(self, prefix: str, after: str, limit: int, delimiter: str = "") -> Page:
        """Up to `limit` objects whose keys begin with `prefix` and come after `after`."""
        listing = self._listings.pop((prefix, after), None) or self._walk(prefix, after)
        page = page_of(listing, (prefix, delimiter), limit)
        if page.more is not None and page.unread:
            self._listings[prefix, page.more] = chain([page.unread], listing)
            while len(self._listings) > _OPEN_LISTINGS:
                self._listings.popitem(last=False)
        return page

    def find(self, key: str) -> Entry | None:
        """What `key` names, or None where it is no file below the folder."""
        path = self.path(key)
        return self._entry(key, path) if path else None

    def path(self, key: str) -> Path | None:
        """Where the object lies or would lie; None for a key that no file here can have."""
        parts = key.split("/")
        if any(part in {"", ".", ".."} or "\0" in part or os.sep in part for part in parts):
            return None
        path = self.root.joinpath(*parts)
        # A link anywhere on the way makes the real path another one.
        try:
            outside = os.path.realpath(path) != os.fspath(path)
        except (OSError, UnicodeError):
            return None
        return None if outside or parts[-1].startswith(_UNFINISHED) else path

    def read(self, key: str) -> bytes:
        """A small object's content, b"" where there is none."""
        path = self.path(key)
        return path.read_bytes() if path and self.find(key) else b""

    def write(self, key: str, content: bytes) -> None:
        """Create or replace an object in one step: no reader sees half of it.

        Raises:
            OSError: the folder can't be written, or the key can't be a file here.
        """
        with self.receiving(key) as file:
            file.write(content)

    @contextmanager
    def receiving(
        self, key: str, may_replace: Callable[[Entry | None], bool] = _any
    ) -> Iterator[BinaryIO]:
        """A file that becomes the object in one step, when the context is left without an error.

        Raises:
            NotReplaced: it may not replace what is there by then, None where nothing is.
            OSError: the folder can't be written, or the key can't be a file here.
        """
        path = self.path(key)
        if path is None:
            raise OSError(f"no file of the bucket can be called {key!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{_UNFINISHED}{uuid4().hex}")
        try:
            with unfinished.open("xb") as file:
                yield file
            if not may_replace(self.find(key)):
                raise NotReplaced
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def delete(self, key: str) -> None:
        """Take an object away; none is there afterwards, whether there was one or not.

        Raises:
            OSError: the folder can't be written.
        """
        path = self.path(key)
        if path and self.find(key):
            path.unlink(missing_ok=True)

    def _walk(self, prefix: str, after: str) -> Iterator[Entry]:
        """Every object in the order of whole keys, from the folder that holds the prefix on."""
        folder = prefix[: prefix.rfind("/") + 1]
        start = self.path(folder.removesuffix("/")) if folder else self.root
        if start and start.is_dir():
            yield from self._below(start, folder, prefix, after)

    def _below(self, folder: Path, base: str, prefix: str, after: str) -> Iterator[Entry]:
        for name in _names(folder):
            key = base + name
            if name.endswith("/"):
                if _may_hold(key, prefix, after):
                    yield from self._below(folder / name, key, prefix, after)
            elif key.startswith(prefix) and key > after:
                entry = self._entry(key, folder / name)
                if entry:
                    yield entry

    @staticmethod
    def _entry(key: str, path: Path) -> Entry | None:
        try:
            stat = path.lstat()
        except (OSError, ValueError):
            return None
        if not S_ISREG(stat.st_mode):
            return None
        etag = f"{stat.st_size:x}-{stat.st_mtime_ns:x}"
        return Entry(key, stat.st_size, stat.st_mtime, etag)


def _may_hold(folder: str, prefix: str, after: str) -> bool:
    """Whether a key that begins with `folder` can begin with `prefix` and come after `after`."""
    fits = folder.startswith(prefix) or prefix.startswith(folder)
    return fits and (folder > after or after.startswith(folder))


def _names(folder: Path) -> list[str]:
    """A directory's files and folders (with "/" at the end), in the order of their whole keys."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name + "/")
                elif entry.is_file(follow_symlinks=False) and not entry.name.startswith(
                    _UNFINISHED
                ):
                    names.append(entry.name)
    except OSError:  # taken away, or not ours to read: as if it were empty
        return []
    # Code points have the order of their UTF-8 bytes, which is S3's.
    return sorted(filter(_is_utf8, names))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
