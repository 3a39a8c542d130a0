"""Which combinations of a request's values the service accepts; pure.

Single values were checked before. Whether a file is there and a folder can be written is checked
afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.local import messages
from pipeline.local.errors import bad_request
from pipeline.local.request import find, identifies, recognised_as

if TYPE_CHECKING:
    from collections.abc import Mapping

_IDENTIFY = ("IdentifyLanguage", "IdentifyMultipleLanguages")
_PAIRS = (
    ("Settings.ShowSpeakerLabels", "Settings.MaxSpeakerLabels"),
    ("Settings.ShowAlternatives", "Settings.MaxAlternatives"),
    ("JobExecutionSettings.AllowDeferredExecution", "JobExecutionSettings.DataAccessRoleArn"),
)
# What goes with another parameter, and which ones it goes with.
_NEEDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((one, (other,)) for one, other in _PAIRS),
    *((other, (one,)) for one, other in _PAIRS),
    ("OutputKey", ("OutputBucketName",)),
    ("OutputEncryptionKMSKeyId", ("OutputBucketName",)),
    ("KMSEncryptionContext", ("OutputEncryptionKMSKeyId",)),
    ("LanguageOptions", _IDENTIFY),
    ("LanguageIdSettings", _IDENTIFY),
)
_FILTER = "Settings.VocabularyFilterName"
_MODEL = "ModelSettings.LanguageModelName"
_OF_ONE_LANGUAGE = ("Settings.VocabularyName", _FILTER, "ModelSettings")
_LACKING = (
    "Settings.ShowSpeakerLabels",
    "ContentRedaction",
    "ToxicityDetection",
    "OutputEncryptionKMSKeyId",
)
_NOT_WITH_TOXICITY = ("Settings", "ModelSettings", "Subtitles")
_REDACTED = ("en-US", "es-US")


def check_start(request: Mapping[str, Any]) -> None:
    """Hold a StartTranscriptionJob request against every rule that needs no look at the bucket.

    Raises:
        Refused: in the service's words where they are known.
    """
    if find(request, "Media.MediaFileUri") is None:
        raise bad_request(messages.INPUT_UNREADABLE)
    _check_languages(request)
    _check_needs(request)
    if not recognised_as(request):
        raise bad_request(messages.LOCAL_LANGUAGE)
    _check_language_settings(request)
    _check_content(request)
    if _named(request, _FILTER):
        raise bad_request(messages.NO_VOCABULARY_FILTER)
    if _named(request, _MODEL):
        raise bad_request(messages.NO_LANGUAGE_MODEL)
    for path in _LACKING:
        if find(request, path):
            raise bad_request(messages.local_lacks(path))


def _named(request: Mapping[str, Any], path: str) -> bool:
    """Whether what `path` ends in is named there, or for one of several languages."""
    of_each = request.get("LanguageIdSettings", {}).values()
    return any((find(request, path), *(find(each, path.rpartition(".")[2]) for each in of_each)))


def _check_languages(request: Mapping[str, Any]) -> None:
    chosen = sum(bool(request.get(name)) for name in ("LanguageCode", *_IDENTIFY))
    if chosen == 0:
        raise bad_request(messages.NO_LANGUAGE)
    if chosen > 1:
        raise bad_request(messages.TOO_MANY_LANGUAGES)


def _check_needs(request: Mapping[str, Any]) -> None:
    for path, needed in _NEEDS:
        if find(request, path) and not any(find(request, each) for each in needed):
            raise bad_request(messages.must_include(path, " or ".join(needed)))
    name, method = "VocabularyFilterName", "VocabularyFilterMethod"
    named = _named(request, _FILTER)
    if named != bool(find(request, f"Settings.{method}")):
        raise bad_request(messages.must_include(*((name, method) if named else (method, name))))


def _check_language_settings(request: Mapping[str, Any]) -> None:
    """Vocabularies, filters and models: for one language in one place, for several in another."""
    for path in _OF_ONE_LANGUAGE if identifies(request) else ():
        if find(request, path):
            raise bad_request(messages.local_of_one_language(path))
    if request.get("IdentifyMultipleLanguages") and _named(request, _MODEL):
        raise bad_request("Multi-language identification doesn't support custom language models.")


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
