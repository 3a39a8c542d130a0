"""The files of transcripts: which are due, and how they are written, each once."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from pipeline.config.metadata import column_names
from pipeline.errors import OutputUnusable
from pipeline.stages.large_work import LargeWork
from pipeline.stages.metadata_reader import digest
from pipeline.stages.transcript_places import File
from pipeline.transcripts.formats import LAID_OUT, WITH_METADATA, TranscriptFormat
from pipeline.transcripts.render import COLUMNS, Transcribed, render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from pipeline.config.metadata import Metadata, Values
    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job, Transcript
    from pipeline.stages.transcript_places import Place
    from pipeline.state.transcript_ledger import Due, TranscriptLedger
    from pipeline.transcripts.captions import Layout

_MANY_WORDS = 1_000
"""Above that captions take more than a millisecond."""


class TranscriptFiles:
    """Files of some formats below one place; `written` counts those that were not there yet.

    They are called as their recordings, without their extensions. `hold_metadata` tells whether
    one of the formats has the metadata of recordings.
    """

    def __init__(
        self,
        place: Place,
        ledger: TranscriptLedger,
        formats: Sequence[TranscriptFormat],
        layout: Layout,
        metadata: Metadata,
    ) -> None:
        self._place = place
        self._layout = layout
        self._metadata = metadata
        self._columns = column_names(metadata, COLUMNS)
        self._formats = {str(each): layout.name if each in LAID_OUT else "" for each in formats}
        self.hold_metadata = not WITH_METADATA.isdisjoint(formats)
        self.ledger = ledger
        self.written = 0
        self._large_work = LargeWork()

    def due(self, jobs: Sequence[Job], known: Sequence[Values]) -> list[Due]:
        """The recordings of which a file is not written yet, or was made of something else.

        That is another job, another layout, or other metadata as far as it is known of each.
        """
        made_of = map(self._made_of, known)
        return self.ledger.due(list(zip(jobs, made_of, strict=True)))

    def _made_of(self, known: Values) -> dict[str, str]:
        if not self.hold_metadata or not (said := digest(self._metadata, known)):
            return self._formats
        return self._formats | {
            name: said for name in self._formats if TranscriptFormat(name) in WITH_METADATA
        }

    async def write_new(self, of: Transcribed, known: Values) -> list[OutputUnusable]:
        """Write those of the recording's files that are due; as `write` else."""
        refused = [await self.write(due, of) for due in self.due([of.job], [known])]
        return [each for errors in refused for each in errors]

    async def write(self, due: Due, of: Transcribed) -> list[OutputUnusable]:
        """Write the recording's files; why some of them could not be.

        Raises:
            CannotRun: nothing can be written there.
        """
        of = of._replace(columns=self._columns)
        files = await self._large_work.do(
            lambda: [self._file(due, each, of) for each in due.formats],
            large=of.transcript.word_count > _MANY_WORDS,
        )
        refused = []
        for wanted, put in zip(due.formats, await self._place.put(files), strict=True):
            if isinstance(put, OutputUnusable):
                refused.append(put)
                continue
            self.ledger.note(due, wanted, put.tag)
            self.written += put.is_new
        return refused

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Nothing has to be begun before files are written, or ended after it."""
        return nullcontext()

    def flush(self) -> None:
        """Write down which files are there."""
        self.ledger.flush()

    def _file(self, due: Due, name: str, of: Transcribed) -> File:
        wanted = TranscriptFormat(name)
        content = render(wanted, of, self._layout)
        return File(f"{due.name}{wanted.suffix}", content, due.formats[name])


def transcribed(job: Job, transcript: Transcript, rules: JobRules, metadata: Values) -> Transcribed:
    """The transcript of a job with what is known of its recording."""
    settings = rules.known_of(job)
    given = settings.language if settings else None
    language = next(iter(transcript.languages), given)
    audio = rules.source.audio_uri(job.recording.key)
    return Transcribed(audio, job, transcript, language, metadata)
