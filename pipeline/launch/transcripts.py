"""`transcripts` from its settings to its end: files from the results that runs have written."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pipeline.launch.ending import ended
from pipeline.launch.rebuild import with_results
from pipeline.launch.services import services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.naming import S3Uri
    from pipeline.stages.stored_transcripts import Sink, StoredTranscripts, Told
    from pipeline.stages.transcript_files import TranscriptFiles
    from pipeline.stages.transcript_places import Place
    from pipeline.stages.transcript_tables import TranscriptTables
    from pipeline.state.database import Database
    from pipeline.state.reader import StateReader
    from pipeline.transcripts.captions import Layout
    from pipeline.transcripts.formats import TranscriptFormat


S = TypeVar("S", bound="Sink")

_OF_A_FOLDER = "Run the folder again with --transcripts, and another --output."


class Wanted(NamedTuple):
    """Which files are wanted, and where; `again` writes those that are written as well.

    Without a format they are those of tables.
    """

    to: S3Uri | Path
    formats: tuple[TranscriptFormat, ...]
    layout: Layout
    again: bool = False


class Ended(NamedTuple):
    """What was done in how many seconds, and how it ended.

    `written` counts files that were not there as they are now, `known` all that are noted below
    the place, `failed` recordings that lack one, by the class of the reason.
    """

    recordings: int
    written: int
    known: int
    failed: dict[str, int]
    calls: dict[str, int]
    seconds: float
    exit_code: int = 0
    stopped: str = ""
    problem: str = ""
    advice: str = ""


async def write_transcripts(
    config: Config, state: StateReader, ledger: Database, wanted: Wanted, told: Told
) -> Ended:
    """Write the files that are due, until it is done or must end.

    Raises:
        StateUnusable: the run read a folder.
        CannotRun: the services can't be reached.
    """
    begun = time.monotonic()

    def files_at(s3: S3) -> TranscriptFiles | TranscriptTables:
        if not wanted.formats:
            return _tables(config, s3, ledger, wanted, state)
        files = _files(config, s3, ledger, wanted)
        if wanted.again:
            files.ledger.forget()
        return files

    async with stored_transcripts(config, state, files_at, told) as (stored, files, calls):
        end = await ended(partial(_written, stored, files, config.limits.collectors))
        known = files.ledger.written()
    if not end.exit_code and stored.failed:
        end = end._replace(exit_code=1)
    counts = stored.seen, files.written, known, dict(stored.failed), calls()
    return Ended(*counts, time.monotonic() - begun, *end)


async def _written(
    stored: StoredTranscripts, files: TranscriptFiles | TranscriptTables, at_once: int
) -> None:
    async with files.writing():
        await stored.write(at_once)


@asynccontextmanager
async def stored_transcripts(
    config: Config, state: StateReader, sink_at: Callable[[S3], S], told: Told
) -> AsyncIterator[tuple[StoredTranscripts, S, Callable[[], dict[str, int]]]]:
    """The transcripts of a run, to be read into a sink, which may be on S3.

    Yields:
        Them, the sink, and how many calls were made of each operation.

    Raises:
        StateUnusable: the run read a folder.
        CannotRun: the services can't be reached.
    """
    from pipeline.jobs.client import Transcriber
    from pipeline.jobs.rules import JobRules
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes
    from pipeline.stages.metadata_reader import MetadataReader
    from pipeline.stages.results import Results
    from pipeline.stages.stored_transcripts import StoredTranscripts

    waiting = WaitTimes()
    config = with_results(config, state)
    place = state.place_on_s3("transcripts are kept", _OF_A_FOLDER)
    async with services(config, place, waiting) as (_, source, session, s3):
        sink = sink_at(s3)
        transcriber = Transcriber(session, config.limits, waiting, JobSlots(1, waiting))
        rules = JobRules(config, source, state.facts.earlier_fingerprints())
        results = Results(state.facts, transcriber, s3, rules)
        reader = MetadataReader(config.metadata, state.metadata, rules, told.note)
        operations = (*transcriber.operations, *s3.operations)
        yield (
            StoredTranscripts(state.recordings, results, reader, sink, told),
            sink,
            lambda: {each.name: each.calls for each in operations if each.calls},
        )


@contextmanager
def transcript_files(
    config: Config, s3: S3, wanted: Wanted | None
) -> Iterator[TranscriptFiles | None]:
    """The files that a run writes beside its tasks; none where none are wanted.

    Raises:
        CannotRun: they can't be written, or another command writes them.
    """
    if wanted is None:
        yield None
        return
    from pipeline.state.transcript_ledger import ledger_path, open_ledger

    with open_ledger(ledger_path(config.state_path)) as ledger:
        files = _files(config, s3, ledger, wanted)
        try:
            yield files
        finally:
            files.ledger.flush()


def _files(config: Config, s3: S3, ledger: Database, wanted: Wanted) -> TranscriptFiles:
    from pipeline.recordings.formats import known_extensions
    from pipeline.stages.transcript_files import TranscriptFiles
    from pipeline.state.transcript_ledger import TranscriptLedger
    from pipeline.transcripts.file_names import Stems
    from pipeline.transcripts.formats import SUFFIXES

    place = _place(wanted.to, s3)
    names = Stems(known_extensions(config.input.extensions), SUFFIXES, folds=place.folds)
    noted = TranscriptLedger(ledger, place.name, names)
    return TranscriptFiles(place, noted, wanted.formats, wanted.layout, config.metadata)


def _tables(
    config: Config, s3: S3, ledger: Database, wanted: Wanted, state: StateReader
) -> TranscriptTables:
    from pipeline.stages.transcript_tables import TranscriptTables

    place = _place(wanted.to, s3)
    return TranscriptTables(place, ledger, config.metadata, state.recordings.moments)


def _place(to: S3Uri | Path, s3: S3) -> Place:
    from pipeline.stages.transcript_places import BucketPlace, FolderPlace

    return BucketPlace(to, s3) if isinstance(to, tuple) else FolderPlace(to)
