"""Reviews of parts that are in no line yet: a small file beside the ground truth.

A long recording has a line once all of its parts are reviewed. Until then `ground_truth.jsonl` must
not have it, and yet the project's annotations are counted: those that are counted and in no line
are noted here. Whoever loses the file has all annotations compared once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from pipeline.files import replacing

if TYPE_CHECKING:
    from pathlib import Path


class Waiting(msgspec.Struct, frozen=True):
    """What of a recording is in no line.

    `annotations` counts them. `parts` are those that the recording has and `reviewed` how many of
    them have a review that counts; `tasks` are the numbers of the other ones' tasks, as far as they
    are there. `prefer` are the reviewers by whom it was chosen what is in a line.
    """

    annotations: int
    parts: int
    reviewed: int
    tasks: list[int] = []
    prefer: list[str] = []


ByJob = dict[str, Waiting]


def waiting_parts(truth: Path, project: str) -> ByJob:
    """The recordings of a project by their jobs; none where the file is lost or damaged."""
    return _read(_path_of(truth)).get(project, {})


def keep_waiting_parts(truth: Path, project: str, waiting: ByJob) -> None:
    """Note the recordings of a project, durably, in place of those that were noted.

    Raises:
        OutputUnusable: the file can't be written.
    """
    path = _path_of(truth)
    known = _read(path)
    if known.get(project, {}) == waiting:
        return
    with replacing(path, b"") as file:
        file.write(msgspec.json.encode(known | {project: waiting}) + b"\n")


def _path_of(truth: Path) -> Path:
    real = truth.resolve()
    return real.with_name(f"{real.name}.parts")


def _read(path: Path) -> dict[str, ByJob]:
    with suppress(Exception):  # whatever foreign text does to its reader
        return msgspec.json.decode(path.read_bytes(), type=dict[str, ByJob])
    return {}
