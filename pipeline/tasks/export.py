"""The tasks of a JSON Lines file as JSON arrays, small enough for Label Studio's importer."""

from __future__ import annotations

import heapq
import math
import struct
from itertools import chain, groupby, islice, pairwise, repeat
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, BinaryIO

import msgspec
import orjson

from pipeline.errors import OutputUnusable
from pipeline.files import replacing
from pipeline.state.output import MENDING
from pipeline.state.reader import read_state
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_TASKS = 50_000
MOST_BYTES = 200 * 10**6
"""Label Studio 1.23 takes bodies of up to 250 MiB, and 50,000 tasks in under a minute."""

_BEGINS = b"[\n{"
_RUN = 100_000
_BLOCK = 1_000
_READ = 2**20
# Big-endian, so that as bytes the entries sort by their score and then by their place.
_ENTRY = struct.Struct(">dQQ")


class _Prediction(msgspec.Struct):
    score: float = 0.0


class _Meta(msgspec.Struct):
    silent: bool = False


class _Task(msgspec.Struct):
    predictions: list[_Prediction] = []
    meta: _Meta = msgspec.field(default_factory=_Meta)

    @property
    def score(self) -> float:
        """That of its prediction; where nobody speaks there is nothing to be uncertain of."""
        if self.meta.silent:
            return math.inf
        return max(0.0, min((each.score for each in self.predictions), default=0.0))


_TASK = msgspec.json.Decoder(_Task)


def committed_lines(output: Path, state: Path, start: int = 0) -> Iterator[bytes]:
    """The committed lines of the output from the byte `start` on, without their newlines.

    Raises:
        OutputUnusable: there is no output, or someone changed it.
        StateUnusable: there is no state file that says how much is committed.
    """
    with read_state(state) as opened:
        left = opened.facts.output_size - start
    if left <= 0:
        return
    with opened_output(output) as file:
        file.seek(start)
        place = start
        for line in file:
            if not left:
                return
            left -= len(line)
            if left < 0:
                raise OutputUnusable(
                    f"{_line_at(output, place)} is longer than what was written to it: someone "
                    "changed the file",
                    MENDING,
                )
            _check(line, place, output)
            yield line.rstrip(b"\n")
            place += len(line)
    if left:
        raise OutputUnusable(
            f"{output} is {count_of(left, 'byte')} shorter than what was written to it: someone "
            "shortened or replaced it",
            MENDING,
        )


def opened_output(output: Path) -> BinaryIO:
    """The output, open for reading.

    Raises:
        OutputUnusable: it can't be read.
    """
    try:
        return output.open("rb")
    except OSError as error:
        raise OutputUnusable(
            f"The tasks {output} can't be read: {error.strerror}", "Name them with --output."
        ) from error


def _check(line: bytes, place: int, output: Path) -> None:
    try:
        orjson.loads(line)
    except Exception as error:
        raise OutputUnusable(
            f"{_line_at(output, place)} is not JSON ({error}): someone changed the file", MENDING
        ) from error


def _line_at(output: Path, place: int) -> str:
    """How people find the line that begins at a byte; counted only when it has to be named."""
    number = 1
    with opened_output(output) as file:
        while block := file.read(min(place, _READ)):
            number += block.count(b"\n")
            place -= len(block)
    return f"Line {number} of {output}"


def worst_first(output: Path, state: Path) -> Iterator[bytes]:
    """The committed lines by their score, the lowest first; raises as `committed_lines` does.

    What is sorted is an index on the disk, 24 bytes a task, so that memory stays as it is.
    """
    with TemporaryFile() as index, opened_output(output) as file:
        ends = [0]
        entries = _entries(committed_lines(output, state), output)
        while run := sorted(islice(entries, _RUN)):
            index.write(b"".join(run))
            ends.append(index.tell())
        for entry in heapq.merge(*(_read_run(index, *run) for run in pairwise(ends))):
            _, place, size = _ENTRY.unpack(entry)
            file.seek(place)
            yield file.read(size)


def _entries(lines: Iterable[bytes], output: Path) -> Iterator[bytes]:
    place = 0
    for line in lines:
        try:
            score = _TASK.decode(line).score
        except Exception as error:
            raise OutputUnusable(
                f"{_line_at(output, place)} is no task with a score: someone changed the file",
                MENDING,
            ) from error
        yield _ENTRY.pack(score, place, len(line))
        place += len(line) + 1


def _read_run(index: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    step = _ENTRY.size * _BLOCK
    for place in range(start, end, step):
        index.seek(place)
        block = index.read(min(step, end - place))
        yield from (block[n : n + _ENTRY.size] for n in range(0, len(block), _ENTRY.size))


def write_arrays(lines: Iterable[bytes], folder: Path) -> Iterator[Path]:
    """Write `tasks-0001.json` and so on, mode 0600, each whole or not at all; yield the paths.

    Raises:
        OutputUnusable: a file can't be written.
    """
    for number, chunk in enumerate(chunks(lines), 1):
        path = _path(folder, number)
        with replacing(path, _BEGINS) as file:
            for before, line in zip(chain([b"[\n"], repeat(b",\n")), chunk, strict=False):
                file.write(before)
                file.write(line)
            file.write(b"\n]\n")
        yield path


def chunks(lines: Iterable[bytes]) -> Iterator[Iterator[bytes]]:
    """The lines of one file after the other; each file's are used up before the next one's."""
    number = tasks = size = 0

    def file_number(line: bytes) -> int:
        nonlocal number, tasks, size
        if tasks == MOST_TASKS or (tasks and size + len(line) > MOST_BYTES):
            number, tasks, size = number + 1, 0, 0
        tasks += 1
        size += len(line) + 2
        return number

    for _, chunk in groupby(lines, file_number):
        yield chunk


def later_exports(folder: Path, last: Path | None) -> list[Path]:
    """Files of an earlier, larger export that lie in the folder behind the last one of this."""
    name = last.name if last else ""
    return sorted(path for path in folder.glob("tasks-[0-9]*.json") if path.name > name)


def _path(folder: Path, number: int) -> Path:
    return folder / f"tasks-{number:04}.json"
