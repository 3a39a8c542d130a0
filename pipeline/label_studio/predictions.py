"""Transcripts that nobody reviewed, as lines beside the ground truth: from the tasks of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pipeline.label_studio.annotations import unreviewed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pipeline.ground_truth.record import GroundTruth


def above(
    tasks: Callable[[], Iterable[bytes]], least: float, known: Collection[str]
) -> Iterator[GroundTruth]:
    """The lines of tasks whose transcripts have at least this score.

    Args:
        tasks: reads them, twice: of a recording that was written more than once the last counts.
        least: the score, 0..1; what has none is left out.
        known: the audio of recordings that are in the ground truth.
    """
    last = {}
    for number, task in enumerate(tasks()):
        last[unreviewed(orjson.loads(task)).audio] = number
    chosen = {number for audio, number in last.items() if audio not in known}
    for number, task in enumerate(tasks()):
        if number in chosen:
            line = unreviewed(orjson.loads(task))
            if line.score is not None and line.score >= least:
                yield line
