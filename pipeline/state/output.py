"""The output as the state file knows it, and the checkpoint: the one durable act."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipeline.model import Job
    from pipeline.state.database import Database
    from pipeline.state.facts import Facts

END = 4096
"""How many bytes of the output's end the state file remembers, by their digest."""
MENDING = "Put it back, or rewrite it from the results with --rebuild-output."

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

    def has_grown(self) -> bool:
        """Whether a run of this state has begun to write to its output, or ended over it."""
        return self._database.fact("output whole") is not None

    def forget(self, *, results_exist: bool) -> None:
        """Every task is to be rewritten, from the results where they still exist."""
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


def checked_end(file: int, path: Path, facts: Facts) -> bytes:
    """The end of the output's committed part; only an interrupted run may have added to it.

    Args:
        file: the output, open for reading.
        path: what it is called.
        facts: those of its state file.

    Raises:
        OutputUnusable: it is not what was written.
    """
    committed = facts.output_size
    start = max(0, committed - END)
    try:
        found = os.fstat(file).st_size
        end = os.pread(file, committed - start, start)
    except OSError as error:
        raise OutputUnusable(
            f"The output {path} can't be read: {error.strerror}", MENDING
        ) from error
    if found < committed or (found > committed and facts.value("output whole")):
        raise OutputUnusable(
            f"{path} has {found} bytes, but {committed} were written: someone changed or replaced "
            "it",
            MENDING,
        )
    if committed and digest_of(end) != facts.value("output digest"):
        raise OutputUnusable(
            f"The end of {path} is not what was written: someone changed or replaced it", MENDING
        )
    return end


def digest_of(end: bytes) -> str:
    """The digest of the output's last bytes, as the state file remembers it."""
    return hashlib.blake2b(end, digest_size=16).hexdigest()
