"""A million keys into the state file, on the first night and on the usual one, and the memory.

The whole command each time. The first run's account is full, so that nothing but the listing
goes on; it is interrupted when everything is listed. Then all but ten thousand recordings are
marked as written, as if many nights had passed, and the next run lists all and transcribes those.
The last one finds everything written. The memory is compared with that of a bucket that has only
these ten thousand. Ten million keys are listed apart, for how CPU and memory grow with them.
"""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from benchmarks.processes import cloud
from benchmarks.throughput import NO_LIMITS, SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.processes import Place, Ran

_PAGE = 1000
_FULL_ACCOUNT = ("--slots", "1", "--seconds", "30000", "30000")
_MB = 1_000_000


@dataclass(frozen=True)
class Size:
    """Keys in the bucket, how many of them are transcribed, pages for botocore's own listing."""

    keys: int
    few: int
    pages: int


FULL = Size(keys=1_000_000, few=10_000, pages=50)
TOY = Size(keys=3_000, few=30, pages=1)
TEN_TIMES_FULL = 10_000_000
TEN_TIMES_TOY = 20_000


def measure(size: Size) -> Iterator[Figure]:
    """CPU of the listing, the longest block meanwhile, and the memory beside a small bucket."""
    with TemporaryDirectory(prefix="benchmarks-") as name:
        runs = _runs(Path(name), size)
    with TemporaryDirectory(prefix="benchmarks-") as name:
        small = _transcribed(Path(name), size.few, size.few)
    first, some, none, botocore = runs
    theirs = botocore * size.keys / _PAGE
    yield Figure(
        f"listing {size.keys:,} keys into the state file, first night",
        first.cpu,
        "s CPU",
        11,
        more=f"{first.cpu / theirs:.2f} × botocore's",
        beside=f"{theirs:.0f} s: botocore's listing alone, from {size.pages} pages",
    )
    more = f"{none.cpu / theirs:.2f} × botocore's"
    yield Figure("listing them again when all are done", none.cpu, "s CPU", 9, more=more)
    most = max(each.peak for each in (first, some, none))
    yield Figure(
        f"peak memory: {size.keys:,} recordings against {size.few:,}",
        most / small.peak,
        "×",
        1.15,
        more=f"{small.peak / _MB:.0f} MB with {size.few:,}",
    )
    yield Figure(f"peak memory with {size.keys:,} recordings", most / _MB, "MB", 200)
    yield max(first, none, key=lambda ran: ran.block).longest_block("listing")


def measure_growth(keys: int) -> Iterator[Figure]:
    """CPU of a first night's listing against one of a tenth of the keys, and its memory."""
    with TemporaryDirectory(prefix="benchmarks-") as name:
        tenth = _listed(Path(name), keys // 10)
    with TemporaryDirectory(prefix="benchmarks-") as name:
        whole = _listed(Path(name), keys)
    yield Figure(
        f"listing {keys:,} keys into the state file against {keys // 10:,}, CPU",
        whole.cpu / tenth.cpu,
        "×",
        11,
        more=f"{whole.cpu:.1f} s against {tenth.cpu:.1f} s",
    )
    yield Figure(f"peak memory with {keys:,} keys listed", whole.peak / _MB, "MB", 120)
    yield whole.longest_block(f"listing {keys:,} keys")


def _listed(folder: Path, keys: int) -> Ran:
    """A first night that lists so many keys."""
    with cloud(folder, "--count", str(keys), *_FULL_ACCOUNT) as place:
        return _first_night(place, keys)


def _first_night(place: Place, keys: int) -> Ran:
    """A run in a full account, until it has listed all."""
    process = place.begin()
    while process.poll() is None and _rows(place.folder) < keys:
        time.sleep(0.5)
    time.sleep(1)  # the last page is being counted
    process.send_signal(signal.SIGINT)
    ran = place.finish(process)
    assert ran.summary["counts"]["listed"] == keys
    return ran


def _rows(folder: Path) -> int:
    """How many keys are in the state file; those that the cloud has listed may be under way."""
    place = f"file:{folder / 'tasks.jsonl.state'}?mode=ro"
    try:
        with closing(sqlite3.connect(place, uri=True)) as state:
            rows: int | None = state.execute("SELECT max(row) FROM recordings").fetchone()[0]
    except sqlite3.OperationalError:  # there is none yet, or it has no table
        rows = None
    return rows or 0


def _runs(folder: Path, size: Size) -> tuple[Ran, Ran, Ran, float]:
    """The first run, one with some recordings left, one with none; botocore's time a page."""
    keys = ("--count", str(size.keys))
    with cloud(folder, *keys, *_FULL_ACCOUNT) as place:
        first = _first_night(place, size.keys)
        botocore = place.printed("alternatives.botocore_listing", str(size.pages))
    with closing(sqlite3.connect(folder / "tasks.jsonl.state")) as state, state:
        state.execute("UPDATE recordings SET status = iif(row > ?, 3, 0)", (size.few,))
    some = _transcribed(folder, size.keys, size.few)
    none = _transcribed(folder, size.keys, 0)
    return first, some, none, botocore


def _transcribed(folder: Path, keys: int, left: int) -> Ran:
    """A run over a bucket with so many recordings left, in an account without limits."""
    (folder / "no-limits.toml").write_text(NO_LIMITS, encoding="utf-8")
    with cloud(folder, "--count", str(keys), *SLOTS) as place:
        ran = place.run("--config", "no-limits.toml")
    assert (ran.summary["counts"]["listed"], ran.summary["counts"]["written"]) == (keys, left)
    return ran
