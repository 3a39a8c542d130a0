"""The search index of a run: brought up to date from the results, or kept up while it runs."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import CannotRun, NoFullTextSearch
from pipeline.failures import BROKEN_TRANSCRIPT, LOST
from pipeline.files import locked
from pipeline.launch.event_loop import interruptible
from pipeline.launch.transcripts import stored_transcripts
from pipeline.naming import parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config.schema import Config
    from pipeline.launch.rebuild import Written
    from pipeline.model import Job
    from pipeline.stages.indexed_transcripts import IndexedTranscripts
    from pipeline.stages.stored_transcripts import Told
    from pipeline.state.reader import StateReader
    from pipeline.state.search_index import SearchIndex

NOT_KEPT = "from a folder, not kept"
_FOR_GOOD = frozenset({LOST, BROKEN_TRANSCRIPT})
"""Reasons for which a transcript is not asked for again."""

_UNSURE = "unsure"
"""Noted for those that are lost until one other is read: another account knows none of them."""


def is_of_a_folder(state: StateReader) -> bool:
    """Whether the run read a folder, whose transcripts are kept nowhere."""
    return parse_s3_uri(state.facts.value("source") or "") is None


async def bring_up_to_date(
    config: Config, run: Written, index: SearchIndex, told: Told
) -> tuple[int | None, dict[str, int]]:
    """Have in the index what is written and not there yet.

    What will never come is noted there; what may come is asked for again by the next call.

    Returns:
        The signal that interrupted it, if any, and how many may still come, by the reason.

    Raises:
        OutputUnusable: another command does the same.
        CannotRun: nothing can be read or written.
    """
    from pipeline.stages.indexed_transcripts import IndexedTranscripts

    lock = index.path.with_name(f"{index.path.name}.lock")
    busy = f"Another search brings the index {index.path} up to date"

    def fail(job: Job, reason: str, why: str) -> None:
        if reason in _FOR_GOOD:
            index.note_lacking(job, _UNSURE if reason == LOST else reason)
        told.failure(job, reason, why)

    with locked(lock, busy, "Wait for it."):
        mark, state = run.mark, run.state
        index.forget_others(state.recordings)
        index.forget_lacking(_UNSURE)
        telling = told._replace(failure=fail)
        async with stored_transcripts(
            config, state, lambda _: IndexedTranscripts(index, told.note), telling
        ) as (stored, sink, _):
            received = await interruptible(partial(stored.write, config.limits.collectors))
        if sink.written:
            index.note_again(_UNSURE, LOST)
        else:
            index.forget_lacking(_UNSURE)
        for_good = _FOR_GOOD if sink.written else _FOR_GOOD - {LOST}
        passing = {why: count for why, count in stored.failed.items() if why not in for_good}
        if not received and not passing:
            index.complete(mark)
    return received, passing


def note_what_was_not_kept(run: Written, index: SearchIndex) -> None:
    """Note of a folder's recordings which have no text: their run did not put it there."""
    mark, state = run.mark, run.state
    index.forget_others(state.recordings)
    for page in state.recordings.written():
        for job in index.due(page):
            index.note_lacking(job, NOT_KEPT)
    index.complete(mark)


@contextmanager
def search_index(
    config: Config, note: Callable[[str], None], *, of_a_folder: bool
) -> Iterator[IndexedTranscripts | None]:
    """The index that a run keeps up: where there is one, and always for a folder.

    Where the transcripts are stored, an index that can't be used holds up no run: the next search
    says what is wrong with it. Nor does a SQLite that makes none, of a folder neither: that is
    noted, as what fails later is.

    Raises:
        CannotRun: the index can't be used, and a folder's transcripts are kept nowhere else.
    """
    from pipeline.state.search_index import index_path, open_index

    path = index_path(config.state_path)
    if not of_a_folder and not path.exists():
        yield None
        return
    from pipeline.stages.indexed_transcripts import IndexedTranscripts

    with ExitStack() as opened:
        try:
            index = opened.enter_context(open_index(path))
        except CannotRun as error:
            if of_a_folder and not isinstance(error, NoFullTextSearch):
                raise
            if of_a_folder:
                note(f"The transcripts of this run can't be searched later. {error}")
            yield None
        else:
            yield IndexedTranscripts(index, note)
