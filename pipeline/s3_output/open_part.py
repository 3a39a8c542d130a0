"""The local file of an output on S3: lines that are committed here, and in no part yet.

The open part begins where the state file says and ends at the committed size. Once it is sealed the
file is empty again; where another run has sealed some of its recordings first, the others' lines
are written once more behind it, and the open part begins there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

from pipeline.errors import OutputUnusable
from pipeline.naming import parse_job_name
from pipeline.stages.output_file import Output

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pipeline.s3_output.layout import Part
    from pipeline.stages.output_file import OutputFile
    from pipeline.state.run_state import RunState

_MENDING = (
    "Go on without it with --rebuild-state, which puts it aside: what is sealed is taken up, and "
    "the other transcripts are read again."
)


class OpenPart(Output):
    """The open part of one shard; `name_prefix` is what the names of its jobs begin with."""

    def __init__(self, file: OutputFile, state: RunState, name_prefix: str) -> None:
        try:
            super().__init__(file, state)
        except OutputUnusable as error:
            if "--rebuild-output" in error.advice:
                raise OutputUnusable(error.problem, _MENDING) from error
            raise
        self._name_prefix = name_prefix

    @property
    def size(self) -> int:
        """Bytes that are in no part yet."""
        return self._state.facts.output_size - self._state.parts.open_from

    def content(self, most: int | None = None) -> bytes:
        """The lines that are in no part yet; at most so many bytes, but one line at least."""
        begin = self._state.parts.open_from
        whole = os.pread(self._file, self.size, begin)
        if most is None or len(whole) <= most:
            return whole
        end = whole.rfind(b"\n", 0, most) + 1 or whole.index(b"\n") + 1
        return whole[:end]

    def sealed(self, part: Part, etag: str, size: int) -> None:
        """So many bytes of the open part are that part now: another one begins behind them."""
        with self.checkpoint():
            self._state.parts.note(part.name, etag)
            if size == self.size:
                self._begin_anew()
            else:
                self._state.parts.open_at(self._state.parts.open_from + size)
        self._cut_durably()

    def written_by(self, parts: Mapping[Part, str], identities: Collection[bytes]) -> None:
        """Another run has sealed these recordings: their lines here are not wanted any more.

        `parts` are the ETags of the parts that they are in.
        """
        lines, prefix = self._lines(), self._name_prefix
        kept = b"".join(line for line in lines if identity_of(line, prefix) not in identities)
        with self.checkpoint():
            fresh = self._state.parts.note_written(list(identities))
            for part, etag in parts.items():
                self._state.parts.note(part.name, etag)
            if not kept:
                self._begin_anew()
            elif len(kept) < self.size:
                self._state.parts.open_at(self._state.facts.output_size)
                self.extend([kept], 0)
            self.extend([], fresh)
        self._cut_durably()

    def _cut_durably(self) -> None:
        """A power cut must not take back the commit by which the file became shorter."""
        self._state.output.begin()
        self._cut()

    def _begin_anew(self) -> None:
        self._state.parts.open_at(0)
        self.empty()

    def _lines(self) -> list[bytes]:
        return self.content().splitlines(keepends=True)


def identities_of(content: bytes, name_prefix: str) -> set[bytes]:
    """Whose tasks of this source a part has."""
    found = (identity_of(line, name_prefix) for line in content.splitlines())
    return set(filter(None, found))


def identity_of(line: bytes, name_prefix: str) -> bytes:
    """The identity of the recording that a task is of, b"" where it is none of ours.

    The names of this source's jobs begin with `name_prefix`.
    """
    try:
        found = parse_job_name(name_prefix, orjson.loads(line)["data"]["job_id"])
    except Exception:  # noqa: BLE001 # anybody may have put it there
        return b""
    return found[0] if found else b""
