"""Files of transcripts, where names that differ in case alone are one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.metadata import Metadata
from pipeline.model import Job, Recording, Segment, Transcript
from pipeline.recordings.formats import known_extensions
from pipeline.stages.transcript_files import TranscriptFiles
from pipeline.stages.transcript_places import FolderPlace
from pipeline.state.transcript_ledger import TranscriptLedger, open_ledger
from pipeline.transcripts.captions import Layout
from pipeline.transcripts.file_names import Stems
from pipeline.transcripts.formats import SUFFIXES, TranscriptFormat
from pipeline.transcripts.render import Transcribed

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.errors import OutputUnusable

KEYS = ("Calls/Meier.mp3", "calls/meier.mp3", "calls/MEIER.wav", "calls/other.mp3")
FORMATS = tuple(TranscriptFormat)


class Folding(FolderPlace):
    """A folder as on the disks of macOS and Windows."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folds = True

    async def put(self, files):
        """Every name is the same in capitals."""
        return await super().put([each._replace(name=each.name.lower()) for each in files])


async def written(folder: Path) -> list[OutputUnusable]:
    """One call; why some files could not be written."""
    with open_ledger(folder / "ledger") as ledger:
        place = Folding(folder / "texts")
        names = Stems(known_extensions({}), SUFFIXES, folds=place.folds)
        noted = TranscriptLedger(ledger, place.name, names)
        files = TranscriptFiles(place, noted, FORMATS, Layout(), Metadata())
        jobs = [Job(n, b"", f"job-{n}", Recording(key, "e", 7)) for n, key in enumerate(KEYS)]
        refused = []
        for due in files.due(jobs, [{} for _ in jobs]):
            key = due.job.recording.key
            said = Transcript(due.job.name, key, (Segment(key, 0.5, 1.5),), 2)
            refused += await files.write(due, Transcribed(f"s3://b/{key}", due.job, said))
        files.flush()
    return refused


@pytest.mark.parametrize("calls", [1, 2])
async def test_recordings_whose_names_fall_together_have_files_of_their_own(tmp_path, calls):
    """In every format and whatever differs in case; a second call changes none of them."""
    for _ in range(calls):
        assert await written(tmp_path) == []

    texts = [path.read_text() for path in (tmp_path / "texts").rglob("*.txt")]
    assert sorted(texts) == sorted(f"{key}\n" for key in KEYS)
    assert sum(path.is_file() for path in (tmp_path / "texts").rglob("*")) == 4 * len(FORMATS)
