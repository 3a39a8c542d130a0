"""The state file: the only SQL, the lock, and the queue between producer and starters.

One SQLite file in WAL mode holds a row per recording. `synchronous=NORMAL` is enough: after a
power cut the file may fall back to an earlier commit, and so does the output, which is cut to the
size that the same commit holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import OutputUnusable, StateUnusable
from pipeline.model import Job, Recording
from pipeline.naming import job_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

APPLICATION_ID = 0x74727370  # "trsp"
FORMAT = 1

_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE recordings (
    row INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    identity BLOB NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1,
    status INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL,
    changed REAL NOT NULL,
    reason TEXT,
    words TEXT
);
CREATE INDEX pending ON recordings (seen, row) WHERE status = 0;
CREATE INDEX in_flight ON recordings (row) WHERE status IN (1, 2);
CREATE INDEX failed ON recordings (seen, row) WHERE status = 4;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

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
        """The one durable act: `mark_written` and `commit_size` inside it are one commit."""
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

    def commit_size(self, size: int) -> None:
        """Set the output's size in bytes, with the rows marked in the same checkpoint."""
        self._set("output size", size)

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
        with _translated(self.path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction; inside another one it is part of it."""
        with _translated(self.path):
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


@contextmanager
def open_state(path: Path, tag: str) -> Iterator[State]:
    """Open or make the state file for a run, alone.

    Args:
        path: the file; a second one, `<path>.lock`, stands beside it while a run holds it.
        tag: what job names begin with, from `naming.group_tag`.

    Raises:
        StateUnusable: another run holds it, it is not a state file, or it can't be written.
    """
    with _lock(path):
        with _translated(path):
            _touch_private(path)
        state = State(path, _connect(path), tag)
        try:
            yield state
        finally:
            state.close()


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
    state = State(path, _connect(path, read_only=True))
    try:
        yield state
    finally:
        state.close()


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file, checked to be ours.

    A reader too opens it for writing where it may, or it would leave SQLite's companions behind.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with _translated(path):
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
        try:
            _check_ours(db, path, may_create=not read_only)
            db.execute(f"PRAGMA query_only = {int(read_only)}")
        except BaseException:
            db.close()
            raise
    return db


def _check_ours(db: sqlite3.Connection, path: Path, *, may_create: bool) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and application == 0 and may_create:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
    elif application != APPLICATION_ID:
        raise StateUnusable(
            f"{path} is an SQLite file of another program. Name another state file with --state."
        )
    elif version != FORMAT:
        raise StateUnusable(
            f"The state file {path} has format {version}; this version reads format {FORMAT}. "
            "Use the version that wrote it, or name another one with --state."
        )
    db.execute("PRAGMA synchronous = NORMAL")


def _touch_private(path: Path) -> None:
    """Make the file with mode 0600 before SQLite does; its companions copy the mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold `<path>.lock`; the kernel lets go of it when the process ends, however it ends.

    The lock is a file of its own: closing any descriptor of the state file itself would drop
    the locks that SQLite holds on it.
    """
    lock = path.with_name(f"{path.name}.lock")
    with _translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "?"
            raise StateUnusable(
                f"Another run (process {holder}) works with the state file {path}. Wait for it "
                "or stop it; `transcribe-pipeline status` shows how far it is."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one sentence with the next step."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise OutputUnusable(_disk_full(path)) from error
        raise StateUnusable(f"The state file {path} can't be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise StateUnusable(
            f"{path} is not a state file, or it is damaged ({error}). Name another one with "
            "--state; jobs that were started are found again by their names."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputUnusable(_disk_full(path)) from error
        raise StateUnusable(
            f"The state file {path} can't be opened: {error.strerror}. Name another place with "
            "--output or --state."
        ) from error


def _disk_full(path: Path) -> str:
    return (
        f"The disk that holds {path} is full or failing. Make space and run the same command "
        "again; it goes on where it stopped."
    )
