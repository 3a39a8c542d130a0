"""Which settings a recording is transcribed with, and what is known of earlier jobs' settings."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.config.transcription import DETECT, IDENTIFIED, parse_fingerprint
from pipeline.jobs.request import settings_request, start_request
from pipeline.model import JobSettings
from pipeline.naming import (
    identity,
    job_name_prefix,
    parse_s3_uri,
    result_place,
    subtitle_place,
)
from pipeline.recordings.formats import certain_format, known_extensions
from pipeline.recordings.selection import Selection, folder_of, pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.config.schema import Config
    from pipeline.config.transcription import Transcribe
    from pipeline.model import Job, Recording
    from pipeline.naming import S3Uri
    from pipeline.recordings.source import Source


_COLLECTED_AT_ONCE = 64
_KINDS_OF_JOBS = 64


class JobRules:
    """The settings of every recording of a source: those of the first rule that matches.

    `before` are fingerprints that earlier runs named jobs after. `selection` tells which of the
    source's objects are recordings, `results` where jobs write, None where the service keeps it,
    and `name_prefix` what their names begin with.
    """

    def __init__(self, config: Config, source: Source, before: Iterable[str] = ()) -> None:
        self.source = source
        self.results = parse_s3_uri(config.output.results)
        self.name_prefix = job_name_prefix(config.transcribe.job_prefix, source.bucket)
        place = parse_s3_uri(source.uri)
        self._bucket = source.bucket
        base = place.key if place else ""
        self.selection = Selection(base, config.input, self.takes_bare)
        self._folder = folder_of(base)
        self._extensions = known_extensions(config.input.extensions)
        self._all = config.options
        self._fingerprints = [options.fingerprint for options in self._all]
        self._before = [each for each in before if each not in self._fingerprints]
        self._known = lru_cache(_COLLECTED_AT_ONCE)(self._settings_of)
        self._settings_request = lru_cache(_KINDS_OF_JOBS)(self._settings_request_of)
        # One group a rule, so that the number of the group tells which it was.
        rules = "|".join(f"({pattern(rule.include)})" for rule in config.rules)
        self._rules = re.compile(rules) if rules else None

    @property
    def fingerprints(self) -> list[str]:
        """Those of all settings that there are, each once."""
        return list(dict.fromkeys(self._fingerprints))

    @property
    def redacts(self) -> bool:
        """Whether any recording's transcript is to be redacted."""
        return any(options.redaction for options in self._all)

    def of(self, key: str) -> Transcribe:
        """The settings for the recording of this key."""
        return self._all[self._number(key)]

    def request(self, job: Job, media_uri: str) -> dict[str, Any]:
        """The request that starts a job."""
        key = job.recording.key
        settings = self._settings_request(self._number(key), job.language, self.named_format(key))
        return start_request(job, media_uri, settings, self.results)

    def _settings_request_of(self, number: int, language: str, media_format: str) -> dict[str, Any]:
        options = self._all[number].in_language(language) if language else self._all[number]
        return settings_request(options, media_format)

    def fallback_language(self, job: Job) -> str:
        """The language for a recording whose own could not be identified; "" for none."""
        options = self.of(job.recording.key)
        return options.fallback_language if options.identifies and not job.language else ""

    def named_format(self, key: str) -> str:
        """The format that the service is told; "" where it looks for itself."""
        wanted = self.of(key).media_format or certain_format(key, self._extensions)
        return wanted if wanted and wanted != DETECT else ""

    def takes_bare(self, key: str) -> bool:
        """Whether a key without an extension is a recording's: somebody has said that it is."""
        return self.source.names_each or bool(self.of(key).media_format)

    def identity(self, recording: Recording) -> bytes:
        """The identity of the recording's job."""
        return identity(self._bucket, recording, self._fingerprints[self._number(recording.key)])

    def known_of(self, job: Job) -> JobSettings | None:
        """What is known of a job's settings; None where nobody knows them any more.

        It may be of an earlier run with other settings, which its name does not tell by itself.
        """
        return self._known(job)

    def _settings_of(self, job: Job) -> JobSettings | None:
        recording = job.recording
        for each in (self._fingerprints[self._number(recording.key)], *self._before):
            if identity(self._bucket, recording, each) == job.identity:
                return _job_settings(parse_fingerprint(each), self.results, job)
        return None

    def path(self, key: str) -> str:
        """The path of a key below the source, by which rules and patterns match."""
        return key.removeprefix(self._folder)

    def _number(self, key: str) -> int:
        if self._rules is None:
            return -1
        found = self._rules.match(self.path(key))
        return found.lastindex - 1 if found and found.lastindex else -1


def _job_settings(settings: Mapping[str, str], results: S3Uri | None, job: Job) -> JobSettings:
    """What the settings of a job, as text, mean for its transcript and the files beside it."""
    named, redaction = settings["language"], settings.get("redaction", "")
    language = job.language or (None if named in IDENTIFIED else named)
    formats = [each for each in settings.get("subtitles", "").split(",") if each]
    if not results or not (redaction or formats):
        return JobSettings(language, bool(redaction))
    place = result_place(results, job.name, redacted=bool(redaction))
    both = redaction == "redacted_and_unredacted"
    return JobSettings(
        language,
        bool(redaction),
        redacted_transcript=str(place) if redaction else None,
        unredacted_transcript=str(result_place(results, job.name)) if both else None,
        subtitles=tuple(str(subtitle_place(place, each)) for each in formats),
    )
