"""The state file as a file: its connection, its transactions, and what errors mean.

One SQLite file in WAL mode. `synchronous=NORMAL` is enough: after a power cut the file may fall
back to an earlier commit, and so does the output, which is cut to the size that the same commit
holds.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.errors import CannotRun, OutputUnusable, StateOutdated, StateUnusable
from pipeline.files import is_full
from pipeline.state.schema import APPLICATION_ID, MIGRATION, STATE, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

COMPANIONS = ("-wal", "-shm")
"""What SQLite puts beside a file, behind its name."""


class Database:
    """The open file. What is `later` is written with the next transaction or before a reading."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        held: ExitStack,
        schema: Schema = STATE,
    ) -> None:
        self.path = path
        self._schema = schema
        self._connection = connection
        self._held = held
        self._later: list[tuple[str, Sequence[object]]] = []
        self._executed = 0  # how many of them are in the transaction under way

    def rows(self, query: str, *values: object) -> list[Any]:
        """The rows that a query finds."""
        with suppress(CannotRun):  # a full disk is told by whoever has to write
            self.flush()
        with translated(self.path, self._schema):
            return self._connection.execute(query, values).fetchall()

    def fact(self, name: str) -> Any:
        """A fact about the file as a whole, None where there is none of this name."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else None

    def set_fact(self, name: str, value: object) -> None:
        """Remember a fact about the file as a whole."""
        self.change("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, value)

    def change(self, statement: str, *values: object) -> int:
        """Execute one statement in a transaction; return how many rows it changed."""
        if self._connection.in_transaction:  # once for each line of a checkpoint
            self._execute_later()
            return self._connection.execute(statement, values).rowcount
        with self.transaction():
            return self._connection.execute(statement, values).rowcount

    def change_each(self, statement: str, rows: Iterable[Sequence[object]]) -> int:
        """Execute a statement for each row of values; return how many rows that changed."""
        with self.transaction():
            return self._connection.executemany(statement, rows).rowcount

    def change_returning(self, statement: str, *values: object) -> list[Any]:
        """Execute one statement in a transaction; return the rows that it returns."""
        with self.transaction():
            return self._connection.execute(statement, values).fetchall()

    def later(self, statement: str, *values: object) -> None:
        """Execute one statement soon, at no cost now; it is lost when the process is killed."""
        self._later.append((statement, values))

    def flush(self) -> None:
        """Write down what was to be written later."""
        if self._later and not self._connection.in_transaction:
            with self.transaction():
                pass

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction; inside another one it is part of it."""
        with translated(self.path, self._schema):
            if self._connection.in_transaction:
                self._execute_later()
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._executed = 0
            try:
                self._execute_later()
                yield
                self._connection.execute("COMMIT")
                del self._later[: self._executed]
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def _execute_later(self) -> None:
        for statement, values in self._later[self._executed :]:
            self._connection.execute(statement, values)
        self._executed = len(self._later)

    @contextmanager
    def durably(self) -> Iterator[None]:
        """What is committed inside outlives a power cut."""
        with translated(self.path, self._schema):
            self._connection.execute("PRAGMA synchronous = FULL")
            yield
            self._connection.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close the file."""
        with suppress(CannotRun):
            self.flush()
        self._held.close()


def is_of_another_program(path: Path) -> bool:
    """Whether a file is a sound one of SQLite that is not ours; looking leaves nothing behind."""
    try:
        with closing(sqlite3.connect(_uri(path, "mode=ro&immutable=1"), uri=True)) as db:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error:
        return False
    return bool(application != APPLICATION_ID and tables)


def connect(
    path: Path, *, read_only: bool = False, may_create: bool = False, schema: Schema = STATE
) -> Database:
    """Open the file, checked to be ours; a state file of an earlier format is brought up to date.

    A reader too opens it for writing where it may, or it would leave SQLite's companions behind.
    """
    with translated(path, schema), ExitStack() as held:
        uri = _to_read(path, held) if read_only else _uri(path, "mode=rw")
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)
        held.callback(db.close)
        _make(db, schema, may_create=may_create)
        _check_ours(db, path, schema, may_write=not read_only)
        db.execute(f"PRAGMA query_only = {int(read_only)}")
        return Database(path, db, held.pop_all(), schema)


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"


def _to_read(path: Path, held: ExitStack) -> str:
    """What a reader opens: the file, or a copy where SQLite could not read its log in its place.

    What was committed last may stand in the log alone.
    """
    real = path.resolve()
    effective = os.access in os.supports_effective_ids
    if os.access(real.parent, os.W_OK, effective_ids=effective):
        return _uri(path, "mode=rw")
    log, index = (real.with_name(f"{real.name}{each}") for each in COMPANIONS)
    if not log.exists() or not log.stat().st_size:
        return _uri(path, "mode=ro&immutable=1")
    if index.exists():  # a run may work with it now
        return _uri(path, "mode=ro")
    copy = Path(held.enter_context(TemporaryDirectory())) / real.name
    for each in (real, log):
        shutil.copyfile(each, copy.with_name(each.name))
    return _uri(copy, "mode=rw")


def _make(db: sqlite3.Connection, schema: Schema, *, may_create: bool) -> None:
    """Make the tables of a file that has nothing in it."""
    if may_create and _is_blank(db):
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN; {schema.new} COMMIT;")


def _is_blank(db: sqlite3.Connection) -> bool:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not application and not tables


def _check_ours(db: sqlite3.Connection, path: Path, schema: Schema, *, may_write: bool) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if _is_blank(db):
        raise StateUnusable(
            f"There is nothing in the {schema.called} {path} yet",
            "Look again once its run has begun.",
        )
    if application != schema.application_id:
        raise StateUnusable(
            f"{path} is an SQLite file of another program", "Name another state file with --state."
        )
    if version == 1 and schema is STATE:
        _migrate(db, path, may_write=may_write)
    elif version != schema.format:
        raise StateUnusable(
            f"The {schema.called} {path} has format {version}; this version reads format "
            f"{schema.format}",
            "Use the version that wrote it, or name another one with --state.",
        )
    if may_write:
        db.executescript(schema.later)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 250")  # 1 MB: each takes 30 ms; 1,000 would take 80


def _migrate(db: sqlite3.Connection, path: Path, *, may_write: bool) -> None:
    """Bring a file of format 1 up to date, in one commit.

    Raises:
        StateUnusable: it may only be read.
    """
    if not may_write:
        raise StateOutdated(
            f"The state file {path} is of an earlier version, which only a run brings up to date",
            "Run the same `run` command again; it starts nothing twice.",
        )
    try:
        db.executescript(f"BEGIN IMMEDIATE; {MIGRATION} COMMIT;")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: Path, schema: Schema = STATE) -> Iterator[None]:
    """Turn what SQLite and the file system say into one sentence with the next step."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise _disk_full(path) from error
        raise StateUnusable(f"The {schema.called} {path} can't be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StateUnusable(
            f"{path} is not a {schema.called}, or it is damaged ({error})", schema.mending
        ) from error
    except (OverflowError, UnicodeError) as error:  # SQLite holds 64 bits, and UTF-8
        raise StateUnusable(f"A value can't be stored in {path}: {error}") from error
    except OSError as error:
        if is_full(error):
            raise _disk_full(path) from error
        raise StateUnusable(
            f"The {schema.called} {path} can't be opened: {error.strerror}",
            "Name another place with --output or --state.",
        ) from error


def _disk_full(path: Path) -> OutputUnusable:
    return OutputUnusable(
        f"The disk that holds {path} is full or failing",
        "Make space and run the same command again; it goes on where it stopped.",
    )
