"""The tasks of a JSON Lines file as JSON arrays, small enough for Label Studio's importer."""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

import orjson

from pipeline.errors import OutputUnusable
from pipeline.files import replacing
from pipeline.state_reading import read_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_TASKS = 50_000
MOST_BYTES = 200 * 10**6
"""Label Studio 1.23 takes bodies of up to 250 MiB, and 50,000 tasks in under a minute."""


def committed_lines(output: Path, state: Path) -> Iterator[bytes]:
    """The committed lines of the output, without their newlines.

    Raises:
        OutputUnusable: there is no output, or someone changed it.
        StateUnusable: there is no state file that says how much is committed.
    """
    with read_state(state) as opened:
        left = opened.output_size
    if not left:
        return
    try:
        file = output.open("rb")
    except OSError as error:
        raise OutputUnusable(
            f"The tasks {output} can't be read: {error.strerror}. Name them with --output."
        ) from error
    with file:
        for number, line in enumerate(file, 1):
            if not left:
                return
            left -= len(line)
            if left < 0:
                raise OutputUnusable(
                    f"Line {number} of {output} is longer than what was written to it: someone "
                    "changed the file."
                )
            _check(line, number, output)
            yield line.rstrip(b"\n")
    if left:
        raise OutputUnusable(
            f"{output} is {left} bytes shorter than what was written to it: someone shortened or "
            "replaced it."
        )


def _check(line: bytes, number: int, output: Path) -> None:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise OutputUnusable(
            f"Line {number} of {output} is not JSON ({error}): someone changed the file."
        ) from error


def write_arrays(lines: Iterable[bytes], folder: Path) -> Iterator[Path]:
    """Write `tasks-0001.json` and so on, mode 0600, each whole or not at all; yield the paths.

    Raises:
        OutputUnusable: a file can't be written.
    """
    for number, chunk in enumerate(_chunks(lines), 1):
        path = _path(folder, number)
        with replacing(path) as file:
            for before, line in zip(chain([b"[\n"], repeat(b",\n")), chunk, strict=False):
                file.write(before)
                file.write(line)
            file.write(b"\n]\n")
        yield path


def later_exports(folder: Path, last: Path | None) -> list[Path]:
    """Files of an earlier, larger export that lie in the folder behind the last one of this."""
    name = last.name if last else ""
    return sorted(path for path in folder.glob("tasks-[0-9]*.json") if path.name > name)


def _path(folder: Path, number: int) -> Path:
    return folder / f"tasks-{number:04}.json"


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and (len(chunk) == MOST_TASKS or size + len(line) > MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 2
    if chunk:
        yield chunk
