"""Recordings through all stages when nothing but this program's own work takes time.

One core, no quota, no latency, jobs that are finished at once, transcripts of 60 words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.processes import cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_LIMITS = """
[limits]
start_rate = 10000.0
get_rate = 10000.0
list_rate = 10000.0
max_in_flight = 2000
"""
SLOTS = ("--slots", "100000")


@dataclass(frozen=True)
class Size:
    """How many recordings, and how many calls of Start alone."""

    count: int
    starts: int


FULL = Size(count=10_000, starts=5_000)
TOY = Size(count=40, starts=20)


def measure(size: Size) -> Iterator[Figure]:
    """Recordings a second, the CPU each takes, and how long the loop was blocked meanwhile."""
    with (
        TemporaryDirectory(prefix="benchmarks-") as name,
        cloud(Path(name), "--count", str(size.count), *SLOTS) as place,
    ):
        (place.folder / "no-limits.toml").write_text(NO_LIMITS, encoding="utf-8")
        ran = place.run("--config", "no-limits.toml")
        assert ran.summary["counts"]["written"] == size.count
        worked = place.counts()["cpu"] / size.count
        alone = place.printed("alternatives.start_alone", str(size.starts))
    each = ran.cpu / size.count
    yield Figure(
        "recordings through all stages, no quota, no latency, one core, 60 words each",
        size.count / ran.summary["seconds"],
        "/s",
        1000,
        at_least=True,
        more=f"{1000 * each:.2f} ms CPU each; {1000 * worked:.2f} ms of the cloud on another core",
        beside=f"{1 / alone:,.0f} /s: aioboto3's Start alone, {1000 * alone:.2f} ms",
    )
    beyond = each - alone
    more = f"{beyond / alone:.2f} × the Start call's"
    yield Figure("CPU per recording beyond the Start call", 1000 * beyond, "ms", 0.4, more=more)
    yield ran.longest_block("all stages")
