"""Which of several reviews of a recording counts: one for each, by one rule for every command.

A recording has several where several people or projects reviewed it, or where its content changed.
An annotation with Label Studio's star (ground truth) counts before all others, then that of the
reviewer whom the settings prefer (`prefer`), also an empty one: the words may have been invented.
Then one that says something counts before one that is empty though words were heard, then that
which was saved last. A line of several reviewers, each of a part, has the place of the last of
them. A recording that nobody reviewed has its `auto` line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ground_truth.record import REVIEWED, lines_of, opened_ground_truth
from pipeline.ground_truth.unusable import is_blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth


Rank = tuple[bool, bool, int, bool, str, int]


def rank(line: GroundTruth, prefer: Sequence[str] = ()) -> Rank:
    """By which of a recording's lines the highest counts.

    Args:
        line: one of them.
        prefer: reviewers whose lines count before those of others, the first one's before all.
    """
    order = [*prefer]
    place = max(order.index(e) if e in order else len(order) for e in line.reviewers)
    says = not is_blank(line)
    return line.source == REVIEWED, line.starred, -place, says, line.updated_at, line.annotation_id


def why(line: GroundTruth, prefer: Sequence[str] = (), others: Iterable[GroundTruth] = ()) -> str:
    """By what the line counts of which the rank is highest, before the others."""
    if line.starred:
        return "has the star"
    if set(line.reviewers) <= {*prefer}:
        return "is preferred"
    return "is not empty" if not is_blank(line) and any(map(is_blank, others)) else "is the newest"


def one_each(
    path: Path, counts: Callable[[GroundTruth], bool] = lambda _: True, prefer: Sequence[str] = ()
) -> Iterator[GroundTruth]:
    """One line for each recording, in the order of the file.

    Args:
        path: the ground truth, which is read twice.
        counts: whether a line may be taken at all.
        prefer: as of `rank`.

    Raises:
        OutputUnusable: as of `read_ground_truth`.
    """
    best: dict[str, tuple[Rank, int]] = {}
    with opened_ground_truth(path) as file:
        for place, line in enumerate(lines_of(file, path)):
            if counts(line):
                ranked = (rank(line, prefer), place)
                recording = line.recording
                best[recording] = max(best.get(recording, ranked), ranked)
        chosen = {place for _, place in best.values()}
        file.seek(0)
        for place, line in enumerate(lines_of(file, path)):
            if place in chosen:
                yield line
