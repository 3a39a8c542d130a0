"""Transcripts that are stored to files, to tables and to the search index, on one core.

A run over so many recordings of 60 words goes before, and then the commands are watched: each reads
every transcript over the wire, writes what is made of it, and notes that.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.processes import cloud
from benchmarks.throughput import NO_LIMITS, SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.processes import Place, Ran

_FILES = ("transcripts", "--to", "texts/", "--format", "txt,srt")
_TABLES = ("transcripts", "--to", "tables/", "--format", "parquet")
_SEARCH = ("search", "contract is away", "--count")


@dataclass(frozen=True)
class Size:
    """How many recordings."""

    count: int


FULL = Size(count=10_000)
TOY = Size(count=40)
TEN_TIMES_FULL = Size(count=100_000)


def measure(size: Size) -> Iterator[Figure]:
    """Transcripts a second of CPU, what a second call costs, and the memory that both take."""
    with _transcribed(size) as place:
        yield from _to_files(place, size)


def measure_all(size: Size) -> Iterator[Figure]:
    """As `measure`, and the same of the search index and, where pyarrow is, of tables."""
    with _transcribed(size) as place:
        yield from _to_files(place, size)
        if find_spec("pyarrow"):
            first, again = (place.watch(*_TABLES) for _ in range(2))
            assert (first.summary["recordings"], again.summary["recordings"]) == (size.count, 0)
            yield from _figures("stored transcripts to tables in a folder", size, first, again)
        first, again = (place.watch(*_SEARCH) for _ in range(2))
        assert first.summary["recordings"] == again.summary["recordings"] > 0
        yield from _figures("stored transcripts into the search index", size, first, again)


@contextmanager
def _transcribed(size: Size) -> Iterator[Place]:
    with (
        TemporaryDirectory(prefix="benchmarks-") as name,
        cloud(Path(name), "--count", str(size.count), *SLOTS) as place,
    ):
        (place.folder / "no-limits.toml").write_text(NO_LIMITS, encoding="utf-8")
        place.run("--config", "no-limits.toml")
        yield place


def _to_files(place: Place, size: Size) -> Iterator[Figure]:
    first, again = (place.watch(*_FILES) for _ in range(2))
    written = sum(1 for path in (place.folder / "texts").rglob("*") if path.is_file())
    assert first.summary["written"] == again.summary["known"] == written == 2 * size.count
    yield from _figures("stored transcripts to `txt` and `srt` in a folder", size, first, again)


def _figures(what: str, size: Size, first: Ran, again: Ran) -> Iterator[Figure]:
    yield Figure(
        f"{size.count:,} {what}, one core, 60 words each",
        size.count / first.cpu,
        "/s",
        2000,
        at_least=True,
        more=f"{1000 * first.cpu / size.count:.2f} ms CPU each",
    )
    yield Figure("a second call when all are there", again.cpu, "s CPU", 2)
    yield Figure("peak memory of both", max(first.peak, again.peak) / 1e6, "MB", 200)
    yield first.longest_block(what)
