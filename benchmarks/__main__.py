"""Run the benchmarks and print their table.

    python -m benchmarks                # all; writes results.md and the table of docs/benchmarks.md
    python -m benchmarks listing help   # only these; writes nothing
    python -m benchmarks ten-million    # one that is left out of all; writes its rows of results.md

Those that wait for an account's slots run first, at the same time; those that compute follow one
by one, alone.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import (
    listing,
    makespan,
    results,
    search,
    sharing,
    startup,
    throughput,
    transcript_files,
    transcripts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.figures import Figure


class Benchmark(NamedTuple):
    """How a benchmark measures, and at what size.

    `waits` tells that it needs hardly any CPU, `apart` that it runs by its name alone.
    """

    measure: Callable[[Any], Iterable[Figure]]
    full: Any
    toy: Any
    waits: bool = False
    apart: bool = False


BENCHMARKS = {
    "short-jobs": Benchmark(makespan.measure, makespan.SHORT_JOBS, makespan.TOY, waits=True),
    "long-jobs": Benchmark(makespan.measure, makespan.LONG_JOBS, makespan.TOY, waits=True),
    "throughput": Benchmark(throughput.measure, throughput.FULL, throughput.TOY),
    "listing": Benchmark(listing.measure, listing.FULL, listing.TOY),
    "ten-million": Benchmark(
        listing.measure_growth, listing.TEN_TIMES_FULL, listing.TEN_TIMES_TOY, apart=True
    ),
    "transcripts": Benchmark(transcripts.measure, transcripts.FULL, transcripts.TOY),
    "files": Benchmark(transcript_files.measure, transcript_files.FULL, transcript_files.TOY),
    "hundred-thousand": Benchmark(
        transcript_files.measure_all,
        transcript_files.TEN_TIMES_FULL,
        transcript_files.TOY,
        apart=True,
    ),
    "sharing": Benchmark(sharing.measure, sharing.FULL, sharing.TOY, apart=True),
    "search": Benchmark(search.measure, search.FULL, search.TOY),
    "help": Benchmark(startup.measure, startup.FULL, startup.TOY),
}


def run(names: Iterable[str]) -> Iterator[Figure]:
    """The figures of the named benchmarks at their full size, in the order of the names."""
    chosen = [BENCHMARKS[name] for name in names]
    waiting = [each for each in chosen if each.waits]
    with ThreadPoolExecutor(len(waiting) or 1) as together:
        for figures in together.map(_told, waiting):
            yield from figures
    for each in chosen:
        if not each.waits:
            yield from _told(each)


def _told(benchmark: Benchmark) -> list[Figure]:
    begun = time.monotonic()
    figures = list(benchmark.measure(benchmark.full))
    for figure in figures:
        sys.stderr.write(f"{figure.row()}\n")
    sys.stderr.write(f"    in {time.monotonic() - begun:.0f} s\n")
    return figures


def main() -> None:
    """Run what was named, or everything."""
    names = sys.argv[1:]
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"No benchmark is named {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.")
    apart = [name for name, each in BENCHMARKS.items() if each.apart]
    table = results.table(run(names or [each for each in BENCHMARKS if each not in apart]))
    sys.stdout.write(table)
    if not names:
        results.write(table)
    elif len(names) == 1 and names[0] in apart:
        results.write_apart(names[0], table)


if __name__ == "__main__":
    main()
