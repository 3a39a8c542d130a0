"""Copies of a state file, made while a run works with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from pipeline.state.database import connect, translated
from pipeline.state.facts import Facts
from pipeline.state.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def copy_state(path: Path, to: Path, on_begun: Callable[[], object] = lambda: None) -> None:
    """Copy the state file as it is at one moment; what is at `to` is replaced in one commit.

    `on_begun` is called at that moment: what is written from then on is not in the copy.

    Raises:
        StateUnusable: one of the two can't be used.
    """
    with translated(path), closing(connect(path, read_only=True)) as checked:
        checked.fact("run")
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            translated(to),
            closing(sqlite3.connect(to, timeout=10)) as target,
        ):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment
            on_begun()
            source.backup(target)


def checkpoint_of(path: Path) -> str:
    """The ETag of the copy on S3 that this state file was made from or saved as; "" if none.

    Raises:
        StateUnusable: it is no state file.
    """
    with closing(connect(path, read_only=True)) as database:
        return Parts(database).checkpoint


def adopt_copy(path: Path, etag: str, output: str) -> None:
    """Make a copy that was saved on another machine this machine's own.

    Args:
        path: the copy, before it takes the place of the state file.
        etag: of the copy on S3.
        output: the local file, as a path relative to the state file. What is in it is of an
            earlier run of this machine, and in no part.

    Raises:
        StateUnusable: it is no state file.
    """
    with closing(connect(path)) as database, database.transaction():
        Parts(database).saved_as(etag)
        database.set_fact("output", output)
        database.set_fact("output whole", 0)


def is_begun(path: Path) -> bool:
    """Whether there is a state file, and a run has come so far as to make its tables."""
    if not path.exists():
        return False
    with translated(path), closing(sqlite3.connect(path, timeout=10)) as database:
        return bool(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def has_open_lines(path: Path) -> bool:
    """Whether its output has committed lines that are in no part yet.

    Raises:
        StateUnusable: it is no state file.
    """
    with closing(connect(path, read_only=True)) as database:
        return Facts(database).output_size > Parts(database).open_from
