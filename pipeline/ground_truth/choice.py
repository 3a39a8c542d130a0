"""Which of several reviews of a recording counts: one for each, by one rule for every command.

A recording has several where several people or projects reviewed it, or where its content changed.
An annotation with Label Studio's star (ground truth) counts before all others, else that which was
saved last. A recording that nobody reviewed has its `auto` line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ground_truth.record import REVIEWED, lines_of, opened_ground_truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth


def rank(line: GroundTruth) -> tuple[bool, bool, str, int]:
    """By which of a recording's lines the highest counts."""
    return line.source == REVIEWED, line.starred, line.updated_at, line.annotation_id


def one_each(
    path: Path, counts: Callable[[GroundTruth], bool] = lambda _: True
) -> Iterator[GroundTruth]:
    """One line for each recording, in the order of the file.

    Args:
        path: the ground truth, which is read twice.
        counts: whether a line may be taken at all.

    Raises:
        OutputUnusable: as of `read_ground_truth`.
    """
    best: dict[str, tuple[tuple[bool, bool, str, int], int]] = {}
    with opened_ground_truth(path) as file:
        for place, line in enumerate(lines_of(file, path)):
            if counts(line):
                ranked = (rank(line), place)
                recording = line.audio or f"{line.project} {line.task_id}"
                best[recording] = max(best.get(recording, ranked), ranked)
        chosen = {place for _, place in best.values()}
        file.seek(0)
        for place, line in enumerate(lines_of(file, path)):
            if place in chosen:
                yield line
