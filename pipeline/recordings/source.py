"""What every source of recordings offers, a bucket or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.model import SourceObject

# Instead of a storage class, where an object can't be a recording:
SYMBOLIC_LINK = "SYMBOLIC_LINK"
UNREADABLE_NAME = "UNREADABLE_NAME"
UNREADABLE_FOLDER = "UNREADABLE_FOLDER"
NO_FILE = "NO_ORDINARY_FILE"
MISSING = "NOT_THERE"
UNUSABLE = frozenset({SYMBOLIC_LINK, UNREADABLE_NAME, UNREADABLE_FOLDER, NO_FILE, MISSING})


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

    @property
    def names_each(self) -> bool:
        """Whether somebody has named each of its objects, so that its extension tells less."""

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

    async def tags(self, key: str) -> dict[str, str] | None:
        """The tags of an object, none where it has none; None where there is no such object."""

    async def read_part(self, key: str, first: int, last: int) -> bytes | None:
        """The bytes of an object from the first to the last one; None where there is none."""


class NamedRecordings:
    """What a file names of another source: its state file, job names and tasks are the same."""

    def __init__(self, source: Source) -> None:
        self.names_each = source.names_each
        self.uri = source.uri
        self.bucket = source.bucket
        self.jobs_last = source.jobs_last
        self.media_uri = source.media_uri
        self.audio_uri = source.audio_uri
        self.key_of = source.key_of
        self.look_up = source.look_up
        self.tags = source.tags
        self.read_part = source.read_part
