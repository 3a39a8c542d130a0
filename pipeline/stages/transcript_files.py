"""The files of transcripts: which are due, and how they are written, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import OutputUnusable
from pipeline.stages.transcript_places import File
from pipeline.state.transcript_ledger import TranscriptLedger
from pipeline.transcripts.file_names import Stems
from pipeline.transcripts.formats import LAID_OUT, SUFFIXES, TranscriptFormat
from pipeline.transcripts.render import Transcribed, render

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.jobs.rules import JobRules
    from pipeline.model import Job, Transcript
    from pipeline.stages.transcript_places import Place
    from pipeline.state.database import Database
    from pipeline.state.transcript_ledger import Due
    from pipeline.transcripts.captions import Layout


class TranscriptFiles:
    """Files of some formats below one place; `written` counts those that were not there yet.

    They are called as their recordings, without one of these `extensions`.
    """

    def __init__(
        self,
        place: Place,
        ledger: Database,
        formats: Sequence[TranscriptFormat],
        layout: Layout,
        extensions: Collection[str],
    ) -> None:
        self._place = place
        self._layout = layout
        self._formats = {str(each): layout.name if each in LAID_OUT else "" for each in formats}
        names = Stems(extensions, SUFFIXES, folds=place.folds)
        self.ledger = TranscriptLedger(ledger, place.name, names)
        self.written = 0

    def due(self, jobs: Sequence[Job]) -> list[Due]:
        """The recordings of which a file is not written yet, or of another job."""
        return self.ledger.due(jobs, self._formats)

    async def write_new(
        self, job: Job, transcript: Transcript, rules: JobRules
    ) -> list[OutputUnusable]:
        """Write those of the recording's files that are due; as `write` else."""
        refused = [await self.write(due, transcript, rules) for due in self.due([job])]
        return [each for errors in refused for each in errors]

    async def write(
        self, due: Due, transcript: Transcript, rules: JobRules
    ) -> list[OutputUnusable]:
        """Write the recording's files; why some of them could not be.

        Raises:
            CannotRun: nothing can be written there.
        """
        of = _transcribed(due.job, transcript, rules)
        files = [self._file(due, each, of) for each in due.formats]
        refused = []
        for wanted, put in zip(due.formats, await self._place.put(files), strict=True):
            if isinstance(put, OutputUnusable):
                refused.append(put)
                continue
            self.ledger.note(due, wanted, self._formats[wanted], put.tag)
            self.written += put.is_new
        return refused

    def _file(self, due: Due, name: str, of: Transcribed) -> File:
        wanted = TranscriptFormat(name)
        content = render(wanted, of, self._layout)
        return File(f"{due.name}{wanted.suffix}", content, due.formats[name])


def _transcribed(job: Job, transcript: Transcript, rules: JobRules) -> Transcribed:
    settings = rules.known_of(job)
    given = settings.language if settings else None
    language = next(iter(transcript.languages), given)
    return Transcribed(rules.source.audio_uri(job.recording.key), job, transcript, language)
