"""Tables that grow from several sides, by more rows than are compressed at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipeline.config.metadata import Metadata
from pipeline.model import Job, Recording, Segment, Transcript, Word
from pipeline.stages.transcript_places import FolderPlace
from pipeline.state.transcript_ledger import open_ledger
from pipeline.transcripts.render import Transcribed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.tables

WORDS, RECORDINGS, AT_ONCE = 1_100, 60, 8


def recordings() -> list[Transcribed]:
    """Of two segments each, which differ in their words."""
    jobs = [Job(n, b"", f"job-{n}", Recording(f"{n:03}.mp3", "e", 7)) for n in range(RECORDINGS)]
    made = []
    for job in jobs:
        words = [Word(f"w{job.row}-{n}", n, n + 0.5, 0.9) for n in range(WORDS)]
        halves = (tuple(words[: WORDS // 2]), tuple(words[WORDS // 2 :]))
        segments = tuple(
            Segment(" ".join(each.text for each in half), half[0].start, half[-1].end, words=half)
            for half in halves
        )
        said = " ".join(each.text for each in segments)
        made.append(Transcribed(f"s3://b/{job.row}.mp3", job, Transcript(job.name, said, segments)))
    return made


async def write(folder: Path, everything: Sequence[Transcribed]) -> None:
    """All of them, several at once."""
    from pipeline.stages.transcript_tables import TranscriptTables

    with open_ledger(folder / "ledger") as ledger:
        place = FolderPlace(folder / "tables")
        moments = dict.fromkeys(range(RECORDINGS), 0.0)
        tables = TranscriptTables(place, ledger, Metadata(), lambda _: moments)
        of = {each.job: each for each in everything}
        async with tables.writing():
            waiting = iter(tables.due(list(of), [{}] * len(of)))

            async def worker() -> None:
                for due in waiting:
                    await tables.write(due, of[due.job])

            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def test_rows_that_come_from_several_sides_are_each_there_once(tmp_path):
    """Compressed beside the event loop, in pieces: every word is in one row, with its own job."""
    import pyarrow.parquet as pq

    everything = recordings()

    asyncio.run(write(tmp_path, everything))

    [path] = (tmp_path / "tables").glob("words/*/*.parquet")
    file = pq.ParquetFile(path)
    rows = file.read(["job_id", "segment", "word", "text"]).to_pylist()
    assert file.num_row_groups > 3
    assert Counter((row["job_id"], row["segment"], row["word"], row["text"]) for row in rows) == {
        (each.job.name, number, place, word.text): 1
        for each in everything
        for number, segment in enumerate(each.transcript.segments)
        for place, word in enumerate(segment.words)
    }
