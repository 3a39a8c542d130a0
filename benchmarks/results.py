"""The table of all figures, as results.md and docs/benchmarks.md show it."""

from __future__ import annotations

import platform
import re
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.processes import CORES
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.figures import Figure

RESULTS = ROOT / "benchmarks" / "results.md"
PAGE = ROOT / "docs" / "benchmarks.md"
_LIBRARIES = ("aioboto3", "botocore", "aiohttp", "uvloop", "orjson", "msgspec")
_HEAD = "| what | goal | here | alternatives, in the same run | |\n|---|---|---|---|---|\n"
_TABLE = re.compile(r"(<!-- benchmarks -->\n)(.*?)(<!-- end of benchmarks -->\n)", re.DOTALL)
_APART = "## Measured apart"
_SECTION = re.compile(
    r"^Written by `make bench NAMES=(\S+)`(?:(?!^Written).)*", re.DOTALL | re.MULTILINE
)


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    return _HEAD + "".join(f"{figure.row()}\n" for figure in figures)


def shown(document: str) -> str:
    """The table that a document shows between its markers."""
    found = _TABLE.search(document)
    assert found is not None
    return found[2]


def write(fresh: str) -> None:
    """Write results.md, and the same table into docs/benchmarks.md."""
    apart = RESULTS.read_text(encoding="utf-8").partition(_APART)[2]
    RESULTS.write_text(
        f"# Results\n\n{_written('make bench')}"
        "What each row means is in [README.md](README.md).\n\n"
        f"<!-- benchmarks -->\n{fresh}<!-- end of benchmarks -->\n"
        + (f"\n{_APART}{apart}" if apart else ""),
        encoding="utf-8",
    )
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_TABLE.sub(lambda m: m[1] + fresh + m[3], text), encoding="utf-8")


def write_apart(name: str, fresh: str) -> None:
    """Write the rows of what is measured apart by this name into results.md, behind the table."""
    table_of_all, _, apart = RESULTS.read_text(encoding="utf-8").partition(_APART)
    sections = {found[1]: found[0].strip() for found in _SECTION.finditer(apart)}
    sections[name] = f"{_written(f'make bench NAMES={name}')}\n{fresh}".strip()
    parts = [table_of_all.rstrip(), _APART, *sections.values()]
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _written(command: str) -> str:
    return f"Written by `{command}` on {datetime.now(UTC):%d %B %Y}: {_machine()}.\n"


def _machine() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        f"{platform.system()} on {platform.machine()}, {len(CORES)} cores, "
        f"Python {platform.python_version()}, {libraries}, SQLite {sqlite3.sqlite_version}"
    )
