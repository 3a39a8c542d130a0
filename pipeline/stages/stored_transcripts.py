"""What becomes of the transcripts that a run has collected, from where their results are stored."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pipeline.errors import Deferred, JobMissing, RecordingFailed, first_of
from pipeline.failures import LOST, UNREADABLE
from pipeline.stages.result_refusals import ResultRefusals
from pipeline.stages.results import ResultDenied, StillRunning
from pipeline.stages.transcript_files import transcribed
from pipeline.stages.transcript_reader import TranscriptReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.metadata import Values
    from pipeline.errors import Denied, OutputUnusable
    from pipeline.model import Job
    from pipeline.stages.metadata_reader import MetadataReader
    from pipeline.stages.results import Results
    from pipeline.state.recordings import Recordings
    from pipeline.transcripts.render import Transcribed

_AHEAD = 64
RUNNING = "job still running"
DEFERRED = "no answer for too long"
NOT_WRITTEN = "file not written"
_GONE = "The service no longer has its job, and there is no transcript."


class Told(NamedTuple):
    """Who is told: of the count so far, of a job of which not all came and why, and of a note.

    Why is the class of the reason, and a sentence.
    """

    progress: Callable[[int], None]
    failure: Callable[[Job, str, str], None]
    note: Callable[[str], None]


class Due(Protocol):
    """A recording of which something is to be made."""

    @property
    def job(self) -> Job:
        """Its job."""


class Sink(Protocol):
    """What becomes of transcripts; `hold_metadata` tells whether their metadata does too."""

    hold_metadata: bool

    def due(self, jobs: Sequence[Job], known: Sequence[Values]) -> Sequence[Due]:
        """The recordings of a page of which something is to be made; what is known of each."""

    async def write(self, due: Any, of: Transcribed) -> Sequence[OutputUnusable]:
        """Make it; why some of it could not be made.

        Raises:
            CannotRun: nothing can be.
        """

    def flush(self) -> None:
        """Write down what was made."""


class RunSink(Sink, Protocol):
    """What becomes of transcripts while their run goes on."""

    async def write_new(self, of: Transcribed, known: Values) -> Sequence[OutputUnusable]:
        """Make what is due of a recording; as `write` else."""


class StoredTranscripts:
    """Reads what is due, several at once, and has it written.

    `seen` counts recordings that were dealt with, `failed` those of which not all came by the class
    of the reason.
    """

    def __init__(
        self,
        recordings: Recordings,
        results: Results,
        metadata: MetadataReader,
        sink: Sink,
        told: Told,
    ) -> None:
        self._recordings = recordings
        self._reader = TranscriptReader(results, words=True)
        self._refusals = ResultRefusals(results, recordings)
        self._metadata = metadata
        self._sink = sink
        self._told = told
        self._held: dict[Job, Due] = {}
        self.seen = 0
        self.failed: Counter[str] = Counter()

    async def write(self, at_once: int) -> None:
        """Write every file that is due, of so many recordings at once.

        Raises:
            CannotRun: nothing can be read, or written; what was written is noted.
        """
        queue: asyncio.Queue[Due | None] = asyncio.Queue(_AHEAD)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(queue, at_once))
                for _ in range(at_once):
                    group.create_task(self._work(queue))
            self._refusals.stop()
        except BaseExceptionGroup as failed:
            raise first_of(failed) from failed
        finally:
            self._sink.flush()

    async def _feed(self, queue: asyncio.Queue[Due | None], at_once: int) -> None:
        for page in self._recordings.written():
            for each in self._sink.due(page, self._metadata.known(page)):
                await queue.put(each)
            await asyncio.sleep(0)
        for _ in range(at_once):
            await queue.put(None)

    async def _work(self, queue: asyncio.Queue[Due | None]) -> None:
        while due := await queue.get():
            again = [due]
            while again:
                each = again.pop()
                try:
                    again += await self._one(each)
                except RecordingFailed as error:
                    self.seen += 1
                    self._fail(each.job, error.reason, error.message)
                self._told.progress(self.seen)

    def _fail(self, job: Job, reason: str, message: str) -> None:
        self.failed[reason] += 1
        self._told.failure(job, reason, message)

    async def _one(self, due: Due) -> list[Due]:
        """Write one recording's files; return those to be read again, now that one could be.

        Raises:
            RecordingFailed: it has not all of its files.
            CannotRun: nothing can be read, or written.
        """
        job = due.job
        try:
            transcript = await self._reader.read(job)
            metadata = await self._metadata_of(job)
            of = transcribed(job, transcript, self._metadata.job_rules, metadata)
            refused = await self._sink.write(due, of)
        except ResultDenied as denied:
            return await self._again_unless_alone(due, denied.why)
        except JobMissing:
            raise RecordingFailed(LOST, _GONE) from None
        except StillRunning:
            raise RecordingFailed(RUNNING, "Its job has not ended.") from None
        except Deferred as error:
            raise RecordingFailed(DEFERRED, str(error)) from None
        self.seen += 1
        if refused:
            self._fail(job, NOT_WRITTEN, " ".join(map(str, refused)))
        return [self._held.pop(each) for each in self._refusals.on_read(job)]

    async def _metadata_of(self, job: Job) -> Values:
        if not self._sink.hold_metadata:
            return {}
        [known] = self._metadata.known([job])
        return await self._metadata.whole(job, known)

    async def _again_unless_alone(self, due: Due, why: Denied) -> list[Due]:
        """The transcript may not be read: fail its recording where others may.

        Raises:
            RecordingFailed: so it does.
            Denied: others may not either.
        """
        self._held[due.job] = due
        is_alone = await self._refusals.is_alone(due.job, why)
        if is_alone is None:
            return []
        self._held.pop(due.job, None)
        if is_alone:
            raise RecordingFailed(UNREADABLE, why.message or why.problem)
        return [due]
