"""Reviews of parts that are in no line yet: a small file beside the ground truth.

A long recording has a line once all of its parts are reviewed. Until then `ground_truth.jsonl` must
not have it, and yet the project's annotations are counted: those that are counted and in no line
are noted here, with what `quality` counts of them: who took how long, and the texts of parts that
two people reviewed. Whoever loses the file has all annotations compared once. `pull` takes a
damaged one for a lost one; `quality` refuses it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from pipeline.errors import OutputUnusable
from pipeline.files import replacing
from pipeline.ground_truth.record import GroundTruth, read_ground_truth

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


class Waiting(msgspec.Struct, frozen=True):
    """What of a recording is in no line.

    `annotations` counts them. `parts` are those that the recording has and `reviewed` how many of
    them have a review that counts; `tasks` are the numbers of the other ones' tasks, as far as they
    are there. Of a task of which nothing tells which part it is, `parts` is 0. `prefer` are the
    reviewers by whom it was chosen what is in a line. `partial` has in its `parts` the reviews of
    parts that are in no line; None where there are none, or none were read.
    """

    annotations: int
    parts: int
    reviewed: int
    tasks: list[int] = []
    prefer: list[str] = []
    partial: GroundTruth | None = None


ByJob = dict[str, Waiting]


def waiting_parts(truth: Path, project: str) -> ByJob:
    """The recordings of a project by their jobs; none where the file is lost or damaged."""
    return _read(_path_of(truth)).get(project, {})


def keep_waiting_parts(truth: Path, project: str, waiting: ByJob, seen: Collection[str]) -> None:
    """Note the recordings of a project, durably, in place of those that were noted.

    Args:
        truth: the ground truth, beside which it is noted.
        project: the project's URL.
        waiting: what is noted of it.
        seen: the names of annotations that it has: one server may be asked under two addresses.

    Raises:
        OutputUnusable: the file can't be written.
    """
    path = _path_of(truth)
    known = _read(path)
    kept = {url: _without(jobs, seen) for url, jobs in known.items() if url != project}
    if known == (noted := kept | {project: waiting}):
        return
    with replacing(path, b"") as file:
        file.write(msgspec.json.encode(noted) + b"\n")


def _without(jobs: ByJob, seen: Collection[str]) -> ByJob:
    return {
        job_id: each
        for job_id, each in jobs.items()
        if not (each.partial and each.partial.annotation_uid in seen)
    }


def with_unread(
    partial: GroundTruth | None, before: Waiting | None, unread: Collection[int]
) -> GroundTruth | None:
    """The reviews of parts that are in no line, with those that are not known anew.

    Args:
        partial: as they were read now.
        before: what was noted of the recording.
        unread: the numbers of tasks whose reviews the server counts and does not give out.
    """
    noted = before and before.partial
    kept = [part for part in noted.parts if part.task_id in unread] if noted else []
    read = partial or noted
    if not (kept and read):
        return partial
    return replace(read, parts=(*(partial.parts if partial else ()), *kept))


def lines_and_partial(truth: Path) -> Iterator[GroundTruth]:
    """The lines of the ground truth, then the reviews of parts that are in none of them.

    Raises:
        OutputUnusable: as of `read_ground_truth`, or what is noted of parts can't be read: who
            counts and pays by it must not take it for nothing.
    """
    yield from read_ground_truth(truth)
    path = _path_of(truth)
    try:
        noted = _noted(path)
    except Exception as error:  # whatever foreign text does to its reader
        raise OutputUnusable(
            f"{path} can't be read: {getattr(error, 'strerror', None) or error}",
            "Move it away, and run `transcribe-pipeline pull --all` for each project.",
        ) from error
    for jobs in noted.values():
        yield from (each.partial for each in jobs.values() if each.partial)


def _path_of(truth: Path) -> Path:
    real = truth.resolve()
    return real.with_name(f"{real.name}.parts")


def _read(path: Path) -> dict[str, ByJob]:
    with suppress(Exception):  # whatever foreign text does to its reader
        return _noted(path)
    return {}


def _noted(path: Path) -> dict[str, ByJob]:
    """What the file says; nothing where there is none."""
    with suppress(FileNotFoundError):
        return msgspec.json.decode(path.read_bytes(), type=dict[str, ByJob])
    return {}
