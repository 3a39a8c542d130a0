"""What parts say of the recordings that they have tasks of, once more without their runs."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.config.metadata import others
from pipeline.errors import StateUnusable
from pipeline.model import Recording
from pipeline.naming import parse_job_name, parse_s3_uri
from pipeline.s3_output.checkpoint import fetch
from pipeline.s3_output.claim import described
from pipeline.state.parts import Written
from pipeline.state.reader import read_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.aws.s3 import S3
    from pipeline.config.metadata import Values
    from pipeline.s3_output.claim import Description
    from pipeline.s3_output.layout import Layout
    from pipeline.state.run_state import RunState

_AT_ONCE = 10_000


class _Data(msgspec.Struct, gc=False):
    audio: str
    job_id: str
    language: str = ""
    languages: list[msgspec.Raw] = []


class _Meta(msgspec.Struct, gc=False):
    etag: str
    size: int


class _Prediction(msgspec.Struct, gc=False):
    model_version: str = ""


class _Task(msgspec.Struct, gc=False):
    data: msgspec.Raw
    meta: _Meta
    predictions: list[_Prediction] = []


class _Known(NamedTuple):
    """What a task says: of what it is, what else is known of that, and what predicted it."""

    written: Written
    metadata: Values
    model_version: str


_TASK = msgspec.json.Decoder(_Task)
_DATA = msgspec.json.Decoder(_Data)


class Origin(NamedTuple):
    """What the tasks were made of; `fingerprints` are of the settings of their jobs."""

    description: Description
    fingerprints: list[str]


async def read_origin(s3: S3, layout: Layout) -> Origin:
    """Read what the output is of, and what the copies of all states know of the jobs' settings.

    A copy that is lost or damaged leaves them to today's settings.

    Raises:
        OutputUnusable: nothing says what the output is of, or it can't be read.
    """
    description = await described(s3, layout.description)
    fingerprints: dict[str, None] = {}
    async for page in s3.pages(layout.states):
        for each in page:
            with suppress(StateUnusable), TemporaryDirectory() as folder:
                path = Path(folder) / "copy"
                await fetch(s3, layout.states._replace(key=each.key), path, each.etag)
                with read_state(path) as state:
                    fingerprints |= dict.fromkeys(state.facts.earlier_fingerprints())
    return Origin(description, list(fingerprints))


def note_written(state: RunState, origin: Origin, lines: Iterator[bytes]) -> None:
    """Have a new state file be that of a run which has written these tasks.

    Those of another source are left out; of a recording that was written more than once the last
    one counts.
    """
    of = origin.description
    state.begin(of.source, of.results)
    state.facts.remember_fingerprints(origin.fingerprints)
    model_version = ""
    known = (task for line in lines if (task := _known(line, of.prefix)))  # holds no two lines
    while tasks := list(islice(known, _AT_ONCE)):
        state.parts.note_tasks(task.written for task in tasks)
        state.metadata.note(
            [(task.written.recording.key, msgspec.json.encode(task.metadata)) for task in tasks]
        )
        model_version = tasks[-1].model_version
    state.output.describe(of.kind, model_version)


def _known(line: bytes, name_prefix: str) -> _Known | None:
    try:
        task = _TASK.decode(line)
        data, metadata = _DATA.decode(task.data), others(msgspec.json.decode(task.data))
    except Exception:  # noqa: BLE001 # anybody may have put it there
        return None
    place, job = parse_s3_uri(data.audio), parse_job_name(name_prefix, data.job_id)
    if not (place and job):
        return None
    recording = Recording(place.key, task.meta.etag, task.meta.size)
    model_version = task.predictions[0].model_version if task.predictions else ""
    language = "" if data.languages else data.language
    return _Known(Written(recording, *job, language), metadata, model_version)
