"""From an hour's transcript to a line of the output, beside reading its JSON alone.

The best time of each way over many rounds, in turns, in this process.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson

from benchmarks.alternatives.tutorial import task_of
from benchmarks.documents import of_today, of_twenty_four, of_twenty_twenty
from benchmarks.figures import Figure
from pipeline.launch.event_loop import settle_memory
from pipeline.model import Job, Recording, TaskKind
from pipeline.tasks.builder import TaskBuilder
from pipeline.transcripts.parsing import parse_transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_AUDIO = "s3://audio/00000/00000000.mp3"
_JOB = Job(1, bytes(16), "job", Recording("00000/00000000.mp3", "0" * 32, 14_400_000))


GOALS = {TaskKind.TRANSCRIPT: 0.6, TaskKind.SEGMENTS: 1.0}
"""The goal for each kind of task, as a multiple of `orjson.loads`."""

SHAPES = {
    "with speakers, of today": of_today,
    "of 2024": of_twenty_four,
    "with speakers, of 2020": of_twenty_twenty,
}


@dataclass(frozen=True)
class Size:
    """Words of a transcript, and how often each way is timed."""

    words: int
    rounds: int


FULL = Size(words=9_000, rounds=20)
TOY = Size(words=90, rounds=1)


def measure(size: Size) -> Iterator[Figure]:
    """Each kind of task from each shape of transcript, with the collector set as in a run."""
    settle_memory()
    for shape, build in SHAPES.items():
        document = build(size.words)
        for kind, goal in GOALS.items():
            ways = orjson.loads, partial(line_of, kind), _tutorials
            loads, ours, tutorials = _best(ways, document, size.rounds)
            yield Figure(
                f"transcript of one hour, {shape} → line of `{kind}`, ÷ `orjson.loads` alone",
                ours / loads,
                "×",
                goal,
                more=f"{1000 * ours:.1f} ms for {len(document) / 1e6:.1f} MB",
                beside=f"{tutorials / loads:.1f}: the tutorial's way",
            )


def line_of(kind: TaskKind, document: bytes) -> bytes:
    """The line of the output that is made of a transcript."""
    builder = TaskBuilder(kind, "amazon-transcribe/en-US")
    return builder.line(_AUDIO, _JOB, parse_transcript(document))


def _tutorials(document: bytes) -> str:
    return json.dumps(task_of(_AUDIO, document))


def _best(
    ways: tuple[Callable[[bytes], object], ...], document: bytes, rounds: int
) -> tuple[float, ...]:
    """The shortest CPU seconds of each way."""
    times = [[_timed(way, document) for way in ways] for _ in range(rounds)]
    return tuple(map(min, zip(*times, strict=True)))


def _timed(way: Callable[[bytes], object], document: bytes) -> float:
    begun = time.thread_time()
    way(document)
    return time.thread_time() - begun
