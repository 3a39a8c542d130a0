"""Transcripts that are stored to files: of each a text and its subtitles, on one core.

A run over so many recordings of 60 words goes before, and then the command is watched: it reads
every transcript over the wire, writes two files for each, and notes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.processes import cloud
from benchmarks.throughput import NO_LIMITS, SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

_FORMATS = ("--format", "txt,srt")


@dataclass(frozen=True)
class Size:
    """How many recordings."""

    count: int


FULL = Size(count=10_000)
TOY = Size(count=40)


def measure(size: Size) -> Iterator[Figure]:
    """Transcripts a second of CPU, what a second call costs, and the memory that both take."""
    with (
        TemporaryDirectory(prefix="benchmarks-") as name,
        cloud(Path(name), "--count", str(size.count), *SLOTS) as place,
    ):
        (place.folder / "no-limits.toml").write_text(NO_LIMITS, encoding="utf-8")
        place.run("--config", "no-limits.toml")
        first = place.watch("transcripts", "--to", "texts/", *_FORMATS)
        again = place.watch("transcripts", "--to", "texts/", *_FORMATS)
        written = sum(1 for path in (place.folder / "texts").rglob("*") if path.is_file())
        assert first.summary["written"] == again.summary["known"] == written == 2 * size.count
    yield Figure(
        "stored transcripts to `txt` and `srt` in a folder, one core, 60 words each",
        size.count / first.cpu,
        "/s",
        2000,
        at_least=True,
        more=f"{1000 * first.cpu / size.count:.2f} ms CPU each, {first.summary['seconds']:.1f} s",
    )
    yield Figure("a second call when all are written", again.cpu, "s CPU", 2)
    yield Figure("peak memory of both", max(first.peak, again.peak) / 1e6, "MB", 200)
    yield first.longest_block("transcripts to files")
