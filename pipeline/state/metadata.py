"""The metadata of recordings, as the listing that named them had it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from pipeline.state.database import Database

# Of rows that are written what changes is counted, of others not.
_NOTE = f"""
INSERT INTO metadata (row, facts)
SELECT row, ?2 FROM recordings WHERE key = ?1 AND status {{}} {Status.WRITTEN:d}
ON CONFLICT (row) DO UPDATE SET facts = excluded.facts WHERE facts != excluded.facts
"""

# Of what is written, where what was noted begins so.
_CHANGE = f"""
UPDATE metadata SET facts = ?2
WHERE row = (SELECT row FROM recordings WHERE key = ?1 AND status = {Status.WRITTEN:d})
AND facts != ?2 AND substr(facts, 1, length(?3)) = ?3
"""

_UNTOLD = "output lacks metadata"
"""A fact of the output, so it is gone once every task is to be rewritten."""


class MetadataState:
    """What is remembered of each recording beside its job; JSON objects as text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self) -> AbstractContextManager[None]:
        """Recordings and their metadata inside it are one commit, so that none lacks its own."""
        return self._database.transaction()

    def note(self, facts: Sequence[tuple[str, bytes]], kind: str = "") -> int:
        """Remember the metadata of recordings that are there, by key.

        Args:
            facts: keys with JSON objects or texts.
            kind: what texts of a kind begin with that tell of a change only beside an older one.

        Returns:
            How many of those that are written had another, or without a kind none: their tasks
            have it too.
        """
        rows = [(key, each.decode()) for key, each in facts]
        with self.page():
            retold = [(*row, f'"{kind}') for row in rows] if kind else []
            changed = self._database.change_each(_CHANGE, retold)
            new = self._database.change_each(_NOTE.format("="), rows)
            self._database.change_each(_NOTE.format("!="), rows)
            counted = changed if kind else new
            if counted:
                self._database.set_fact(_UNTOLD, self.untold() + counted)
        return counted

    def untold(self) -> int:
        """How many of those that are written had another since that was last told.

        A run that is killed while it lists leaves it to the next one.
        """
        return int(self._database.fact(_UNTOLD) or 0)

    def on_told(self) -> None:
        """Somebody was told."""
        self._database.set_fact(_UNTOLD, 0)

    def of_rows(self, rows: Iterable[int]) -> list[tuple[int, bytes]]:
        """The metadata of these recordings, of those that have some."""
        if not self._database.rows("SELECT 1 FROM sqlite_master WHERE name = 'metadata'"):
            return []  # of an earlier version
        wanted = list(rows)
        marks = ", ".join("?" * len(wanted))
        query = f"SELECT row, facts FROM metadata WHERE row IN ({marks})"
        return [(row, facts.encode()) for row, facts in self._database.rows(query, *wanted)]
