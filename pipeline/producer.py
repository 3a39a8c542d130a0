"""The first stage: list the source into the state file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.model import Recording
from pipeline.naming import identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.board import Board
    from pipeline.sources import Entry, Selection, Source


async def produce(source: Source, selection: Selection, fingerprint: str, board: Board) -> None:
    """Insert every recording of the source, page by page; count what is skipped, by reason."""
    figures = board.figures
    async for page in source.pages():
        recordings = list(_recordings(page, selection, board))
        board.state.add((each, identity(source.bucket, each, fingerprint)) for each in recordings)
        figures.listed += len(page)
        board.listed()
    board.state.note_skipped(figures.skipped)
    figures.listing_done = True
    board.listed()


def _recordings(page: list[Entry], selection: Selection, board: Board) -> Iterator[Recording]:
    for entry in page:
        reason = selection.why_skipped(entry)
        if reason is None:
            yield Recording(entry.key, entry.etag, entry.size)
        else:
            board.figures.skipped[reason] += 1
