"""Transcripts into the search index: together where they can be read again, else one by one."""

from __future__ import annotations

import pytest

from pipeline.model import Job, Recording, Segment, Transcript
from pipeline.stages.indexed_transcripts import DueText, IndexedTranscripts
from pipeline.state.search_index import open_index
from pipeline.transcripts.render import Transcribed


def said(key: str, text: str) -> Transcribed:
    """What was said in one recording."""
    job = Job(1, b"1", "job", Recording(key, "1", 7), 1)
    return Transcribed("", job, Transcript("job", text, (Segment(text, 0.0, 1.0),)))


@pytest.fixture
def path(tmp_path):
    """Where the index is."""
    return tmp_path / "index"


def found(path) -> int:
    """In how many recordings another process finds a word."""
    with open_index(path) as index:
        return index.count(["hello"], 20)


async def test_what_a_run_has_transcribed_is_in_the_index_at_once(path):
    """A folder's transcripts are kept nowhere else, so none waits for the next."""
    with open_index(path) as index:
        sink = IndexedTranscripts(index, print)
        for number in range(3):
            await sink.write_new(said(f"{number}.mp3", "hello"), {})
            assert found(path) == sink.written == number + 1


async def test_what_is_stored_goes_into_the_index_together(path):
    """A commit for each takes longer than the texts, of which it has as many as 5 ms allow."""
    with open_index(path) as index:
        sink = IndexedTranscripts(index, print)
        for number in range(3):
            each = said(f"{number}.mp3", "hello")
            await sink.write(DueText(each.job), each)
        early = found(path)
        sink.flush()
        late = found(path)
        many = said("3.mp3", "hello " * 4_000)
        await sink.write(DueText(many.job), many)

        assert (early, late, found(path), sink.written) == (0, 3, 4, 4)
