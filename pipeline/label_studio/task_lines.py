"""The lines of the output as `push` sees them, and the batches that they are sent in; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec
import orjson

from pipeline.errors import OutputUnusable
from pipeline.label_studio.filters import as_query
from pipeline.tasks.recording_parts import Part, in_parts, uncut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_TASKS = 200
MOST_BYTES = 900_000
"""A proxy such as nginx takes bodies of a megabyte unless it is told otherwise."""

MOST_QUERY = 13_000
"""Characters of job ids in an address: the server (1.23) reads 16 KB of it."""

_MORE_THAN_AN_ID = 3  # %2C
_BRACKETS = 2
_COMMA = 1


class Value(msgspec.Struct, frozen=True, gc=False):
    """The part of a result's value that a labeling configuration lists."""

    labels: list[str] = []
    choices: list[str] = []


class Result(msgspec.Struct, frozen=True, gc=False):
    """One result of a prediction: which control it fills in."""

    from_name: str
    to_name: str
    type: str
    value: Value = Value()


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """One prediction of a task."""

    result: list[Result] = []
    score: float = 0.0
    model_version: str = ""


class _Task(msgspec.Struct, frozen=True):
    data: dict[str, Any]
    predictions: list[Prediction] = []
    meta: dict[str, Any] = {}


class TaskLine(NamedTuple):
    """One line of the output: `content` without its newline, `end` the offset in bytes behind it.

    `job_id` is the key by which Label Studio is asked whether it has the task; `etag` is that of
    the recording's content, "" where it is not known, and `size` its bytes. `part` is what of the
    recording it has, None for a line that is not cut yet.
    """

    content: bytes
    end: int
    job_id: str
    data: dict[str, Any]
    predictions: list[Prediction]
    etag: str = ""
    size: int | None = None
    part: Part | None = None

    @property
    def recording(self) -> str:
        """What it is a task of: the audio with its content, or where there is none the job."""
        audio = self.data.get("audio")
        return f"{audio} {self.etag}" if isinstance(audio, str) else self.job_id

    @property
    def score(self) -> float:
        """That of the first prediction, 0 when there is none."""
        return self.predictions[0].score if self.predictions else 0.0


_decode = msgspec.json.Decoder(_Task).decode


def task_lines(lines: Iterable[bytes], after: int = 0) -> Iterator[TaskLine]:
    """The lines that follow the first `after` bytes of the output.

    Raises:
        OutputUnusable: one is no task of ours.
    """
    end = after
    for line in lines:
        begin, end = end, end + len(line) + 1
        try:
            task = _decode(line)
        except Exception as error:
            raise OutputUnusable(
                f"The output's line at byte {begin:,} is no task: {error}",
                f"See it with `tail -c +{begin + 1} FILE | head -1`.",
            ) from error
        job_id = task.data.get("job_id")
        if not isinstance(job_id, str) or not job_id:
            raise OutputUnusable(
                f"The output's task at byte {begin:,} has no data.job_id, by which it could be "
                "looked up",
                "Rewrite the tasks with `transcribe-pipeline run SOURCE --rebuild-output`.",
            )
        etag, size = str(task.meta.get("etag") or ""), task.meta.get("size")
        known_size = size if isinstance(size, int) else None
        yield TaskLine(line, end, job_id, task.data, task.predictions, etag, known_size)


def parts_of(line: TaskLine, cuts: Sequence[float]) -> list[TaskLine]:
    """The tasks of a line's parts, cut at these seconds; without cuts the one task."""
    if not cuts:
        return [line._replace(content=uncut(line.content), part=Part(line.job_id))]
    cut = in_parts(line.content, cuts)
    return [line._replace(content=content, part=part) for part, content in cut]


def named(line: TaskLine, model_version: str) -> bytes:
    """The task with its predictions under the one name that a project shows; "" leaves their own.

    Label Studio (1.23) shows the predictions of one model version under "Label All Tasks", and for
    every other task opens an empty editor. The name that they had goes into `data.model_version`.
    """
    own = {each.model_version for each in line.predictions}
    if not model_version or own <= {model_version}:
        return line.content
    task = orjson.loads(line.content)
    task["data"]["model_version"] = line.predictions[0].model_version
    for prediction in task["predictions"]:
        prediction["model_version"] = model_version
    return orjson.dumps(task)


def batches(lines: Iterable[TaskLine]) -> Iterator[list[TaskLine]]:
    """Lines to be sent together: bounded by count, bytes, and the length of the question for them.

    A line that is over a bound by itself is a batch of its own. A recording, or a part of it, is in
    a batch once: its second task finds the first one at the server.
    """
    batch: list[TaskLine] = []
    recordings: set[tuple[str, Part | None]] = set()
    size = query = _BRACKETS
    for line in lines:
        more, longer = len(line.content) + _COMMA, id_length(line.job_id)
        full = len(batch) == MOST_TASKS or size + more > MOST_BYTES or query + longer > MOST_QUERY
        recording = line.recording, line.part
        if batch and (full or recording in recordings):
            yield batch
            batch, size, query = [], _BRACKETS, _BRACKETS
            recordings.clear()
        batch.append(line)
        recordings.add(recording)
        size += more
        query += longer
    if batch:
        yield batch


def id_length(job_id: str) -> int:
    """Characters that a job id takes in an address, at most."""
    return len(quote(as_query(job_id))) + _MORE_THAN_AN_ID
