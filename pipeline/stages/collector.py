"""The fourth stage: fetch the transcript of a finished job and build its task; several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config.pricing import items_of
from pipeline.errors import (
    Deferred,
    JobMissing,
    RecordingFailed,
    ServiceUnreachable,
)
from pipeline.failures import LOST, NEVER_ENDED, NO_SPEECH, UNREADABLE
from pipeline.logs import WARNING, event
from pipeline.model import JobSettings, Line, TranscriptStats
from pipeline.stages.result_refusals import ResultRefusals
from pipeline.stages.results import (
    FaultAtTheService,
    ResultDenied,
    StillRunning,
)
from pipeline.stages.transcript_files import transcribed
from pipeline.stages.transcript_reader import TranscriptReader
from pipeline.text import duration

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from pipeline.config.metadata import Values
    from pipeline.errors import Denied
    from pipeline.model import Job, Transcript
    from pipeline.stages.job_tracker import JobTracker
    from pipeline.stages.metadata_reader import MetadataReader
    from pipeline.stages.results import Results
    from pipeline.stages.stored_transcripts import RunSink
    from pipeline.tasks.builder import TaskBuilder
    from pipeline.transcripts.render import Transcribed

_RESTARTS = 3
_NEW_NAMES = 2
_REFUSED = (
    "Some transcripts are in no file. Of the first: {}. `transcripts` writes those that it can by "
    "then, and names the others."
)


class Collectors:
    """What each collector needs; `work` is one of them.

    `refusals` are the transcripts that may not be read. Each transcript goes into the `sinks` too.
    """

    def __init__(
        self,
        tracker: JobTracker,
        results: Results,
        metadata: MetadataReader,
        tasks: TaskBuilder,
        sinks: Sequence[RunSink] = (),
    ) -> None:
        self._tracker = tracker
        self._job_rules = results.job_rules
        below = tasks.mark_below
        self._reader = TranscriptReader(results, words=bool(sinks), mark_below=below)
        self._metadata = metadata
        self._tasks = tasks
        self._sinks = sinks
        self._is_refused = False
        self.refusals = ResultRefusals(results, tracker.state.recordings)

    async def work(self, finished: asyncio.Queue[Job], lines: asyncio.Queue[Line]) -> None:
        """Collect one finished job after the other until cancelled."""
        while True:
            again = [await finished.get()]
            while again:
                again += await self._collect(again.pop(), lines)

    async def _collect(self, job: Job, lines: asyncio.Queue[Line]) -> list[Job]:
        """Collect one job; return those that are to be read again now that it could be read."""
        try:
            transcript = await self._reader.read(job)
            [known] = self._metadata.known([job])
            metadata = await self._metadata.whole(job, known)
            of = transcribed(job, transcript, self._job_rules, metadata)
            await self._write_beside(of, known)
        except StillRunning as still:
            self._wait_on(job, still)
        except ResultDenied as denied:
            return await self._again_unless_alone(job, denied.why)
        except JobMissing:
            self._start_again(job)
        except FaultAtTheService as error:
            self._try_again(job, error)
        except RecordingFailed as error:
            self._fail_or_name_language(job, error)
        except Deferred:
            self._tracker.defer(job)
        else:
            self._tracker.has_ended(job)
            self._bill(job, transcript)
            shown = self._metadata.shown(job, metadata)
            line, silent = self._line(job, transcript, shown), transcript.silent
            del transcript  # a line may have to wait, with its own bytes and no others
            await lines.put(line)
            self._tracker.hand_over(job, silent=silent)
            return self.refusals.on_read(job)
        return []

    async def _write_beside(self, of: Transcribed, known: Values) -> None:
        """Have the transcript written where else it is wanted, before its task counts as written.

        Raises:
            Deferred: the place has not taken one for too long.
            CannotRun: none can be written.
        """
        job = of.job
        if self._sinks:
            self._tracker.has_ended(job)
        for sink in self._sinks:
            for error in await sink.write_new(of, known):
                names = {"recording": job.recording.key, "job": job.name}
                event("transcript.refused", WARNING, **names, message=str(error))
                if not self._is_refused:
                    self._tracker.note(_REFUSED.format(error.problem))
                self._is_refused = True

    def _wait_on(self, job: Job, still: StillRunning) -> None:
        """The job runs: wait on, unless it has for longer than a job may by the service's clock."""
        clock = self._tracker.clock
        clock.note_age(job.name, still.age)
        if clock.age(job.name) > clock.longest_seconds:
            message = f"The job has not ended within {duration(clock.longest_seconds)}."
            self._tracker.fail(job, NEVER_ENDED, message)
        else:
            self._tracker.still_running(job, queued=still.queued)

    async def _again_unless_alone(self, job: Job, why: Denied) -> list[Job]:
        """The transcript may not be read: fail its recording where others may.

        Raises:
            Denied: others may not either, and nobody's recording fails for it.
        """
        self._tracker.has_ended(job)
        is_alone = await self.refusals.is_alone(job, why)
        if is_alone:
            self._tracker.fail(job, UNREADABLE, why.message or why.problem)
        return [job] if is_alone is False else []

    def _bill(self, job: Job, transcript: Transcript) -> None:
        if not job.result_exists:  # those were paid for before
            items = items_of(self._job_rules.of(job.recording.key))
            seconds = self._tracker.audio_seconds.get(job.name, transcript.duration)
            self._tracker.counters.bill(seconds, items)

    def _line(self, job: Job, transcript: Transcript, metadata: Values) -> Line:
        audio = self._job_rules.source.audio_uri(job.recording.key)
        took = self._tracker.clock.seconds_since_start(job.name)
        stats = TranscriptStats(transcript.confidence, transcript.duration, took)
        settings = self._job_rules.known_of(job) or JobSettings()
        line = self._tasks.line(audio, job, transcript, settings, metadata)
        return Line(job, line, stats)

    def _try_again(self, job: Job, error: FaultAtTheService) -> None:
        """Give a job that the service spoilt a new name, twice at most; none to one found done."""
        if job.attempt <= _NEW_NAMES and not job.result_exists:
            self._tracker.try_again(job)
        else:
            self._tracker.fail(job, error.reason, error.message)

    def _fail_or_name_language(self, job: Job, error: RecordingFailed) -> None:
        """Fail the recording, unless it only wants a language that the settings have for it."""
        language = self._job_rules.fallback_language(job) if error.reason == NO_SPEECH else ""
        if language and not job.result_exists:
            self._tracker.try_again(job, language=language)
        else:
            self._tracker.fail(job, error.reason, error.message)

    def _start_again(self, job: Job) -> None:
        """Start a job that the service has forgotten, unless its result was there before."""
        if job.result_exists:
            self._tracker.fail(job, LOST, "Its transcript is no longer where it was found.")
        elif self._tracker.restart(job) > _RESTARTS:
            raise ServiceUnreachable(
                f"The service keeps forgetting the job {job.name}",
                "Run the same command again later; it goes on where it stopped.",
            )
