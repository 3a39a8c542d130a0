"""Carries out the jobs that have a slot: recognise, write the document, give the slot on."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.local import messages
from pipeline.local.document import document, segments
from pipeline.local.errors import Refused
from pipeline.local.jobs import Outcome
from pipeline.local.phrases import as_shown
from pipeline.local.recogniser import MediaRefused, MediaSettings
from pipeline.local.request import (
    find,
    identifies,
    media_place,
    output_place,
    vocabulary_of,
)
from pipeline.local.store import transcript_path
from pipeline.local.subtitles import subtitles
from pipeline.recordings.formats import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.local.account import Account
    from pipeline.local.jobs import Job
    from pipeline.local.recogniser import Phrase, Recogniser, Speech

_log = logging.getLogger(__name__)


class Runner:
    """One task for each job in progress."""

    def __init__(self, account: Account, recogniser: Recogniser) -> None:
        self._account = account
        self._recogniser = recogniser
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, job: Job) -> None:
        """Carry out a job that has just got its slot."""
        task = asyncio.create_task(self._carry_out(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop every job in progress."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, job: Job) -> None:
        self._account.counts.executed[job.name] += 1
        try:
            outcome = await self._outcome(job)
        except MediaRefused as refused:
            outcome = Outcome(reason=refused.reason)
        except Exception:  # noqa: BLE001 (as at the service: what breaks inside ends one job)
            _log.exception("A job broke off inside the local endpoint")
            outcome = Outcome(reason=messages.INTERNAL_FAILURE)
        for begun in self._account.jobs.finish(job, outcome, self._account.now()):
            self.begin(begun)

    async def _outcome(self, job: Job) -> Outcome:
        await self._play_faults(job)
        phrases = self._phrases(job)
        settings = replace(_settings(job), phrases=phrases)
        speech = await self._recogniser.recognise(self._media(job), settings)
        speech = replace(speech, words=as_shown(speech.words, phrases))
        if identifies(job.request) and not speech.words:
            raise MediaRefused(messages.NO_SPEECH_TO_IDENTIFY)
        files = _files(job, speech)
        for suffix, content in files.items():
            await self._deliver(job, suffix, content)
        return Outcome(
            media_format=speech.media_format,
            sample_rate=speech.sample_rate,
            duration=speech.duration,
            files=tuple(files),
        )

    def _phrases(self, job: Job) -> tuple[Phrase, ...]:
        """The phrases of the vocabulary that the job names, as they are now."""
        name = vocabulary_of(job.request)
        try:
            return self._account.vocabularies.get(name).phrases if name else ()
        except Refused as deleted:
            raise MediaRefused(deleted.message) from None

    async def _play_faults(self, job: Job) -> None:
        """Let the faults of this job happen."""
        faults = self._account.options.faults
        if faults.hits("endless_job", job.name):
            await asyncio.Event().wait()
        if faults.hits("internal_failure", job.name):
            raise MediaRefused(messages.INTERNAL_FAILURE)
        if faults.hits("failed_job", job.name):
            raise MediaRefused(messages.DATA_NOT_VALID)

    def _media(self, job: Job) -> Path:
        key = media_place(job.request["Media"]["MediaFileUri"]).key
        entry, path = self._account.bucket.find(key), self._account.bucket.path(key)
        if entry is None or path is None:
            raise MediaRefused(messages.INPUT_UNREADABLE)
        if entry.size > LARGEST:
            raise MediaRefused(messages.FILE_TOO_LARGE)
        return path

    async def _deliver(self, job: Job, suffix: str, content: bytes) -> None:
        """Write a file where the job wants it: in the caller's bucket, or in the service's."""
        own = output_place(job.request, suffix)
        if own is None:
            path = transcript_path(job.name, job.number, suffix)
            self._account.store.put(path, content)
            return
        try:
            await asyncio.to_thread(self._account.bucket.write, own.key, content)
        except OSError:
            raise MediaRefused(messages.OUTPUT_UNWRITABLE) from None


def _files(job: Job, speech: Speech) -> dict[str, bytes]:
    """The transcript, and the subtitles that were asked for; none where nobody speaks."""
    first = find(job.request, "Subtitles.OutputStartIndex") or 0
    formats = find(job.request, "Subtitles.Formats") or () if speech.words else ()
    return {
        "json": document(job.request, speech),
        **{each: subtitles(segments(speech), each, first) for each in formats},
    }


def _settings(job: Job) -> MediaSettings:
    return MediaSettings(
        channel_identification=bool(find(job.request, "Settings.ChannelIdentification")),
        media_format=job.request.get("MediaFormat"),
        sample_rate=job.request.get("MediaSampleRateHertz"),
        versions=find(job.request, "Settings.MaxAlternatives") or 1,
    )
