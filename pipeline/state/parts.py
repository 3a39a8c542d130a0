"""The output's sealed parts on S3, as the state file knows them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import StateUnusable
from pipeline.failures import NO_SPEECH
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.model import Recording
    from pipeline.state.database import Database

_SEALED = "open part begins at"
_CHECKPOINT = "checkpoint"
_OUTPUT = "parts of"


_FIND = (
    "CREATE TEMP TABLE IF NOT EXISTS sealed (identity BLOB PRIMARY KEY, row INTEGER) WITHOUT ROWID",
    "DELETE FROM temp.sealed",
)
_WRITTEN = (
    "SELECT r.row FROM recordings AS r JOIN temp.sealed AS s ON r.row = s.row "
    f"WHERE r.status = {Status.WRITTEN:d}"
)
# Identities have no index: one pass over the recordings, for a whole part.
_COMPARE = (
    "DELETE FROM temp.sealed WHERE identity IN (SELECT identity FROM previous_identities)",
    "UPDATE temp.sealed SET row = r.row FROM recordings AS r WHERE r.identity = sealed.identity",
    f"DELETE FROM temp.sealed WHERE row IN ({_WRITTEN})",
)
_MARK = (
    f"UPDATE recordings SET status = {Status.WRITTEN:d}, reason = NULL, message = NULL, "
    "changed = ? WHERE row IN (SELECT row FROM temp.sealed)"
)
_REMEMBER = "INSERT INTO previous_identities SELECT identity FROM temp.sealed WHERE row IS NULL"
_ADD = f"""
INSERT INTO recordings
    (key, etag, size, identity, attempt, status, last_run, changed, reason, message)
VALUES (?1, ?2, ?3, ?4, ?5, {Status.WRITTEN:d}, 0, ?6, iif(?7 = '', NULL, '{NO_SPEECH}'), ?7)
ON CONFLICT (key) DO UPDATE SET
    etag = excluded.etag, size = excluded.size, identity = excluded.identity,
    attempt = excluded.attempt, reason = excluded.reason, message = excluded.message
"""


class Written(NamedTuple):
    """A recording, the identity of its content and settings, and which attempt was written.

    `language` is the one that its job was given; "" where it was to be identified.
    """

    recording: Recording
    identity: bytes
    attempt: int
    language: str


class Parts:
    """Which parts are known, and where in the local file the part begins that is still open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check_belongs(self, output: str) -> None:
        """Refuse a file of another output on S3, or of another shard; a new one becomes its own.

        Raises:
            StateUnusable: the file is of another one.
        """
        known = self._database.fact(_OUTPUT)
        if known is None and not self._database.rows("SELECT 1 FROM recordings LIMIT 1"):
            self._database.set_fact(_OUTPUT, output)
        elif known != output:
            raise StateUnusable(
                f"The state file {self._database.path} belongs to "
                f"{known or self._database.fact('output') or 'another output'}, not to {output}",
                "Name another one with --state, or run the command in another folder.",
            )

    def known(self) -> dict[str, str]:
        """The ETag of each part whose recordings are known to be written, by its name."""
        return dict(self._database.rows("SELECT name, etag FROM parts"))

    @property
    def open_from(self) -> int:
        """The offset in the local file from which on its lines are in no part."""
        return int(self._database.fact(_SEALED) or 0)

    def open_at(self, offset: int) -> None:
        """The open part begins there; inside the commit that sets the file's size."""
        self._database.set_fact(_SEALED, offset)

    def note(self, name: str, etag: str) -> None:
        """The part is there, and all its lines were ours."""
        self._database.change("INSERT OR REPLACE INTO parts VALUES (?, ?)", name, etag)

    def note_written(self, identities: Sequence[bytes]) -> int:
        """Recordings of these identities have their line in a part; how many had none so far."""
        with self._database.transaction():
            for each in _FIND:
                self._database.change(each)
            self._database.change_each(
                "INSERT OR IGNORE INTO temp.sealed (identity) VALUES (?)",
                ((each,) for each in identities),
            )
            for each in _COMPARE:
                self._database.change(each)
            fresh = int(self._database.rows("SELECT count(*) FROM temp.sealed")[0][0])
            self._database.change(_MARK, time.time())
            self._database.change(_REMEMBER)
        return fresh

    def note_tasks(self, written: Iterable[Written]) -> None:
        """Recordings of a new state file have their line in a part, whatever was noted of them."""
        now = time.time()
        rows = (
            (each.key, each.etag, each.size, identity, attempt, now, language)
            for each, identity, attempt, language in written
        )
        self._database.change_each(_ADD, rows)

    @property
    def checkpoint(self) -> str:
        """The ETag of the copy of this file on S3 that it was made from or saved as; "" if none."""
        return str(self._database.fact(_CHECKPOINT) or "")

    def saved_as(self, etag: str) -> None:
        """The copy on S3 has this ETag."""
        self._database.set_fact(_CHECKPOINT, etag)
