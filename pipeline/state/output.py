"""The output as the state file knows it, and the checkpoint: the one durable act."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from pipeline.model import Job
    from pipeline.state.database import Database

_MARK_WRITTEN = f"""
UPDATE recordings SET status = {Status.WRITTEN:d}, changed = ?
WHERE row = ? AND identity = ? AND status = {Status.STARTED:d}
"""


class OutputState:
    """What the writer remembers of its file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checkpoint(self) -> AbstractContextManager[None]:
        """The one durable act: `mark_written` and `commit` inside it are one commit."""
        return self._database.transaction()

    def begin(self) -> None:
        """The output is about to grow beyond what is committed, durably so."""
        with self._database.durably():
            self._database.set_fact("output whole", 0)

    def forget(self, *, results_exist: bool) -> None:
        """Every task is to be written anew, from the results where they still exist."""
        existing = "attempt" if results_exist else "0"
        with self._database.transaction():
            self._database.change(
                f"UPDATE recordings SET status = {Status.PENDING:d}, existing_attempt = {existing} "
                f"WHERE status = {Status.WRITTEN:d}"
            )
            self._database.change("DELETE FROM meta WHERE name LIKE 'output%'")
            self._database.change("DELETE FROM previous_identities")

    def bind(self, name: str) -> None:
        """Remember which file the tasks are written to, as a path relative to the state file."""
        with self._database.transaction():
            self._database.set_fact("output", name)

    def describe(self, kind: str, model_version: str) -> None:
        """Remember what the output's tasks are."""
        with self._database.transaction():
            self._database.set_fact("output kind", kind)
            self._database.set_fact("output model version", model_version)

    def end(self) -> None:
        """The output holds just what is committed, and nobody of ours will touch it."""
        with self._database.transaction():
            self._database.set_fact("output whole", 1)

    def commit(self, size: int, lines: int, digest: str) -> None:
        """Set the output's size, lines and end, with the rows marked in this checkpoint."""
        self._database.set_fact("output size", size)
        self._database.set_fact("output lines", lines)
        self._database.set_fact("output digest", digest)

    def mark_written(self, jobs: Sequence[Job]) -> list[bool]:
        """Mark rows as written; False where a row is no longer waiting for this job."""
        now = time.time()
        with self._database.transaction():
            return [
                self._database.change(_MARK_WRITTEN, now, job.row, job.identity) == 1
                for job in jobs
            ]
