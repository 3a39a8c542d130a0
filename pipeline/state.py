"""The state of every recording: the queue between producer and starters, and the checkpoint."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import StateUnusable
from pipeline.model import Job, Recording
from pipeline.naming import job_name
from pipeline.state_file import connect, hold, touch_private, translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# A key seen before is touched only when there is something to do: its content or the settings
# changed (start anew), or it is not written (it belongs to this run's selection; one in flight too,
# as the service may have forgotten its job). A written one costs a look-up and no write, which is
# what the usual night consists of.
_ADD = """
INSERT INTO recordings (key, etag, size, identity, seen, changed) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    status = iif(identity = excluded.identity, status, 0),
    attempt = iif(identity = excluded.identity, attempt, 1),
    reason = iif(identity = excluded.identity, reason, NULL),
    words = iif(identity = excluded.identity, words, NULL),
    changed = iif(identity = excluded.identity, changed, excluded.changed),
    etag = excluded.etag, size = excluded.size, identity = excluded.identity, seen = excluded.seen
WHERE seen < excluded.seen AND (identity != excluded.identity OR status != 3)
"""


class Status(IntEnum):
    """Where a recording stands."""

    PENDING = 0
    STARTING = 1
    STARTED = 2
    WRITTEN = 3
    FAILED = 4


class Counts(NamedTuple):
    """How many recordings of the state file stand where."""

    pending: int
    in_flight: int
    written: int
    failed: int


class State:
    """The state file of one source and one output, open for a run (locked) or for reading."""

    def __init__(self, path: Path, connection: sqlite3.Connection, tag: str = "") -> None:
        self.path = path
        self.generation = 0
        self._db = connection
        self._tag = tag

    # The run's beginning

    def begin(self, source: str) -> None:
        """Begin a run over `source`: put aborted starts back and count the run.

        Raises:
            StateUnusable: the file holds recordings of another source.
        """
        with self._writing():
            known = self.fact("source")
            if known not in (None, source) and self._rows("SELECT 1 FROM recordings LIMIT 1"):
                raise StateUnusable(
                    f"The state file {self.path} belongs to {known}, not to {source}. Name "
                    "another one with --state, or another --output."
                )
            self._set("source", source)
            self.generation = self._last_generation() + 1
            self._set("generation", self.generation)
            self._set("begun", time.time())
            self._db.execute("UPDATE recordings SET status = 0 WHERE status = 1")

    def fact(self, name: str) -> str | None:
        """A fact about the file as a whole, or None."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else None

    def _set(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # The producer only inserts

    def add(self, page: Iterable[tuple[Recording, bytes]]) -> int:
        """Insert a page of recordings with their identities; return how many rows it touched.

        Touched are all but those that are written and have not changed, or were seen before.
        """
        now = time.time()
        rows = [
            (each.key, each.etag, each.size, identity, self.generation, now)
            for each, identity in page
        ]
        with self._writing():
            return self._db.executemany(_ADD, rows).rowcount

    def note_skipped(self, skipped: dict[str, int]) -> None:
        """Remember how many objects this run skipped, by reason."""
        with self._writing():
            self._db.execute("DELETE FROM meta WHERE name LIKE 'skipped: %'")
            for reason, count in skipped.items():
                self._set(f"skipped: {reason}", count)

    # The starters only claim

    def claim(self, most: int) -> list[Job]:
        """Up to `most` pending recordings of this run's selection, now being started."""
        with self._writing():
            rows = self._db.execute(
                "UPDATE recordings SET status = 1 WHERE row IN (SELECT row FROM recordings "
                "WHERE status = 0 AND seen = ? ORDER BY row LIMIT ?) "
                "RETURNING row, identity, attempt, key, etag, size",
                (self.generation, most),
            ).fetchall()
        return [self._job(row) for row in rows]

    def started(self, job: Job) -> None:
        """The job runs at the service."""
        self._move(job, Status.STARTED)

    def release(self, job: Job) -> None:
        """The service does not know the job: it is pending again."""
        self._move(job, Status.PENDING)

    def failed(self, job: Job, reason: str, words: str) -> None:
        """The recording ends without a task, for this class of reason, in the service's words."""
        with self._writing():
            self._db.execute(
                "UPDATE recordings SET status = 4, seen = ?, changed = ?, reason = ?, words = ? "
                "WHERE row = ? AND identity = ?",
                (self.generation, time.time(), reason, words, job.row, job.identity),
            )

    def in_flight(self) -> list[Job]:
        """The jobs an earlier run started and did not see through."""
        rows = self._rows(
            "SELECT row, identity, attempt, key, etag, size FROM recordings WHERE status = 2"
        )
        return [self._job(row) for row in rows]

    def _move(self, job: Job, status: Status) -> None:
        with self._writing():
            self._db.execute(
                "UPDATE recordings SET status = ?, changed = ? WHERE row = ? AND identity = ?",
                (status, time.time(), job.row, job.identity),
            )

    def _job(self, row: tuple[int, bytes, int, str, str, int]) -> Job:
        number, identity, attempt, key, etag, size = row
        name = job_name(self._tag, identity, attempt)
        return Job(number, identity, name, Recording(key, etag, size))

    # The writer's checkpoint

    @contextmanager
    def checkpoint(self) -> Iterator[None]:
        """The one durable act: `mark_written` and `commit_output` inside it are one commit."""
        with self._writing():
            yield

    def bind_output(self, name: str) -> None:
        """Remember which file the tasks are written to, as a path relative to the state file."""
        with self._writing():
            self._set("output", name)

    @property
    def output_size(self) -> int:
        """Bytes of the output that are committed."""
        return int(self.fact("output size") or 0)

    @property
    def output_lines(self) -> int:
        """Lines of the output that are committed; a changed recording has one for each content."""
        return int(self.fact("output lines") or 0)

    def commit_output(self, size: int, lines: int) -> None:
        """Set the output's size and number of lines, with the rows marked in this checkpoint."""
        self._set("output size", size)
        self._set("output lines", lines)

    def mark_written(self, jobs: Sequence[Job]) -> list[bool]:
        """Mark rows as written; False where a row is no longer waiting for this job."""
        now = time.time()
        return [
            self._db.execute(
                "UPDATE recordings SET status = 3, changed = ? "
                "WHERE row = ? AND identity = ? AND status = 2",
                (now, job.row, job.identity),
            ).rowcount
            == 1
            for job in jobs
        ]

    # Looking at it

    def counts(self) -> Counts:
        """How many recordings stand where, over the whole file."""
        found = dict(self._rows("SELECT status, count(*) FROM recordings GROUP BY status"))
        return Counts(
            pending=found.get(Status.PENDING, 0),
            in_flight=found.get(Status.STARTING, 0) + found.get(Status.STARTED, 0),
            written=found.get(Status.WRITTEN, 0),
            failed=found.get(Status.FAILED, 0),
        )

    def pending(self) -> int:
        """How many recordings of this run's selection wait to be started."""
        query = "SELECT count(*) FROM recordings WHERE status = 0 AND seen = ?"
        return int(self._rows(query, self.generation)[0][0])

    def skipped(self) -> dict[str, int]:
        """How many objects the last run skipped, by reason."""
        rows = self._rows("SELECT name, value FROM meta WHERE name LIKE 'skipped: %'")
        return {name.removeprefix("skipped: "): count for name, count in rows}

    def failures(self) -> dict[str, int]:
        """How many recordings of the last selection failed, by reason, most frequent first."""
        return dict(
            self._rows(
                "SELECT reason, count(*) FROM recordings WHERE status = 4 AND seen = ? "
                "GROUP BY reason ORDER BY count(*) DESC, reason",
                self._last_generation(),
            )
        )

    def failed_recordings(self, most: int) -> list[tuple[str, str, str]]:
        """Some recordings of the last selection that failed: key, reason, the service's words."""
        return self._rows(
            "SELECT key, reason, words FROM recordings WHERE status = 4 AND seen = ? "
            "ORDER BY row LIMIT ?",
            self._last_generation(),
            most,
        )

    def oldest_in_flight(self) -> float | None:
        """When the oldest job in flight was started, in seconds since the epoch."""
        query = "SELECT min(changed) FROM recordings WHERE status = 2"
        found: float | None = self._rows(query)[0][0]
        return found

    def written_since(self, moment: float) -> int:
        """How many recordings were written after `moment`, in seconds since the epoch."""
        query = "SELECT count(*) FROM recordings WHERE status = 3 AND changed > ?"
        return int(self._rows(query, moment)[0][0])

    def _last_generation(self) -> int:
        return int(self.fact("generation") or 0)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _rows(self, query: str, *values: object) -> list[Any]:
        with translated(self.path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; inside another one it is part of it."""
        with translated(self.path):
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def open_state(path: Path, tag: str) -> Iterator[State]:
    """Open or make the state file for a run, alone.

    `tag` is what job names begin with, from `naming.group_tag`.

    Raises:
        StateUnusable: another run holds it, it is not a state file, or it can't be written.
    """
    with hold(path):
        with translated(path):
            touch_private(path)
        with closing(State(path, connect(path), tag)) as state:
            yield state


@contextmanager
def read_state(path: Path) -> Iterator[State]:
    """Open the state file for reading, beside a run or after it.

    Raises:
        StateUnusable: there is none, or it is not a state file.
    """
    if not path.is_file():
        raise StateUnusable(
            f"There is no state file at {path}. Name the one of the run with --state, or the "
            "run's output with --output."
        )
    with closing(State(path, connect(path, read_only=True))) as state:
        yield state
