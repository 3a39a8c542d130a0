"""Which files of transcripts are written where: a ledger beside the state file.

A file is written first, whole, and noted then. What a crash leaves in between is found by the next
call as it is, and noted; so a lost ledger costs reading. Of a recording that has changed since, the
file that is there then counts as another's.

`names` holds which recording has a name below a place, so that it keeps it whatever comes later;
`files` what each of its files was made of, and a tag by which it is known there.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.files import locked, open_lock
from pipeline.state.database import connect, translated
from pipeline.state.schema import Schema
from pipeline.state.table_ledger import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.model import Job
    from pipeline.state.database import Database

_FORMAT = 1
_APPLICATION_ID = 0x74727478  # "trtx"
_LEDGER = Schema(
    _APPLICATION_ID,
    _FORMAT,
    f"""
    CREATE TABLE places (number INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE);
    CREATE TABLE names (
        row INTEGER PRIMARY KEY,
        place INTEGER NOT NULL,
        name TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (place, name)
    );
    CREATE TABLE files (
        row INTEGER NOT NULL,
        format TEXT NOT NULL,
        made_of TEXT NOT NULL,
        tag TEXT NOT NULL,
        PRIMARY KEY (row, format)
    ) WITHOUT ROWID;
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_FORMAT};
    """,
    TABLES,
    "ledger",
    "Move it away: what is there is compared then, and what is missing is written.",
)


class Due(NamedTuple):
    """A recording of which files are to be written.

    `name` is the path below the place without the suffix. `formats` has the tag of the file that
    an earlier call wrote, None where none did; `made_of` says of each format what it is made of.
    """

    job: Job
    row: int
    name: str
    formats: dict[str, str | None]
    made_of: Mapping[str, str]


class Names(Protocol):
    """How recordings are named below a place."""

    def first(self, key: str) -> str:
        """The name that a recording has unless another has it."""

    def second(self, key: str) -> str:
        """The name that it has then, which is no other's."""

    def known_as(self, name: str) -> str:
        """The same for names that are one file there."""


class TranscriptLedger:
    """The files below one place."""

    def __init__(self, database: Database, place: str, names: Names) -> None:
        self._database = database
        self._how = names
        database.change("INSERT INTO places (place) VALUES (?) ON CONFLICT DO NOTHING", place)
        self._place = database.rows("SELECT number FROM places WHERE place = ?", place)[0][0]

    def due(self, wanted: Sequence[tuple[Job, Mapping[str, str]]]) -> list[Due]:
        """The recordings of which a file is not written yet, or was made of something else.

        Args:
            wanted: written jobs of different recordings, and of each format what its file would be
                made of beside the job's transcript.
        """
        names = self._names([job.recording.key for job, _ in wanted])
        marks = ", ".join("?" * len(names))
        written = {
            (row, name): (made_of, tag)
            for row, name, made_of, tag in self._database.rows(
                f"SELECT row, format, made_of, tag FROM files WHERE row IN ({marks})",
                *(row for row, _ in names.values()),
            )
        }
        found = []
        for job, formats in wanted:
            row, name = names[job.recording.key]
            lacking = {
                each: tag
                for each, made_of in formats.items()
                for before, tag in (written.get((row, each), ("", None)),)
                if before != _made_of(job, made_of)
            }
            if lacking:
                found.append(Due(job, row, name, lacking, formats))
        return found

    def note(self, due: Due, wanted: str, tag: str) -> None:
        """The file is there, and known by its tag; this is written down with the next reading."""
        self._database.later(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            due.row,
            wanted,
            _made_of(due.job, due.made_of[wanted]),
            tag,
        )

    def flush(self) -> None:
        """Write down what was noted."""
        self._database.flush()

    def written(self) -> int:
        """How many files below the place are noted."""
        query = "SELECT count(*) FROM files JOIN names USING (row) WHERE place = ?"
        return int(self._database.rows(query, self._place)[0][0])

    def forget(self) -> None:
        """Every file is to be written again; what was written is still known as ours."""
        self._database.change(
            "UPDATE files SET made_of = '' WHERE row IN (SELECT row FROM names WHERE place = ?)",
            self._place,
        )

    def _names(self, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
        """The row and name of each recording; the second of two that fall together has a hash."""
        names = self._claimed({key: self._how.first(key) for key in keys})
        others = {key: self._how.second(key) for key in keys if key not in names}
        return names | self._claimed(others)

    def _claimed(self, wanted: Mapping[str, str]) -> dict[str, tuple[int, str]]:
        """Those that have the names that they ask for, or get them as nobody has."""
        if not wanted:
            return {}
        known_as = {key: self._how.known_as(name) for key, name in wanted.items()}
        self._database.change_each(
            "INSERT INTO names (place, name, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            ((self._place, name, key) for key, name in known_as.items()),
        )
        marks = ", ".join("?" * len(wanted))
        owners = {
            name: (row, key)
            for row, name, key in self._database.rows(
                f"SELECT row, name, key FROM names WHERE place = ? AND name IN ({marks})",
                self._place,
                *known_as.values(),
            )
        }
        return {
            key: (owners[known_as[key]][0], name)
            for key, name in wanted.items()
            if owners[known_as[key]][1] == key
        }


def _made_of(job: Job, more: str) -> str:
    return f"{job.name} {more}".rstrip()


def ledger_path(state: Path) -> Path:
    """The ledger that belongs to a state file."""
    return state.with_name(f"{state.name}.transcripts")


@contextmanager
def open_ledger(path: Path) -> Iterator[Database]:
    """Open or make the ledger, alone.

    Raises:
        OutputUnusable: another command holds it.
        StateUnusable: it is no ledger, or can't be used.
    """
    busy = f"Another command writes transcripts that {path} knows of"
    with locked(path.with_name(f"{path.name}.lock"), busy, "Wait for it."):
        with translated(path, _LEDGER):
            os.close(open_lock(path))  # for its owner alone, before SQLite makes it for others
        with closing(connect(path, may_create=True, schema=_LEDGER)) as database:
            yield database
