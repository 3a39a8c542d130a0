"""The failed recordings as a file beside the output, for people and for the next command."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import orjson

from pipeline.failures import advice
from pipeline.files import remove, replacing

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.recordings.source import Source
    from pipeline.state.run_state import RunState

FAILURES_BEGIN = b'{"uri":"'
"""What a file of failures begins with."""


def write_failures(path: Path, source: Source, state: RunState, *, listed: bool) -> None:
    """Write one line of JSON for each failed recording, mode 0600.

    Where the source was not `listed` to its end, recordings that have left it can't be told from
    the others, and all are in it.

    The file takes the place of the one before in one step; without failures there is none.

    Raises:
        OutputUnusable: it can't be written.
    """
    failed = state.failures.recordings(ever=not listed)
    first = next(failed, None)
    if first is None:
        remove(path, FAILURES_BEGIN)
        return
    with replacing(path, FAILURES_BEGIN) as file:
        for job, reason, message in chain([first], failed):
            facts = {
                "uri": source.audio_uri(job.recording.key),
                "key": job.recording.key,
                "reason": reason,
                "message": message,
                "advice": advice(reason),
                "attempts": job.attempt,
                "job": job.name,
                "etag": job.recording.etag,
                "size": job.recording.size,
            }
            file.write(orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE))
