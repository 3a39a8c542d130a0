"""Whether a transcript that may not be read is refused alone, or all of them are.

Another transcript, which could be read before, is read again: where that works the refused one is
alone. As long as none could be read ever, refused ones are held, five at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import Deferred, Denied, JobMissing, RecordingFailed
from pipeline.stages.results import ResultDenied, StillRunning
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.model import Job
    from pipeline.stages.results import Results
    from pipeline.state.recordings import Recordings

MOST_HELD = 5


class ResultRefusals:
    """The refused transcripts that nothing has proven yet to be refused alone."""

    def __init__(self, results: Results, recordings: Recordings) -> None:
        self._results = results
        self._recordings = recordings
        self._readable: Job | None = None
        self._held: dict[Job, Denied] = {}

    @property
    def held(self) -> int:
        """How many are held."""
        return len(self._held)

    def on_read(self, job: Job) -> list[Job]:
        """The job's transcript could be read; return those to read again, now that one could."""
        self._readable = job
        again = list(self._held)
        self._held.clear()
        return again

    async def is_alone(self, job: Job, why: Denied) -> bool | None:
        """Whether the job's transcript alone is refused; None where it is held, or read again.

        False says that it may be read by now: the right was gone for a moment.

        Raises:
            Denied: others are refused too, or too many are held.
        """
        self._held[job] = why
        if await self._another_can_be_read():
            if self._held.pop(job, None) is None:
                return None  # another collector could read one, and reads the held ones again
            return await self._can_be_read(job) is False
        if len(self._held) >= MOST_HELD:
            self.stop()
        return None

    def stop(self) -> None:
        """Stop the run for what is held: nothing will come that could prove it to be alone.

        Raises:
            Denied: something is held.
        """
        for job, why in self._held.items():
            name = printable(job.recording.key)
            raise Denied(
                f"The transcript of {name} can't be read, nor is one known that can: {why.problem}",
                f"{why.advice} The same command then collects them; no job is lost or paid for "
                "again.".lstrip(),
                action=why.action,
                message=why.message,
            )

    async def _another_can_be_read(self) -> bool:
        """Whether one that could be read before still can; False where none is left to try.

        Raises:
            Denied: it is refused too.
        """
        for other in (self._readable, self._recordings.last_written()):
            if other is None:
                continue
            can_be_read = await self._can_be_read(other)
            if can_be_read is False:
                self.stop()
            if can_be_read:
                return True
        return False

    async def _can_be_read(self, job: Job) -> bool | None:
        """Whether its transcript can be read; None where none comes, which proves nothing."""
        try:
            await self._results.fetch(job)
        except ResultDenied:
            return False
        except (Deferred, JobMissing, RecordingFailed, StillRunning):
            return None
        return True
