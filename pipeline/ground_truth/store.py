"""How `ground_truth.jsonl` is kept: each annotation stands in it once.

What is put later for the same task takes the place of what stood there, and the rest keeps its
order, so that pulling twice changes not a byte. An annotation is known everywhere by its own name
too, so a server that is asked under another address doubles nothing.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from itertools import groupby
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

import msgspec

from pipeline.files import locked, replacing, writing
from pipeline.ground_truth.record import AUTO, REVIEWED, each_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pipeline.ground_truth.record import GroundTruth


class Unit(NamedTuple):
    """What is replaced as one: all lines of a task, that of a job's parts, or its `auto` line."""

    project: str
    key: int | str


class _PartHead(msgspec.Struct, frozen=True):
    task_id: int = 0


class _Head(msgspec.Struct, frozen=True):
    """What keeping the file needs to know of a line."""

    source: Literal["reviewed", "auto"]
    job_id: str = ""
    project: str = ""
    task_id: int = 0
    annotation_id: int = 0
    annotation_uid: str = ""
    updated_at: str = ""
    parts: list[_PartHead] = []

    @property
    def unit(self) -> Unit:
        if self.source == AUTO:
            return Unit(AUTO, self.job_id)
        if self.parts:
            return Unit(self.project, self.job_id)
        return Unit(self.project, self.task_id)

    @property
    def number(self) -> int:
        """What tells it from its unit's others: a recording of several tasks has one line."""
        return 0 if self.parts else self.annotation_id


class Standing(NamedTuple):
    """How many annotations a project has in the file, and when the newest of them was saved ("").

    `in_parts` are the jobs of recordings that were several tasks, with the tasks' numbers.
    """

    annotations: int
    updated_at: str
    in_parts: dict[str, set[int]]


class Changes(msgspec.Struct):
    """Counts of lines: how an update changed the file, and how many it has now.

    `unread` are the numbers of tasks that the server can't give out; their lines stay. `doubt` says
    why what it leaves out was not removed either; "" where it gave out what it counts. `given` is
    how many annotations it gave out. `empty` are the numbers of tasks with a review that says
    nothing where words were heard, of those that were given out. `skipped` are the numbers of tasks
    that someone skipped and nobody reviewed, a thousand at most; `skipped_total` counts all.
    `incomplete` counts the recordings of several tasks that have no line, as not all of their parts
    have a review that counts; `to_review` are the numbers of the tasks that they lack, a thousand
    at most; `to_review_total` counts all. `unknown_parts` are the numbers of tasks that are parts
    of long recordings, of which nothing tells which: another program dropped it.
    """

    added: int = 0
    replaced: int = 0
    removed: int = 0
    total: int = 0
    unread: list[int] = []
    doubt: str = ""
    given: int = 0
    empty: list[int] = []
    skipped: list[int] = []
    skipped_total: int = 0
    incomplete: int = 0
    to_review: list[int] = []
    to_review_total: int = 0
    unknown_parts: list[int] = []

    def count(self, old: list[bytes], new: list[bytes]) -> None:
        """Count what became of the lines of one unit."""
        self.total += len(new)
        if old == new:
            return
        before = {_decode(line).number: line for line in old}
        after = {_decode(line).number: line for line in new}
        self.added += len(after.keys() - before.keys())
        self.removed += len(before.keys() - after.keys())
        self.replaced += sum(after[each] != before[each] for each in after.keys() & before.keys())

    def beside(self, other: Changes) -> Changes:
        """These of one project, and those of another whose lines were put after them."""
        both = {name: getattr(self, name) + getattr(other, name) for name in _ADDED_UP}
        doubts = "; ".join(filter(None, [self.doubt, other.doubt]))
        return Changes(**both, total=other.total, doubt=doubts)

    def then(self, later: Changes) -> Changes:
        """Both changes together."""
        return Changes(
            self.added + later.added,
            self.replaced + later.replaced,
            self.removed + later.removed,
            later.total,
            later.unread,
            later.doubt,
            later.given,
            later.empty,
            later.skipped,
            later.skipped_total,
            later.incomplete,
            later.to_review,
            later.to_review_total,
            later.unknown_parts,
        )


_ADDED_UP = [name for name in Changes.__struct_fields__ if name not in ("total", "doubt")]


_decode = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode


def standing(path: Path, project: str) -> Standing:
    """Where the file stands with one project; without a file it has nothing.

    Raises:
        OutputUnusable: as for `read_ground_truth`.
    """
    annotations, newest = 0, ""
    in_parts: dict[str, set[int]] = {}
    for _, head in each_line(path, _decode):
        if head.project == project:
            annotations += len(head.parts) or 1
            newest = max(newest, head.updated_at)
            if head.parts:
                in_parts[head.job_id] = {part.task_id for part in head.parts}
    return Standing(annotations, newest, in_parts)


@contextmanager
def updating(path: Path) -> Iterator[Update]:
    """Hold the file for an update, which takes effect when it is committed.

    Raises:
        OutputUnusable: another one holds it, or the folder can't be written.
    """
    real = path.resolve()  # one file has one lock, whatever links lead to it
    busy = f"Another pull or push is writing {path}"
    with locked(real.with_name(f"{real.name}.lock"), busy, "Wait for it, or stop it."):
        with writing(path):
            spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 # it is closed below
        with spool:
            yield Update(path, spool)


class Update:
    """New lines on their way into the file; kept on disk, as they may be many."""

    def __init__(self, path: Path, spool: IO[bytes]) -> None:
        self._path = path
        self._spool = spool
        self._fresh: dict[Unit, tuple[int, int]] = {}
        self._reviewed: set[str] = set()
        self._annotations: set[str] = set()

    def put_task(self, project: str, task_id: int, lines: Iterable[GroundTruth]) -> None:
        """Say which reviews a task has from now on; none at all removes what stood there."""
        self._put(Unit(project, task_id), lines)

    def put_recording(self, project: str, job_id: str, lines: Iterable[GroundTruth]) -> None:
        """Say which line a recording of several tasks has from now on, or that it has none."""
        self._put(Unit(project, job_id), lines)

    def put_auto(self, line: GroundTruth) -> None:
        """Put the `auto` line of a job; it gives way to any review of the same job."""
        self._put(Unit(AUTO, line.job_id), [line])

    def _put(self, unit: Unit, lines: Iterable[GroundTruth]) -> None:
        begin = self._spool.seek(0, os.SEEK_END)
        for line in lines:
            with writing(self._path):
                self._spool.write(_encode(line) + b"\n")
            if line.source == REVIEWED:
                self._reviewed.add(line.job_id)
                self._annotations |= {line.annotation_uid} - {""}
        self._fresh[unit] = (begin, self._spool.tell() - begin)

    def commit(self, *, whole: str = "") -> Changes:
        """Write the file again, in one step.

        Args:
            whole: a project of which every task was put; what else the file has of it is dropped.

        Raises:
            OutputUnusable: the file can't be written, or has a line that is not one of ours.
        """
        changes = Changes()
        with replacing(self._path.resolve(), b"") as file:
            for old, new in self._merged(whole):
                file.writelines(new)
                changes.count(old, new)
        return changes

    def _merged(self, whole: str) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """What each unit had and has, in the order of the file, new ones at the end."""
        waiting = {unit: None for unit in self._fresh if not self._gives_way(unit)}
        for unit, group in groupby(each_line(self._path, _decode), lambda pair: pair[1].unit):
            old = list(group)
            had = [line for line, _ in old]
            if unit in waiting:
                del waiting[unit]
                yield had, self._lines(unit)
            elif unit in self._fresh or unit.project == whole or self._gives_way(unit):
                yield had, []
            else:
                kept = [line for line, head in old if head.annotation_uid not in self._annotations]
                if unit.project != AUTO and kept:
                    waiting.pop(Unit(AUTO, old[0][1].job_id), None)
                yield had, kept
        for unit in waiting:
            yield [], self._lines(unit)

    def _gives_way(self, unit: Unit) -> bool:
        return unit.project == AUTO and unit.key in self._reviewed

    def _lines(self, unit: Unit) -> list[bytes]:
        begin, size = self._fresh[unit]
        self._spool.seek(begin)
        return self._spool.read(size).splitlines(keepends=True)
