"""The state file as a file: its schema, its lock, and what its errors mean.

One SQLite file in WAL mode. `synchronous=NORMAL` is enough: after a power cut the file may fall
back to an earlier commit, and so does the output, which is cut to the size that the same commit
holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable, StateUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x74727370  # "trsp"
FORMAT = 1
_LOOK_SECONDS = 0.05

_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE recordings (
    row INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    identity BLOB NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 1,
    found INTEGER NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL,
    changed REAL NOT NULL,
    reason TEXT,
    words TEXT
);
CREATE TABLE results (identity BLOB PRIMARY KEY, attempt INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE superseded (identity BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER supersede AFTER UPDATE OF identity ON recordings
WHEN old.status = 3 AND old.identity != new.identity
    AND NOT EXISTS (SELECT 1 FROM superseded WHERE identity = old.identity)
BEGIN  -- an OR IGNORE in here would be overruled by the statement that fires it
    INSERT INTO superseded VALUES (old.identity);
END;
CREATE INDEX pending ON recordings (seen, row) WHERE status = 0;
CREATE INDEX found ON recordings (row) WHERE status = 0 AND found > 0;
CREATE INDEX in_flight ON recordings (row) WHERE status = 2;
CREATE INDEX failed ON recordings (row) WHERE status = 4;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""

# What came later: a file without it is as good, and gets it when the next run opens it.
_LATER = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY,
    begun REAL NOT NULL,
    ended REAL,
    settings TEXT NOT NULL,
    summary TEXT
);
CREATE TABLE IF NOT EXISTS samples (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heard (
    run INTEGER NOT NULL,
    row INTEGER NOT NULL,
    confidence REAL,
    seconds REAL NOT NULL,
    took REAL,
    PRIMARY KEY (run, row)
) WITHOUT ROWID;
"""


def set_aside(path: Path) -> None:
    """Give a damaged state file, and SQLite's companions of it, another name."""
    with translated(path):
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(f"{path.name}{suffix}")
            if part.exists():
                part.replace(path.with_name(f"{path.name}.damaged{suffix}"))


def lock_path(path: Path) -> Path:
    """The lock of a state file; one file has one lock, whatever links lead to it."""
    real = path.resolve()
    return real.with_name(f"{real.name}.lock")


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold `<path>.lock`; the kernel lets go of it when the process ends, however it ends.

    The lock is a file of its own: closing any descriptor of the state file itself would drop
    the locks that SQLite holds on it.
    """
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, path)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a run works with the state file now."""
    with translated(path):
        try:
            handle = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False


def _take(handle: int, path: Path) -> None:
    with translated(path):
        try:
            _lock(handle)
        except BlockingIOError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "?"
            raise StateUnusable(
                f"Another run (process {holder}) works with the state file {path}. Wait for it "
                "or stop it; `transcribe-pipeline status` shows how far it is."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())


def _lock(handle: int) -> None:
    """Take the lock; who looks whether it is held holds it for some microseconds."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_LOOK_SECONDS)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file, checked to be ours.

    A reader too opens it for writing where it may, or it would leave SQLite's companions behind;
    where it may not, nobody else writes either.
    """
    with translated(path):
        immutable = read_only and not os.access(path.parent, os.W_OK)
        mode = "mode=ro&immutable=1" if immutable else "mode=rw"
        uri = f"{path.absolute().as_uri()}?{mode}"
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
    if may_create:
        db.executescript(_LATER)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 250")  # 1 MB: each takes 30 ms; 1,000 would take 80


def touch_private(path: Path) -> None:
    """Make the file with mode 0600 before SQLite does; its companions copy the mode."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    os.close(file)


@contextmanager
def translated(path: Path) -> Iterator[None]:
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
            "--state, or set it aside and begin anew with --rebuild-state: jobs that were started "
            "are found again by their names."
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
