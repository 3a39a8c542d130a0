"""Tables whose writer is ended at each step."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.config.metadata import Metadata
from pipeline.errors import OutputUnusable
from pipeline.model import Job, Recording, Segment, Transcript, Word
from pipeline.stages.transcript_places import FolderPlace
from pipeline.state.transcript_ledger import open_ledger
from pipeline.transcripts.render import Transcribed

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.metadata import Values

WORDS = (Word("Hello", 0.5, 0.9, 0.98), Word("\ud800.", 1.0, 1.5))
DAYS = {1: 0.0, 2: 86_400.0}


class KilledError(BaseException):
    """As if the process were no more."""


class PlaceToDie(FolderPlace):
    """A folder whose writer ends before or after a file is put there, or before one is read."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self._left = left

    async def put(self, files):
        """Put it there between two steps."""
        self._step()
        done = await super().put(files)
        self._step()
        return done

    async def read(self, name):
        """Read it after a step."""
        self._step()
        return await super().read(name)

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


async def write(folder: Path, left: int, agent: str = "") -> None:
    """One call, which may end before; an agent may be known from a manifest."""
    from pipeline.stages.transcript_tables import TranscriptTables

    metadata = Metadata(source="manifest" if agent else "", columns=["agent"])
    known: Values = {"agent": agent} if agent else {}
    with open_ledger(folder / "ledger") as ledger:
        place = PlaceToDie(folder / "tables", left)
        tables = TranscriptTables(place, ledger, metadata, lambda _: DAYS)
        async with tables.writing():
            everything = {of.job: of._replace(metadata=known) for of in recordings()}
            for due in tables.due(list(everything), [known, known]):
                await tables.write(due, everything[due.job])


def written(folder: Path, left: int = 0, agent: str = "") -> dict[str, bytes]:
    """The files below a folder after one call."""
    asyncio.run(write(folder, left, agent))
    files = (folder / "tables").rglob("*.parquet")
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


def test_what_is_there_is_learned_whole_or_not_at_all(tmp_path):
    """Of two files of recordings one is read when it is killed: the next call adds no row."""
    whole = written(tmp_path)
    (tmp_path / "ledger").unlink()
    with pytest.raises(KilledError):
        written(tmp_path, 2)

    assert written(tmp_path) == whole


@pytest.mark.parametrize("step", range(1, 13))
def test_decided_files_that_are_lost_are_made_again(tmp_path, step):
    """What lies there without its recordings is named; once it is gone, each row is there once."""
    with pytest.raises(KilledError):
        written(tmp_path, step)
    assert (tmp_path / "ledger.parts").stat().st_mode & 0o777 == 0o700
    shutil.rmtree(tmp_path / "ledger.parts")

    while (files := written_or_named(tmp_path)) is None:
        pass

    rows = [
        rec for name, content in files.items() if "/recordings/" in name for rec in keys(content)
    ]
    assert sorted(rows) == ["1.mp3", "2.mp3"]
    assert len(files) == 6
    assert written(tmp_path) == files


def written_or_named(folder: Path) -> dict[str, bytes] | None:
    """The files after one call; None where it named one to take away, which is gone then."""
    try:
        return written(folder)
    except OutputUnusable as error:
        (folder / "tables" / str(error).partition(" below ")[0]).unlink()
    return None


def keys(content: bytes) -> list[str]:
    """The recordings of a file."""
    from pipeline.transcripts.tables import written_rows

    return [key for key, *_ in written_rows(content)]


def test_metadata_that_changes_after_a_lost_ledger_gets_its_rows(tmp_path):
    """What is there says which metadata it has: the same adds no row, others one each."""
    first = written(tmp_path, agent="a")
    (tmp_path / "ledger").unlink()

    assert written(tmp_path, agent="a") == first
    assert len(written(tmp_path, agent="b")) == len(first) + 2
