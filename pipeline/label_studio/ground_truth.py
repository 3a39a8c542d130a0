"""`ground_truth.jsonl`: one line for each review of a recording, and how the file is kept.

A line is either `reviewed` (an annotation that a person submitted) or `auto` (a prediction so
certain that nobody was asked). The file holds each annotation once: what is put later for the
same task takes the place of what stood there, and the rest keeps its order, so that pulling twice
changes not a byte.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from itertools import groupby
from typing import IO, TYPE_CHECKING, Annotated, BinaryIO, Literal, NamedTuple, TypeVar

import msgspec

from pipeline.errors import OutputUnusable
from pipeline.files import locked, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

REVIEWED: Literal["reviewed"] = "reviewed"
AUTO: Literal["auto"] = "auto"


LONGEST = 1_000_000
"""Seconds: no recording has a region later than that."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]


class Segment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A stretch of speech: `start` and `end` in seconds, as the reviewer left them.

    `predicted` is the text of the prediction's region of the same id, None where the reviewer drew
    the region; `predicted_speaker` is its speaker, only where the reviewer changed it. `channel` is
    the audio's, from 0. `score` is the region's confidence, 0..1, where the prediction has one.
    """

    start: Seconds
    end: Seconds
    text: str
    speaker: str | None = None
    channel: int | None = None
    predicted: str | None = None
    predicted_speaker: str | None = None
    score: float | None = None


class GroundTruth(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line: what is said in one recording, and what had been predicted.

    `audio` is the task's own URI, byte for byte; `job_id` the key by which the task is found
    ("" in tasks made by hand). `text` is the whole text, `predicted` the prediction's; None where
    there was no prediction. `segments` is empty where the task is one box of text; `deleted` holds
    the prediction's regions that the reviewer removed, their text as `predicted`. `duration` is in
    seconds. `reviewer` is the address or number of who submitted it, `seconds_spent` what Label
    Studio measured. `project` is the project's URL; `updated_at` the server's words for when the
    annotation was last saved.
    """

    audio: str
    source: Literal["reviewed", "auto"]
    text: str
    job_id: str = ""
    language: str | None = None
    duration: Seconds | None = None
    segments: tuple[Segment, ...] = ()
    predicted: str | None = None
    deleted: tuple[Segment, ...] = ()
    score: float | None = None
    model_version: str | None = None
    reviewer: str | None = None
    seconds_spent: float | None = None
    project: str = ""
    task_id: int = 0
    annotation_id: int = 0
    updated_at: str = ""


class Unit(NamedTuple):
    """What is replaced as one: all lines of a task, or the `auto` line of a job."""

    project: str
    key: int | str


class _Head(msgspec.Struct, frozen=True):
    """What keeping the file needs to know of a line."""

    source: Literal["reviewed", "auto"]
    job_id: str = ""
    project: str = ""
    task_id: int = 0
    annotation_id: int = 0
    updated_at: str = ""

    @property
    def unit(self) -> Unit:
        if self.source == AUTO:
            return Unit(AUTO, self.job_id)
        return Unit(self.project, self.task_id)


class Standing(NamedTuple):
    """How many lines a project has in the file, and when the newest of them was saved ("")."""

    lines: int
    updated_at: str


class Changes(msgspec.Struct):
    """Counts of lines: how an update changed the file, and how many it has now."""

    added: int = 0
    replaced: int = 0
    removed: int = 0
    total: int = 0

    def count(self, old: list[bytes], new: list[bytes]) -> None:
        """Count what became of the lines of one unit; a line is known by its annotation."""
        self.total += len(new)
        if old == new:
            return
        before = {_decode_head(line).annotation_id: line for line in old}
        after = {_decode_head(line).annotation_id: line for line in new}
        self.added += len(after.keys() - before.keys())
        self.removed += len(before.keys() - after.keys())
        self.replaced += sum(after[each] != before[each] for each in after.keys() & before.keys())

    def then(self, later: Changes) -> Changes:
        """Both changes together."""
        return Changes(
            self.added + later.added,
            self.replaced + later.replaced,
            self.removed + later.removed,
            later.total,
        )


_decode = msgspec.json.Decoder(GroundTruth).decode
_decode_head = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode


def read_ground_truth(path: Path) -> Iterator[GroundTruth]:
    """The lines of the file, one at a time.

    Raises:
        OutputUnusable: there is no such file, or a line is none of ours.
    """
    with opened_ground_truth(path) as file:
        yield from lines_of(file, path)


def opened_ground_truth(path: Path) -> BinaryIO:
    """The file, open for reading; a pull that replaces it does not change what is read here.

    Raises:
        OutputUnusable: there is no such file.
    """
    if not path.exists():
        raise OutputUnusable(
            f"There is no ground truth {path}. `transcribe-pipeline pull` writes it; name it with "
            "--ground-truth."
        )
    return _opened(path)


def lines_of(file: BinaryIO, path: Path) -> Iterator[GroundTruth]:
    """The lines of the open file, from where it stands.

    Raises:
        OutputUnusable: a line is none of ours.
    """
    return (decoded for _, decoded in _each(file, path, _decode))


def standing(path: Path, project: str) -> Standing:
    """Where the file stands with one project; without a file it has nothing.

    Raises:
        OutputUnusable: as for `read_ground_truth`.
    """
    lines, newest = 0, ""
    for _, head in _decoded(path, _decode_head):
        if head.project == project:
            lines += 1
            newest = max(newest, head.updated_at)
    return Standing(lines, newest)


@contextmanager
def updating(path: Path) -> Iterator[Update]:
    """Hold the file for an update, which takes effect when it is committed.

    Raises:
        OutputUnusable: another one holds it, or the folder can't be written.
    """
    with ExitStack() as held:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            real = path.resolve()  # one file has one lock, whatever links lead to it
            busy = f"Another pull or push is writing {path}. Wait for it, or stop it."
            held.enter_context(locked(real.with_name(f"{real.name}.lock"), busy))
            spool = held.enter_context(tempfile.TemporaryFile(dir=path.parent))
        yield Update(path, spool)


class Update:
    """New lines on their way into the file; kept on disk, as they may be many."""

    def __init__(self, path: Path, spool: IO[bytes]) -> None:
        self._path = path
        self._spool = spool
        self._fresh: dict[Unit, tuple[int, int]] = {}
        self._reviewed: set[str] = set()

    def put_task(self, project: str, task_id: int, lines: Iterable[GroundTruth]) -> None:
        """Say which reviews a task has from now on; none at all removes what stood there."""
        self._put(Unit(project, task_id), lines)

    def put_auto(self, line: GroundTruth) -> None:
        """Put the `auto` line of a job; it gives way to any review of the same job."""
        self._put(Unit(AUTO, line.job_id), [line])

    def _put(self, unit: Unit, lines: Iterable[GroundTruth]) -> None:
        begin = self._spool.seek(0, os.SEEK_END)
        for line in lines:
            with _writing(self._path):
                self._spool.write(_encode(line) + b"\n")
            if line.source == REVIEWED:
                self._reviewed.add(line.job_id)
        self._fresh[unit] = (begin, self._spool.tell() - begin)

    def commit(self, *, whole: str = "") -> Changes:
        """Write the file anew, in one step.

        Args:
            whole: a project of which every task was put; what else the file has of it is dropped.

        Raises:
            OutputUnusable: the file can't be written, or has a line that is none of ours.
        """
        changes = Changes()
        with replacing(self._path) as file:
            for old, new in self._merged(whole):
                file.writelines(new)
                changes.count(old, new)
        return changes

    def _merged(self, whole: str) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """What each unit had and has, in the order of the file, new ones at the end."""
        waiting = {unit: None for unit in self._fresh if not self._gives_way(unit)}
        for unit, group in groupby(_decoded(self._path, _decode_head), lambda pair: pair[1].unit):
            old = [line for line, _ in group]
            if unit in waiting:
                del waiting[unit]
                yield old, self._lines(unit)
            elif unit in self._fresh or unit.project == whole or self._gives_way(unit):
                yield old, []
            else:
                if unit.project != AUTO:
                    waiting.pop(Unit(AUTO, _decode_head(old[0]).job_id), None)
                yield old, old
        for unit in waiting:
            yield [], self._lines(unit)

    def _gives_way(self, unit: Unit) -> bool:
        return unit.project == AUTO and unit.key in self._reviewed

    def _lines(self, unit: Unit) -> list[bytes]:
        begin, size = self._fresh[unit]
        self._spool.seek(begin)
        return self._spool.read(size).splitlines(keepends=True)


_Line = TypeVar("_Line")


def _decoded(path: Path, decode: Callable[[bytes], _Line]) -> Iterator[tuple[bytes, _Line]]:
    """Each line of the file with its newline, and what it says; none where there is no file."""
    if path.exists():
        with _opened(path) as file:
            yield from _each(file, path, decode)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise OutputUnusable(f"{path} can't be read: {error.strerror}.") from error


def _each(
    file: BinaryIO, path: Path, decode: Callable[[bytes], _Line]
) -> Iterator[tuple[bytes, _Line]]:
    for number, line in enumerate(file, 1):
        try:
            yield line if line.endswith(b"\n") else line + b"\n", decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OutputUnusable(
                f"Line {number} of {path} is no line of ground truth: {error}. Repair or "
                "remove the line; or name another file with --ground-truth."
            ) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputUnusable(f"{path} can't be written: {error.strerror}.") from error
