"""A phrase in so many recordings: the command over a state file and an index that has them all.

Of every thousand recordings one has the phrase. What the interpreter and the command line take to
start, as `--version` shows it, is told apart.
"""

from __future__ import annotations

import random
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure
from pipeline.model import Segment, Transcript, Word
from pipeline.state.search_index import index_path, open_index
from pipeline.transcripts.searchable import searchable
from tests.conftest import COMMAND, clean_environment
from tests.support.state_files import begun, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PAGE = 1000
_WORDS = 60
_PHRASE = "order number"
_VOCABULARY = [f"word{number}" for number in range(2000)]


@dataclass(frozen=True)
class Size:
    """How many recordings, and how often each command is timed."""

    count: int
    rounds: int


FULL = Size(count=100_000, rounds=10)
TOY = Size(count=2_000, rounds=1)


def measure(size: Size) -> Iterator[Figure]:
    """The least CPU time of a search, without and with its start."""
    with TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        _make(folder / "tasks.jsonl.state", size.count)
        started = min(_seconds(folder, "--version") for _ in range(size.rounds))
        searched = min(_seconds(folder, "search", _PHRASE) for _ in range(size.rounds))
        common = min(_seconds(folder, "search", _VOCABULARY[0]) for _ in range(size.rounds))
        megabytes = (folder / "tasks.jsonl.state.search").stat().st_size / 1e6
    yield Figure(
        f"search of a phrase in {size.count:,} recordings, after the command's start",
        searched - started,
        "s CPU",
        0.2,
        more=f"{searched:.2f} s with it; {common - started:.2f} s for a word of all; index of "
        f"{megabytes:.0f} MB, {_WORDS} words each",
    )


def _make(path: Path, count: int) -> None:
    """The state file of a run that has written so many recordings, and its whole index."""
    choose = random.Random(1)  # noqa: S311 # words, no secrets
    with begun(path) as state, open_index(index_path(path)) as index:
        for first in range(0, count, _PAGE):
            written(state, *(f"calls/{n:06}.mp3" for n in range(first, first + _PAGE)))
        for page in state.recordings.written():
            for job in page:
                words = choose.choices(_VOCABULARY[1:], k=_WORDS)
                words[0] = _VOCABULARY[0]
                if job.row % 1000 == 0:
                    words[_WORDS // 2 : _WORDS // 2 + 2] = _PHRASE.split()
                index.put([(job, *searchable(_transcript(words)))])
        index.complete(state.recordings.written_mark())


def _transcript(words: Sequence[str]) -> Transcript:
    """A word every half second, of two speakers in turns of twelve."""
    spoken = [Word(word, n / 2, n / 2 + 0.4) for n, word in enumerate(words)]
    turns = [tuple(spoken[n : n + 12]) for n in range(0, len(spoken), 12)]
    segments = (
        Segment(
            " ".join(w.text for w in turn), turn[0].start, turn[-1].end, f"spk_{n % 2}", words=turn
        )
        for n, turn in enumerate(turns)
    )
    return Transcript("job", "", tuple(segments))


def _seconds(folder: Path, *arguments: str) -> float:
    """The CPU seconds of a command, which hardly waits: the index is in the system's memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    assert done.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
