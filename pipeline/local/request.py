"""What a StartTranscriptionJob request asks for, and where it reads and writes; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pipeline.local import messages
from pipeline.local.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

_S3_HOST = "amazonaws.com"


@dataclass(frozen=True)
class Place:
    """An object: its bucket and its key."""

    bucket: str
    key: str


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


def media_place(uri: str) -> Place:
    """Where a media URI points: `s3://bucket/key` byte for byte, or an http path-style address.

    Raises:
        Refused: the address names no object.
    """
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
    else:
        bucket, key = _http_place(uri)
    if not bucket or not key:
        raise bad_request(messages.INPUT_UNREADABLE)
    return Place(bucket, key)


def _http_place(uri: str) -> tuple[str, str]:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    local = host in {"127.0.0.1", "localhost"}
    if not local and not (host.startswith("s3") and host.endswith(_S3_HOST)):
        return "", ""
    bucket, _, key = parts.path.removeprefix("/").partition("/")
    return bucket, unquote(key)


def output_place(request: Mapping[str, Any], suffix: str = "json") -> Place | None:
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
    return Place(str(bucket), key.removesuffix("json") + suffix)
