"""Transcripts as tables that grow: which are due, and how their files are put there, each once.

A batch of transcripts becomes its files beside the ledger, is decided there, and then put in its
place. What a kill leaves in between is put there by the next call, byte for byte.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from pipeline.errors import OutputUnusable, RecordingFailed
from pipeline.files import replacing, writing
from pipeline.net.retry import never_deferred
from pipeline.stages.metadata_reader import digest, digest_of_whole
from pipeline.stages.transcript_places import File
from pipeline.state.table_ledger import TableLedger
from pipeline.transcripts.tables import Row, TableBatch, written_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from pipeline.config.metadata import Metadata, Values
    from pipeline.model import Job
    from pipeline.stages.transcript_places import Place
    from pipeline.state.database import Database
    from pipeline.state.table_ledger import DueRow
    from pipeline.transcripts.render import Transcribed

_RECORDINGS = "recordings/"
_TABLES = ("words/", "segments/", _RECORDINGS)
_AT_ONCE = 500
"""Rows of the ledger that are written at once: 2 ms; all of a batch would be 30."""


class TranscriptTables:
    """The data set below one place; `written` counts the files that were put there.

    `moments` tells when jobs were transcribed, in seconds since the epoch by their rows.
    """

    hold_metadata = True

    def __init__(
        self,
        place: Place,
        ledger: Database,
        metadata: Metadata,
        moments: Callable[[Sequence[Job]], dict[int, float]],
    ) -> None:
        self._place = place
        self._metadata = metadata
        self._moments = moments
        self._decided_in = ledger.path.with_name(f"{ledger.path.name}.parts")
        self._turn, self._adding = asyncio.Lock(), asyncio.Lock()
        self._batch = TableBatch(metadata)
        self._rows: list[DueRow] = []
        self.ledger = TableLedger(ledger, place.name)
        self.written = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Put there what an earlier call has decided; at the end, what is left of this one.

        Raises:
            CannotRun: it can't be put there, or nobody knows what is there.
        """
        with never_deferred("the tables were written"):
            await self._begin()
            await self._put()
        yield
        await self._decide()

    async def _begin(self) -> None:
        """Know what is there: by the ledger, or by the files where it has not all that it needs.

        All of them or none: of half of them the other half would be due again.
        """
        decided = self.ledger.unwritten()
        with writing(self._decided_in):
            is_whole = all(self._here(each).exists() for each in decided)
        with self.ledger.all_or_nothing():
            if not is_whole:  # lost, or put there before a power cut
                self.ledger.forget()
            if self.ledger.is_empty():
                await self._adopt()
        if not is_whole:
            with writing(self._decided_in):
                for each in decided:
                    self._here(each).unlink(missing_ok=True)

    def due(self, jobs: Sequence[Job], known: Sequence[Values]) -> list[DueRow]:
        """The transcripts that are in no table, or with other metadata as far as it is known."""
        return self.ledger.due(jobs, [digest(self._metadata, each) for each in known])

    async def write(self, due: DueRow, of: Transcribed) -> list[OutputUnusable]:
        """Add a transcript to the tables, which are written when there are enough.

        Raises:
            CannotRun: they can't be.
        """
        moment = self._moments([due.job])[due.job.row]
        async with self._adding:
            self._batch.add(Row(of, due.version, moment, due.whole))
            self._rows.append(due)
            if self._batch.is_long:  # nobody adds to it meanwhile, so nobody decides it either
                await asyncio.to_thread(self._batch.compress)
        if self._batch.is_full:
            await self._decide()
        return []

    def flush(self) -> None:
        """What is decided is written down; the rest is left to the end of `writing`."""

    async def _decide(self) -> None:
        batch, self._batch = self._batch, TableBatch(self._metadata)
        rows, self._rows = self._rows, []
        if not rows:
            return
        async with self._turn:
            parts = await asyncio.to_thread(lambda: list(self._kept(batch)))
            with self.ledger.deciding(parts):
                for first in range(0, len(rows), _AT_ONCE):
                    self.ledger.note(rows[first : first + _AT_ONCE])
                    await asyncio.sleep(0)
            with never_deferred("the tables were written"):
                await self._put()

    def _kept(self, batch: TableBatch) -> list[str]:
        names = []
        with writing(self._decided_in):
            self._decided_in.mkdir(mode=0o700, exist_ok=True)
        for part in batch.parts():
            with replacing(self._here(part.name), b"") as file:
                file.write(part.content)
            names.append(part.name)
        return names

    def _here(self, name: str) -> Path:
        return self._decided_in / f"{self.ledger.number}-{quote(name, safe='=')}"

    async def _put(self) -> None:
        for name in self.ledger.unwritten():
            here = self._here(name)
            with writing(here):
                content = await asyncio.to_thread(here.read_bytes)
            [put] = await self._place.put([File(name, content)])
            if isinstance(put, OutputUnusable):
                raise put
            self.ledger.is_there(name)
            self.written += put.is_new
            here.unlink(missing_ok=True)

    async def _adopt(self) -> None:
        """Learn from the files of recordings which transcripts are there.

        Raises:
            OutputUnusable: a file is no file of ours, or its machine was lost before its last one.
        """
        listed = [name for each in _TABLES for name in await self._place.names(each)]
        names = [name for name in listed if name.endswith(".parquet")]
        there = {name.removeprefix(_RECORDINGS) for name in names if name.startswith(_RECORDINGS)}
        for name in names:
            if name.partition("/")[2] not in there:
                raise OutputUnusable(
                    f"{name} below {self._place.name} has no recordings: its writer has not "
                    "ended, and what was decided then is not here",
                    "End it where it began, or take that file away.",
                )
            if not name.startswith(_RECORDINGS):
                continue
            try:
                self.ledger.adopt(self._rows_of(await self._place.read(name) or b""), name)
            except (ValueError, RecordingFailed) as error:
                raise OutputUnusable(
                    f"{name} below {self._place.name} can't be read: {error}",
                    "Name another place for the tables.",
                ) from error

    def _rows_of(self, content: bytes) -> Iterator[tuple[str, int, str, str]]:
        for key, version, job, said in written_rows(content):
            values = orjson.loads(said or b"{}")
            known = values if isinstance(values, dict) else {}
            yield key, version, job, digest_of_whole(self._metadata, known)
