"""Transcripts as texts to be searched: which are not in the index yet, and what goes into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import StateUnusable
from pipeline.stages.large_work import LargeWork
from pipeline.transcripts.searchable import searchable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.metadata import Values
    from pipeline.model import Job
    from pipeline.state.search_index import SearchIndex
    from pipeline.transcripts.render import Transcribed

_MANY_WORDS = 1_000
"""Above that it takes more than a millisecond."""

_TOGETHER = 20_000
"""Characters that are put into the index in one commit, which takes it 5 ms."""


class DueText(NamedTuple):
    """A recording whose text is not in the index."""

    job: Job


class IndexedTranscripts:
    """What becomes of transcripts in the search index; `written` counts those that are put there.

    `note` is told when a run can't put any more there.
    """

    hold_metadata = False

    def __init__(self, index: SearchIndex, note: Callable[[str], None]) -> None:
        self._index = index
        self._note = note
        self._is_whole = True
        self._large_work = LargeWork()
        self._texts: list[tuple[Job, str, bytes]] = []
        self._characters = 0
        self.written = 0

    def due(self, jobs: Sequence[Job], _: Sequence[Values]) -> list[DueText]:
        """The recordings of a page that are not in the index."""
        return [DueText(each) for each in self._index.due(jobs)]

    async def write(self, due: DueText, of: Transcribed) -> tuple[()]:
        """Put one into the index soon, where nothing is ever in its place.

        Raises:
            CannotRun: the index can't be used.
        """
        text, times = await self._large_work.do(
            lambda: searchable(of.transcript), large=of.transcript.word_count > _MANY_WORDS
        )
        self._texts.append((due.job, text, times))
        self._characters += len(text)
        if self._characters >= _TOGETHER:
            self.flush()
        return ()

    async def write_new(self, of: Transcribed, _: Values) -> tuple[()]:
        """Put one that was just transcribed into the index, as long as that can be used.

        A run goes on without, and notes it.
        """
        if self._is_whole:
            try:
                await self.write(DueText(of.job), of)
                self.flush()
            except StateUnusable as error:
                self._is_whole = False
                self._note(f"The search index lacks transcripts of this run. {error}")
        return ()

    def flush(self) -> None:
        """Commit what is not there yet."""
        texts, self._texts, self._characters = self._texts, [], 0
        self._index.put(texts)
        self.written += len(texts)
