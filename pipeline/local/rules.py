"""Which combinations of a request's values the service accepts, and where it reads and writes.

Pure: whether a file is there and a folder can be written is asked elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pipeline.local import messages
from pipeline.local.constraints import START, check, find, found
from pipeline.local.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAIRS = (
    ("Settings.ShowSpeakerLabels", "Settings.MaxSpeakerLabels"),
    ("Settings.ShowAlternatives", "Settings.MaxAlternatives"),
    ("JobExecutionSettings.AllowDeferredExecution", "JobExecutionSettings.DataAccessRoleArn"),
)
_ONLY_WITH = (
    ("OutputKey", "OutputBucketName"),
    ("OutputEncryptionKMSKeyId", "OutputBucketName"),
    ("KMSEncryptionContext", "OutputEncryptionKMSKeyId"),
)
_UNKNOWN_HERE = (
    ("Settings.VocabularyFilterName", messages.NO_VOCABULARY_FILTER),
    ("LanguageIdSettings.*.VocabularyFilterName", messages.NO_VOCABULARY_FILTER),
    ("ModelSettings.LanguageModelName", messages.NO_LANGUAGE_MODEL),
    ("LanguageIdSettings.*.LanguageModelName", messages.NO_LANGUAGE_MODEL),
)
_LACKING = (
    "Settings.ShowSpeakerLabels",
    "ContentRedaction",
    "ToxicityDetection",
    "OutputEncryptionKMSKeyId",
)
_NOT_WITH_TOXICITY = ("Settings", "ModelSettings", "Subtitles")
_REDACTED = ("en-US", "es-US")
_S3_HOST = "amazonaws.com"


@dataclass(frozen=True)
class Place:
    """An object: its bucket and its key."""

    bucket: str
    key: str


def check_start(request: Mapping[str, Any]) -> None:
    """Hold a StartTranscriptionJob request against every rule that needs no look at the bucket.

    Raises:
        Refused: in the service's words where they are known.
    """
    check(request, START)
    if find(request, "Media.MediaFileUri") is None:
        raise bad_request(messages.INPUT_UNREADABLE)
    _check_pairs(request)
    _check_languages(request)
    _check_language_settings(request)
    _check_filters(request)
    _check_content(request)
    for path, sentence in _UNKNOWN_HERE:
        if any(value is not None for value in found(request, path)):
            raise bad_request(sentence)
    for path in _LACKING:
        if find(request, path):
            raise bad_request(messages.local_lacks(path))


def _check_pairs(request: Mapping[str, Any]) -> None:
    for one, other in _PAIRS:
        missing = [path for path in (one, other) if not find(request, path)]
        if len(missing) == 1:
            present = other if missing[0] == one else one
            raise bad_request(f"If you include {present} you must also include {missing[0]}.")
    for path, needed in _ONLY_WITH:
        if find(request, path) and not find(request, needed):
            raise bad_request(f"If you include {path} you must also include {needed}.")


def _check_languages(request: Mapping[str, Any]) -> None:
    code = request.get("LanguageCode")
    identify = [
        name for name in ("IdentifyLanguage", "IdentifyMultipleLanguages") if request.get(name)
    ]
    chosen = len(identify) + (code is not None)
    if chosen == 0:
        raise bad_request(messages.NO_LANGUAGE)
    if chosen > 1:
        raise bad_request(messages.TOO_MANY_LANGUAGES)
    options = request.get("LanguageOptions", [])
    if options and not identify:
        raise bad_request(
            "If you include LanguageOptions you must also include IdentifyLanguage or "
            "IdentifyMultipleLanguages."
        )
    if not recognised_as(request):
        raise bad_request(messages.LOCAL_LANGUAGE)


def _check_language_settings(request: Mapping[str, Any]) -> None:
    """Vocabularies, filters and models: for one language in one place, for several in another."""
    of_each = request.get("LanguageIdSettings", {})
    if of_each and not identifies(request):
        raise bad_request(
            "If you include LanguageIdSettings you must also include IdentifyLanguage or "
            "IdentifyMultipleLanguages."
        )
    of_one = ("Settings.VocabularyName", "Settings.VocabularyFilterName", "ModelSettings")
    for path in of_one if identifies(request) else ():
        if find(request, path):
            raise bad_request(messages.local_of_one_language(path))
    models = any(found(request, "LanguageIdSettings.*.LanguageModelName"))
    if models and request.get("IdentifyMultipleLanguages"):
        raise bad_request("Multi-language identification doesn't support custom language models.")


def _check_filters(request: Mapping[str, Any]) -> None:
    names = [
        *found(request, "Settings.VocabularyFilterName"),
        *found(request, "LanguageIdSettings.*.VocabularyFilterName"),
    ]
    method = find(request, "Settings.VocabularyFilterMethod")
    if any(names) != bool(method):
        present, missing = "VocabularyFilterName", "VocabularyFilterMethod"
        if method:
            present, missing = missing, present
        raise bad_request(f"If you include {present} you must also include {missing}.")


def _check_content(request: Mapping[str, Any]) -> None:
    """Redaction and toxicity detection, which only some languages have."""
    code = request.get("LanguageCode")
    if request.get("ContentRedaction") and code not in _REDACTED:
        raise bad_request("Content redaction goes with the language codes en-US and es-US.")
    if not request.get("ToxicityDetection"):
        return
    if code != "en-US":
        raise bad_request("Toxicity detection goes with the language code en-US.")
    if others := [name for name in _NOT_WITH_TOXICITY if request.get(name)]:
        raise bad_request(f"Toxicity detection doesn't go with {others[0]}.")


def vocabulary_of(request: Mapping[str, Any]) -> str | None:
    """The name of the custom vocabulary for the language that is recognised."""
    code = recognised_as(request) if identifies(request) else None
    path = f"LanguageIdSettings.{code}.VocabularyName" if code else "Settings.VocabularyName"
    name = find(request, path)
    return str(name) if name is not None else None


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
