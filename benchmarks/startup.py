"""How soon `--help` is there: the best of several, as everything else only adds to it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from tests.conftest import COMMAND, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Size:
    """How often each is started."""

    rounds: int


FULL = Size(rounds=10)
TOY = Size(rounds=1)


def measure(size: Size) -> Iterator[Figure]:
    """`--help` beside the import of the AWS library alone."""
    helped = min(_seconds(COMMAND, "--help") for _ in range(size.rounds))
    imported = min(_seconds(sys.executable, "-c", "import aioboto3") for _ in range(size.rounds))
    beside = f"{imported:.2f} s: importing aioboto3 alone"
    yield Figure("`--help`", helped, "s", 0.25, beside=beside)


def _seconds(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, env=clean_environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun
