"""A list of keys as the source: each is looked up, so that its content is known."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, TextIO

import orjson

from pipeline.errors import BadSettings
from pipeline.sources import MISSING, Entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pipeline.sources import Source

_PAGE = 200
"""Keys that are looked up at once."""


class ManifestSource:
    """The recordings of another source that a file names, one a line.

    A line is a key, a URI of the source, or a JSON object with a `uri` or a `key`, such as a line
    of the failures file. Empty lines are passed over.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._source = source
        self.uri = source.uri
        self.bucket = source.bucket
        self.jobs_last = source.jobs_last
        self.media_uri = source.media_uri
        self.audio_uri = source.audio_uri
        self.key_of = source.key_of
        self.look_up = source.look_up

    async def pages(self) -> AsyncIterator[list[Entry]]:
        """The named objects, 200 at a time; one that is not there is an entry that says so.

        Raises:
            BadSettings: the file can't be read, or a line names nothing in the source.
        """
        try:
            with self._path.open(encoding="utf-8", newline="\n") as file:
                keys = self._keys(file)
                while page := list(islice(keys, _PAGE)):
                    yield list(await asyncio.gather(*map(self._entry, page)))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise BadSettings(f"The manifest {self._path} can't be read: {reason}.") from error

    async def _entry(self, key: str) -> Entry:
        return await self._source.look_up(key) or Entry(key, "", 0, MISSING)

    def _keys(self, file: TextIO) -> Iterator[str]:
        for number, line in enumerate(file, 1):
            text = line.rstrip("\r\n")
            if not text:
                continue
            facts = _facts(text)
            if not facts:
                raise BadSettings(f"Line {number} of {self._path} names no uri and no key.")
            key = facts.get("key") or self._source.key_of(facts["uri"])
            if not key:
                raise BadSettings(
                    f"Line {number} of {self._path} names something outside {self._source.uri}."
                )
            yield key


def _facts(line: str) -> dict[str, str]:
    """What a line says of `key` and `uri`: texts alone, and at least one, or nothing at all."""
    if not line.startswith("{"):
        return {"uri" if "://" in line else "key": line}
    try:
        facts = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return {n: v for n in ("key", "uri") if isinstance(v := facts.get(n), str) and v}
