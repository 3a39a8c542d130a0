"""The transcript of a job that has ended: located and fetched, parsed, and verified, once each."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from pipeline.errors import RecordingFailed
from pipeline.failures import BROKEN_TRANSCRIPT
from pipeline.stages.large_work import LargeWork
from pipeline.stages.results import NOT_REDACTED
from pipeline.transcripts.parsing import parse_transcript

if TYPE_CHECKING:
    from pipeline.model import Job, Transcript
    from pipeline.stages.results import Results

_READINGS = 3
_LARGE, _LARGEST = 300_000, 5_000_000
"""Bytes: above the first parsing takes more than a millisecond. Two hours have 5 MB; what is larger
is parsed before another one is read, as a thread would have several of them in memory."""


class TranscriptReader:
    """Reads transcripts: with all `words`, else those of segments with one to be marked."""

    def __init__(self, results: Results, *, words: bool = False, mark_below: float = 0) -> None:
        self._results = results
        self._words = words
        self._mark_below = mark_below
        self._large_work = LargeWork()

    async def read(self, job: Job) -> Transcript:
        """Locate and fetch the job's result, parse it, and verify that it is this job's.

        Raises:
            StillRunning: it has not finished.
            JobMissing: the service does not know it and there is no result.
            RecordingFailed: there is no usable transcript and there will be none.
            ResultDenied: there may be one, but it is not ours to read.
        """
        for reading in count(1):
            document = await self._results.fetch(job)
            try:
                transcript = await self._parsed(document)
            except RecordingFailed:
                if reading == _READINGS:  # it may have been cut short on the way
                    raise
            else:
                break
            finally:
                del document  # which may be large, before it is read again
        self._verify(job, transcript)
        return transcript

    async def _parsed(self, document: bytes) -> Transcript:
        words, below = self._words, self._mark_below
        parse = partial(parse_transcript, document, words=words, words_below=below)
        return await self._large_work.do(parse, large=_LARGE < len(document) <= _LARGEST)

    def _verify(self, job: Job, transcript: Transcript) -> None:
        if transcript.job_name != job.name:
            raise RecordingFailed(BROKEN_TRANSCRIPT, "It is the transcript of another job.")
        settings = self._results.job_rules.known_of(job)
        if settings and settings.redacted and transcript.redacted is False:
            raise RecordingFailed(BROKEN_TRANSCRIPT, NOT_REDACTED)
