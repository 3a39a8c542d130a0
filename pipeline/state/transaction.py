"""Writing the state file: its transactions, and the jobs started since the last one."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from pipeline.errors import CannotRun
from pipeline.state.database import translated
from pipeline.state.reader import StateReader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.model import Job

_STARTED = """
UPDATE recordings SET status = 2, changed = ? WHERE row = ? AND identity = ? AND status = 1
"""


class StateWriter(StateReader):
    """The state file open for writing."""

    def __init__(self, path: Path, connection: sqlite3.Connection, tag: str) -> None:
        self._started: list[tuple[float, int, bytes]] = []
        super().__init__(path, connection, tag)

    def close(self) -> None:
        """Close the file."""
        self.note_started()
        super().close()

    def started(self, job: Job) -> None:
        """The job runs at the service.

        It is written with the next transaction or reading: should the process be killed before,
        the next run finds the job at the service.
        """
        self._started.append((time.time(), job.row, job.identity))

    def note_started(self) -> None:
        """Write down the jobs that were started since the last transaction."""
        if self._started:
            with self._writing():
                pass

    def rows(self, query: str, *values: object) -> list[Any]:
        """The rows of a query, in which the jobs started so far are seen as such."""
        with suppress(CannotRun):  # a full disk is told by whoever has to write
            self.note_started()
        return super().rows(query, *values)

    @contextmanager
    def checkpoint(self) -> Iterator[None]:
        """The one durable act: `mark_written` and `commit_output` inside it are one commit."""
        with self._writing():
            yield

    def change(self, statement: str, *rows: Sequence[object]) -> None:
        """Execute a statement for each row of values, in the transaction under way if there is one.

        For the tables of `state_history` alone.
        """
        with self._writing():
            self._db.executemany(statement, rows)

    def _set(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; inside another one it is part of it."""
        with translated(self.path):
            if self._db.in_transaction:
                self._db.executemany(_STARTED, self._started)
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_STARTED, self._started)
                yield
                self._db.execute("COMMIT")
                self._started.clear()
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise
