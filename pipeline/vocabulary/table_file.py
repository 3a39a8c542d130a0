"""The table of a custom vocabulary as a file that people edit, and what they were offered before.

`FILE.offered` holds every phrase that the file has had: one that is missing from it was deleted by
somebody, and is not offered again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import BadSettings
from pipeline.files import replacing
from pipeline.vocabulary.table import Merged, Row, as_table, merge, parse_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read_table(path: Path) -> list[Row]:
    """The rows of a table's file.

    Raises:
        BadSettings: it can't be read, or is no table.
    """
    try:
        return parse_table(path.read_bytes())
    except OSError as error:
        raise BadSettings(
            f"The table {path} can't be read: {error.strerror}",
            "Let this user read it, or name another one.",
        ) from error
    except BadSettings as error:
        raise BadSettings(f"{path}: {error.problem}", error.advice) from error


def extend_table(path: Path, ranked: Iterable[Row]) -> Merged:
    """Append to a table's file, or make it of, the rows that it has never had, in their order.

    Raises:
        BadSettings: it is no table, or what was offered before can't be read.
        OutputUnusable: it can't be written.
    """
    memory = path.with_name(f"{path.name}.offered")
    offered = _offered(memory)
    known = read_table(path) if path.exists() else []
    merged = merge(known, (row for row in ranked if row.phrase not in offered))
    if merged.added:
        with replacing(path.resolve(), b"") as file:
            file.write(as_table(merged.rows))
        with replacing(memory, b"") as file:
            file.write("\n".join(sorted(offered | {row.phrase for row in merged.rows})).encode())
    return merged


def _offered(memory: Path) -> set[str]:
    try:
        return set(memory.read_text(encoding="utf-8").split("\n"))
    except FileNotFoundError:
        return set()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(
            f"{memory} can't be read: {error}",
            "Let this user read it, or take it away: then all phrases may be offered again.",
        ) from error
