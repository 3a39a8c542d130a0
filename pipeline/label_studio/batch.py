"""One batch of tasks on its way into a project: what of it is there, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.tasks.recording_parts import whole_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.label_studio.schema import TaskRow
    from pipeline.label_studio.task_lines import TaskLine
    from pipeline.tasks.recording_parts import Part

    Found = dict[str, dict[Part, list[TaskRow]]]
    """The tasks that a project has, by their jobs and parts; several where one is doubled."""


_MOST_TOLD = 20


class PushStats(msgspec.Struct):
    """Counts of recordings.

    `sent` are new in the project, `there` were in it already, `renewed` are of an earlier round and
    have the new prediction, `reviewed` are of one and stay, `lacking` of these have not every part,
    `mended` lacked their prediction, `doubled` stand in it more than once, and `good` were not for
    review; `audited` are those of the others that are reviewed for the audit alone. `split` are too
    long for one task, of which `parts` tasks were sent. `refused` ones the server does not take,
    `copied` recordings it has a copy of now, and `unheard` ones it has none of that it should have;
    `refusals` says of the first twenty refused and unheard which they are, and why.
    """

    sent: int = 0
    there: int = 0
    renewed: int = 0
    reviewed: int = 0
    lacking: int = 0
    mended: int = 0
    doubled: int = 0
    split: int = 0
    parts: int = 0
    good: int = 0
    audited: int = 0
    refused: int = 0
    copied: int = 0
    unheard: int = 0
    refusals: list[str] = msgspec.field(default_factory=list)

    @property
    def done(self) -> int:
        """How many tasks are settled."""
        settled = self.sent + self.there + self.renewed + self.reviewed
        return settled + self.good + self.refused

    @property
    def tasks_sent(self) -> int:
        """How many tasks are new in the projects; a recording may have several."""
        return self.sent - self.split + self.parts

    def count_copies(self, copied: int, unheard: list[str]) -> None:
        """Add what became of the recordings of a batch."""
        self.copied += copied
        self.refusals += unheard[: max(0, _MOST_TOLD - self.unheard)]
        self.unheard += len(unheard)


class Delivery:
    """A batch on its way, by job ids.

    `there_before` are those that the first look found whole, `renewed` those whose recordings had a
    task, `kept` those whose recordings are reviewed, `lacking` those of them that have not every
    part, and `refused` those that the server does not take. `taken` are the parts that it took,
    `known` these and those that the first look found.
    """

    def __init__(self, batch: list[TaskLine], tell: Callable[[str], None]) -> None:
        self.batch = batch
        self.tell = tell
        self.looked_up = False
        self.there_before: set[str] = set()
        self.known: set[Part] = set()
        self.renewed: set[str] = set()
        self.kept: set[str] = set()
        self.lacking: set[str] = set()
        self.refused: set[str] = set()
        self.taken: set[Part] = set()

    def count(self, stats: PushStats) -> None:
        """Add what became of the batch."""
        others = self.there_before | self.renewed | self.kept | self.refused
        stats.there += len(self.there_before - self.renewed)
        stats.renewed += len(self.renewed)
        stats.reviewed += len(self.kept)
        stats.lacking += len(self.lacking)
        stats.refused += len(self.refused)
        stats.sent += len(self.batch) - len(others)
        cut = [part.job_id for part in self.taken if part.cuts]
        stats.split += len(set(cut))
        stats.parts += len(cut)

    def without(self, found: Found) -> list[TaskLine]:
        """The lines of which not every task is there."""
        return [
            line
            for line in self.batch
            if line.job_id not in self.refused and not whole_of(found.get(line.job_id, {}))
        ]
