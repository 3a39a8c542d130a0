"""Jobs as the service describes them; pure. Absent values are left out, as the service does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.local.jobs import ENDED
from pipeline.local.request import identifies, recognised_as
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.local.jobs import Job

_ECHOED = (
    "Media",
    "MediaFormat",
    "MediaSampleRateHertz",
    "JobExecutionSettings",
    "IdentifyLanguage",
    "IdentifyMultipleLanguages",
    "LanguageOptions",
    "LanguageIdSettings",
    "Tags",
)
_DEFAULT_SETTINGS = {"ChannelIdentification": False, "ShowAlternatives": False}


def started(job: Job) -> dict[str, Any]:
    """The answer to Start."""
    return {"TranscriptionJob": _head(job, job.status) | _of_request(job, *_ECHOED)}


def described(job: Job, uris: Mapping[str, str]) -> dict[str, Any]:
    """The answer to Get; `uris` are where a completed job's files are, by their suffixes."""
    detected = {
        "MediaFormat": job.outcome.media_format,
        "MediaSampleRateHertz": job.outcome.sample_rate,
    }
    return {
        "TranscriptionJob": {
            **_head(job, job.status),
            **_of_request(job, *_ECHOED),
            **_present(detected),
            **_language(job),
            "Settings": {**_DEFAULT_SETTINGS, **job.request.get("Settings", {})},
            "Transcript": {"TranscriptFileUri": uris["json"]} if uris else {},
            **_subtitles(job, uris),
        }
    }


def summary(job: Job, status: JobStatus) -> dict[str, Any]:
    """The job's entry in a listing that sees it in `status`."""
    own = "OutputBucketName" in job.request
    return {
        **_head(job, status),
        **_of_request(job, "IdentifyLanguage", "IdentifyMultipleLanguages"),
        **(_language(job) if status in ENDED else {}),
        "OutputLocationType": "CUSTOMER_BUCKET" if own else "SERVICE_BUCKET",
    }


def _head(job: Job, status: JobStatus) -> dict[str, Any]:
    values = {
        "TranscriptionJobName": job.name,
        "TranscriptionJobStatus": status.value,
        "LanguageCode": job.request.get("LanguageCode"),
        "CreationTime": job.created,
        "StartTime": job.started,
    }
    if status in ENDED:
        values |= {"CompletionTime": job.completed, "FailureReason": job.outcome.reason}
    return _present(values)


def _of_request(job: Job, *names: str) -> dict[str, Any]:
    return {name: job.request[name] for name in names if name in job.request}


def _language(job: Job) -> dict[str, Any]:
    if job.status != JobStatus.COMPLETED or not identifies(job.request):
        return {}
    code = recognised_as(job.request)
    if job.request.get("IdentifyMultipleLanguages"):
        seconds = round(job.outcome.duration, 2)
        return {"LanguageCodes": [{"LanguageCode": code, "DurationInSeconds": seconds}]}
    return {"LanguageCode": code, "IdentifiedLanguageScore": 1.0}


def _subtitles(job: Job, uris: Mapping[str, str]) -> dict[str, Any]:
    answer = dict(job.request.get("Subtitles", {}))
    if found := [uri for suffix, uri in uris.items() if suffix != "json"]:
        answer = {"OutputStartIndex": 0, **answer, "SubtitleFileUris": found}
    return {"Subtitles": answer} if answer else {}


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
