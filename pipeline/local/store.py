"""The service's own buckets: transcripts and vocabulary tables that have no bucket of their own.

One anonymous file holds them all: private to this process, and gone with it however it ends.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pipeline.local.errors import no_such_key

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "000000000000"
TRANSCRIPTS = "aws-transcribe-us-east-1-prod"
VOCABULARIES = "aws-transcribe-dictionary-model-us-east-1-prod"


class Store:
    """Files by their path, `/bucket/key`, one after the other in `file`."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._end = 0
        self._places: dict[str, tuple[int, int]] = {}

    def put(self, path: str, content: bytes) -> None:
        """Keep `content` at a path, in place of what was there."""
        self._places[path] = (len(content), self._end)
        os.pwrite(self._file.fileno(), content, self._end)
        self._end += len(content)

    def read(self, path: str) -> bytes:
        """What is kept at a path.

        Raises:
            Refused: nothing is.
        """
        if path not in self._places:
            raise no_such_key()
        return os.pread(self._file.fileno(), *self._places[path])

    def discard(self, path: str) -> None:
        """Forget what is kept at a path, if anything is."""
        self._places.pop(path, None)


@contextmanager
def open_store() -> Iterator[Store]:
    """An empty store, until the context is left."""
    with tempfile.TemporaryFile(prefix="transcripts-") as file:
        yield Store(file)


def transcript_path(job_name: str, number: int, suffix: str = "json") -> str:
    """The path of a job's transcript, or subtitles."""
    return f"/{TRANSCRIPTS}/{ACCOUNT}/{job_name}/{UUID(int=number)}/asrOutput.{suffix}"


def vocabulary_path(name: str) -> str:
    """The path of a vocabulary's table."""
    return f"/{VOCABULARIES}/{ACCOUNT}/{name}/input.txt"
