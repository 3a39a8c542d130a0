"""What a run's listing has named, counted: nothing of its balance is worked out from the rest."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state.database import Database


class _Seen(IntEnum):
    NOT_YET = 0
    UNCHANGED = 1
    TOUCHED = 2


class Noted(NamedTuple):
    """Of a page: recordings that were written before as they are; those named once more.

    `unchanged` is negative where one of them was named again with another content.
    """

    unchanged: int
    duplicates: int


class Listing:
    """The recordings that the listing of one run has named; a byte for each row of the file.

    Every page that is added must be noted: rows beyond these bytes are new ones of the last page.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = bytearray(self._last_row())

    def note(self, keys: Sequence[str], run: int) -> Noted:
        """Note a page whose recordings have just been added in the run of this number."""
        new = self._last_row() - len(self._seen)
        if new == len(keys):  # a row for each: none was there before, none is named twice
            self._seen.extend(bytes([_Seen.TOUCHED]) * new)
            return Noted(0, 0)
        self._seen.extend(bytes(max(0, new)))
        return self._look_up(keys, run)

    def _last_row(self) -> int:
        return int(self._database.rows("SELECT coalesce(max(row), 0) FROM recordings")[0][0])

    def _look_up(self, keys: Sequence[str], run: int) -> Noted:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, row, last_run FROM recordings WHERE key IN ({marks})"
        rows = {key: (row, last == run) for key, row, last in self._database.rows(query, *keys)}
        unchanged = duplicates = 0
        for key in keys:
            if key not in rows:
                continue  # it was dropped, as the balance will show
            row, touched = rows[key]
            before = self._seen[row - 1]
            self._seen[row - 1] = _Seen.TOUCHED if touched else _Seen.UNCHANGED
            if before == _Seen.NOT_YET:
                unchanged += not touched
                continue
            duplicates += 1
            unchanged -= touched and before == _Seen.UNCHANGED
        return Noted(unchanged, duplicates)
