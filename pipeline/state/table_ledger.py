"""Which transcripts are in the tables of a place, and which of their files are yet to be put there.

Files of tables never change, so each is decided first: it lies whole beside the ledger, and one
commit says that these transcripts are in it. Then it is put in its place, now or by the next call.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.model import Job
    from pipeline.state.database import Database

TABLES = """
CREATE TABLE IF NOT EXISTS table_rows (
    place INTEGER NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    job TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (place, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS table_parts (
    number INTEGER PRIMARY KEY,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    is_there INTEGER NOT NULL DEFAULT 0,
    UNIQUE (place, name)
);
"""


class DueRow(NamedTuple):
    """A transcript that is in no table yet, or has other metadata there.

    `version` is the number of its row, `whole` tells whether its words are due too; `metadata` is
    the same for the same metadata.
    """

    job: Job
    version: int
    metadata: str
    whole: bool


class TableLedger:
    """The tables below one place."""

    def __init__(self, database: Database, place: str) -> None:
        self._database = database
        database.change("INSERT INTO places (place) VALUES (?) ON CONFLICT DO NOTHING", place)
        self.number = database.rows("SELECT number FROM places WHERE place = ?", place)[0][0]

    def is_empty(self) -> bool:
        """Whether nothing is known to be there."""
        query = "SELECT 1 FROM table_rows WHERE place = ? LIMIT 1"
        return not self._database.rows(query, self.number)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is learned inside is known together, or not at all."""
        with self._database.transaction():
            yield

    def forget(self) -> None:
        """Know nothing of what is there."""
        for table in ("table_rows", "table_parts"):
            self._database.change(f"DELETE FROM {table} WHERE place = ?", self.number)

    def due(self, jobs: Sequence[Job], metadata: Sequence[str]) -> list[DueRow]:
        """Those that are not there, or with other metadata; given with what tells that apart."""
        marks = ", ".join("?" * len(jobs))
        known = {
            key: rest
            for key, *rest in self._database.rows(
                "SELECT key, version, job, metadata FROM table_rows "
                f"WHERE place = ? AND key IN ({marks})",
                self.number,
                *(job.recording.key for job in jobs),
            )
        }
        found = []
        for job, said in zip(jobs, metadata, strict=True):
            version, name, before = known.get(job.recording.key, (0, "", ""))
            if name != job.name or before != said:
                found.append(DueRow(job, version + 1, said, name != job.name))
        return found

    @contextmanager
    def deciding(self, parts: Sequence[str]) -> Iterator[None]:
        """The rows that are noted inside are in these files, which are to be put there.

        This outlives a power cut, and holds together or not at all.
        """
        with self._database.durably(), self._database.transaction():
            yield
            self._database.change_each(
                "INSERT INTO table_parts (place, name) VALUES (?, ?)",
                ((self.number, name) for name in parts),
            )

    def note(self, rows: Iterable[DueRow]) -> None:
        """These rows are in files that are decided."""
        self._note(
            (each.job.recording.key, each.version, each.job.name, each.metadata) for each in rows
        )

    def adopt(self, rows: Iterable[tuple[str, int, str, str]], part: str) -> None:
        """The rows, by key, version, job and metadata, are in a file that is there."""
        with self._database.transaction():
            self._note(rows)
            self._database.change(
                "INSERT OR IGNORE INTO table_parts (place, name, is_there) VALUES (?, ?, 1)",
                self.number,
                part,
            )

    def _note(self, rows: Iterable[tuple[str, int, str, str]]) -> None:
        self._database.change_each(
            "INSERT INTO table_rows (place, key, version, job, metadata) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (place, key) DO UPDATE SET version = excluded.version, "
            "job = excluded.job, metadata = excluded.metadata "
            "WHERE table_rows.version <= excluded.version",
            ((self.number, *row) for row in rows),
        )

    def unwritten(self) -> list[str]:
        """The files that are decided and not known to be there, in their order."""
        query = "SELECT name FROM table_parts WHERE place = ? AND NOT is_there ORDER BY number"
        return [name for (name,) in self._database.rows(query, self.number)]

    def is_there(self, name: str) -> None:
        """The file is in its place."""
        self._database.change(
            "UPDATE table_parts SET is_there = 1 WHERE place = ? AND name = ?", self.number, name
        )

    def written(self) -> int:
        """How many files are there."""
        query = "SELECT count(*) FROM table_parts WHERE place = ? AND is_there"
        return int(self._database.rows(query, self.number)[0][0])
