"""What a StartTranscriptionJob request asks for, and where it reads and writes; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.local import messages
from pipeline.local.errors import bad_request
from pipeline.naming import S3Uri, parse_s3_uri, place_of_result

if TYPE_CHECKING:
    from collections.abc import Mapping

_S3_HOST = "amazonaws.com"


def find(request: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    value: Any = request
    for name in path.split("."):
        value = (value or {}).get(name)
    return value


def vocabulary_of(request: Mapping[str, Any]) -> str | None:
    """The name of the custom vocabulary for the language that is recognised."""
    code = recognised_as(request) if identifies(request) else None
    path = f"LanguageIdSettings.{code}.VocabularyName" if code else "Settings.VocabularyName"
    name: str | None = find(request, path)
    return name


def recognised_as(request: Mapping[str, Any]) -> str:
    """The English the job's speech is recognised as, or "" where it must be another language."""
    candidates = [request["LanguageCode"]] if request.get("LanguageCode") else None
    candidates = candidates or request.get("LanguageOptions") or ["en-US"]
    english = [code for code in candidates if code.startswith("en-")]
    return "en-US" if "en-US" in english else next(iter(english), "")


def identifies(request: Mapping[str, Any]) -> bool:
    """Whether the job asks which language is spoken."""
    return bool(request.get("IdentifyLanguage") or request.get("IdentifyMultipleLanguages"))


def deferrable(request: Mapping[str, Any]) -> bool:
    """Whether the job may wait in the queue for a slot."""
    return bool(find(request, "JobExecutionSettings.AllowDeferredExecution"))


def media_place(uri: str) -> S3Uri:
    """Where a media URI points: `s3://bucket/key` byte for byte, or an http path-style address.

    Raises:
        Refused: the address names no object.
    """
    place = parse_s3_uri(uri) or _http_place(uri)
    if place is None or not place.key:
        raise bad_request(messages.INPUT_UNREADABLE)
    return place


def _http_place(uri: str) -> S3Uri | None:
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        return None
    known = host in {"127.0.0.1", "localhost"} or (
        host.startswith("s3") and host.endswith(_S3_HOST)
    )
    return place_of_result(uri) if known else None


def output_place(request: Mapping[str, Any], suffix: str = "json") -> S3Uri | None:
    """Where the transcript, or subtitles, go in the caller's own bucket; None for the service's.

    An OutputKey that ends in `.json` is the object itself, any other is a folder for
    `<job name>.json`; without one the object lies at the top of the bucket.
    """
    bucket = request.get("OutputBucketName")
    if not bucket:
        return None
    key = str(request.get("OutputKey", ""))
    if not key.endswith(".json"):
        folder = key.removesuffix("/") + "/" if key else ""
        key = f"{folder}{request['TranscriptionJobName']}.json"
    return S3Uri(str(bucket), key.removesuffix("json") + suffix)
