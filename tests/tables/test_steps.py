"""Tables whose writer is ended at each step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline.config.metadata import Metadata
from pipeline.model import Job, Recording, Segment, Transcript, Word
from pipeline.stages.transcript_places import FolderPlace
from pipeline.state.transcript_ledger import open_ledger
from pipeline.transcripts.render import Transcribed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.tables

WORDS = (Word("Hello", 0.5, 0.9, 0.98), Word("\ud800.", 1.0, 1.5))
DAYS = {1: 0.0, 2: 86_400.0}


class KilledError(BaseException):
    """As if the process were no more."""


class PlaceToDie(FolderPlace):
    """A folder whose writer ends before or after a file is put there."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self._left = left

    async def put(self, files):
        """Put it there between two steps."""
        self._step()
        done = await super().put(files)
        self._step()
        return done

    def _step(self) -> None:
        self._left -= 1
        if not self._left:
            raise KilledError


def recordings() -> list[Transcribed]:
    """Two, of two days."""
    jobs = [Job(row, b"", f"job-{row}", Recording(f"{row}.mp3", "e", 7)) for row in DAYS]
    heard = Segment("Hello \ud800.", 0.5, 1.5, "spk_0", words=WORDS)
    return [
        Transcribed(f"s3://b/{job.row}.mp3", job, Transcript(job.name, heard.text, (heard,), 2))
        for job in jobs
    ]


async def write(folder: Path, left: int) -> None:
    """One call, which may end before."""
    from pipeline.stages.transcript_tables import TranscriptTables

    with open_ledger(folder / "ledger") as ledger:
        place = PlaceToDie(folder / "tables", left)
        tables = TranscriptTables(place, ledger, Metadata(), lambda _: DAYS)
        async with tables.writing():
            everything = {of.job: of for of in recordings()}
            for due in tables.due(list(everything), [{}, {}]):
                await tables.write(due, everything[due.job])


def written(folder: Path, left: int = 0) -> dict[str, bytes]:
    """The files below a folder after one call."""
    asyncio.run(write(folder, left))
    files = folder.rglob("*.parquet")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_wherever_it_is_killed_the_next_call_puts_the_same_bytes_there(tmp_path):
    """Six files are put there, and nothing is left beside the ledger."""
    (tmp_path / "whole").mkdir()
    whole = written(tmp_path / "whole")
    assert len(whole) == 6

    for step in range(1, 13):
        folder = tmp_path / str(step)
        folder.mkdir()
        with pytest.raises(KilledError):
            written(folder, step)

        assert written(folder) == whole
        assert written(folder, 1) == whole  # nothing is put any more
