"""The failed recordings as a file beside the output, for people and for the next command."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from pipeline.failures import advice
from pipeline.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.sources import Source
    from pipeline.state import State


def write_failures(path: Path, source: Source, state: State) -> None:
    """Write one line of JSON for each failed recording of the last selection, mode 0600.

    The file takes the place of the one before in one step; without failures there is none.

    Raises:
        OutputUnusable: it can't be written.
    """
    if not state.failures():
        with suppress(FileNotFoundError):
            path.unlink()
        return
    with replacing(path) as file:
        for job, reason, words in state.failed_recordings():
            facts = {
                "uri": source.audio_uri(job.recording.key),
                "key": job.recording.key,
                "reason": reason,
                "words": words,
                "advice": advice(reason),
                "attempts": job.attempt,
                "job": job.name,
                "etag": job.recording.etag,
                "size": job.recording.size,
            }
            file.write(orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE))
