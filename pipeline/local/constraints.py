"""The constraints of the service's model on single values, refused in the service's words; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.local.errors import Refused, bad_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NAME = "^[0-9a-zA-Z._-]+"
_URI = "(s3://|http(s*)://).+"
_ROLE = (
    "^arn:(aws|aws-cn|aws-us-gov|aws-iso-{0,1}[a-z]{0,1}):iam::[0-9]{0,63}:role/"
    "[A-Za-z0-9:_/+=,@.-]{0,1024}$"
)
_REDACTION = ("redacted", "redacted_and_unredacted")
MEDIA_FORMATS = ("mp3", "mp4", "wav", "flac", "ogg", "amr", "webm", "m4a")
STATUSES = ("QUEUED", "IN_PROGRESS", "FAILED", "COMPLETED")
_LANGUAGES = """
    ab-GE af-ZA am-ET ar-AE ar-SA ast-ES az-AZ ba-RU be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR
    cs-CZ cy-GB cy-WL da-DK de-CH de-DE el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL
    en-ZA es-ES es-MX es-US et-EE et-ET eu-ES fa-AF fa-IR fi-FI fr-CA fr-FR ga-IE gd-GB gl-ES
    gu-IN ha-NG he-IL hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID ka-GE kab-DZ
    kk-KZ km-KH kn-IN ko-KR ky-KG lg-IN lt-LT lv-LV mhr-RU mi-NZ mk-MK ml-IN mn-MN mr-IN ms-MY
    mt-MT my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO ru-RU rw-RW si-LK
    sk-SK sl-SI so-SO sq-AL sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN th-TH
    tl-PH tr-TR tt-RU ug-CN uk-UA uz-UZ vi-VN wo-SN zh-CN zh-HK zh-TW zu-ZA
"""
LANGUAGES = tuple(_LANGUAGES.split())


@dataclass(frozen=True)
class Constraint:
    """One value of a request: where it is, of which type, and what it may be.

    `least` and `most` bound a text's or list's length and a number's value.
    """

    path: str
    kind: type
    least: int | None = None
    most: int | None = None
    pattern: str = ""
    values: tuple[str, ...] = ()
    required: bool = False


_JOB_NAME = Constraint("TranscriptionJobName", str, 1, 200, _NAME, required=True)

START = (
    _JOB_NAME,
    Constraint("LanguageCode", str, values=LANGUAGES),
    Constraint("IdentifyLanguage", bool),
    Constraint("IdentifyMultipleLanguages", bool),
    Constraint("LanguageOptions", list, 1, values=LANGUAGES),
    Constraint("LanguageIdSettings", dict, 1, 5),
    Constraint("Media", dict, required=True),
    Constraint("Media.MediaFileUri", str, 1, 2000, _URI),
    Constraint("Media.RedactedMediaFileUri", str, 1, 2000, _URI),
    Constraint("MediaFormat", str, values=MEDIA_FORMATS),
    Constraint("MediaSampleRateHertz", int, 8000, 48000),
    Constraint("OutputBucketName", str, None, 64, "[a-z0-9][\\.\\-a-z0-9]{1,61}[a-z0-9]"),
    Constraint("OutputKey", str, 1, 1024, "[a-zA-Z0-9-_.!*'()/]{1,1024}$"),
    Constraint("OutputEncryptionKMSKeyId", str, 1, 2048),
    Constraint("KMSEncryptionContext", dict, 1, 10),
    Constraint("Settings", dict),
    Constraint("Settings.VocabularyName", str, 1, 200, _NAME),
    Constraint("Settings.ShowSpeakerLabels", bool),
    Constraint("Settings.MaxSpeakerLabels", int, 2, 30),
    Constraint("Settings.ChannelIdentification", bool),
    Constraint("Settings.ShowAlternatives", bool),
    Constraint("Settings.MaxAlternatives", int, 2, 10),
    Constraint("Settings.VocabularyFilterName", str, 1, 200, _NAME),
    Constraint("Settings.VocabularyFilterMethod", str, values=("remove", "mask", "tag")),
    Constraint("ModelSettings", dict),
    Constraint("ModelSettings.LanguageModelName", str, 1, 200, _NAME),
    Constraint("JobExecutionSettings", dict),
    Constraint("JobExecutionSettings.AllowDeferredExecution", bool),
    Constraint("JobExecutionSettings.DataAccessRoleArn", str, 20, 2048, _ROLE),
    Constraint("LanguageIdSettings.*.VocabularyName", str, 1, 200, _NAME),
    Constraint("LanguageIdSettings.*.VocabularyFilterName", str, 1, 200, _NAME),
    Constraint("LanguageIdSettings.*.LanguageModelName", str, 1, 200, _NAME),
    Constraint("ContentRedaction", dict),
    Constraint("ContentRedaction.RedactionType", str, values=("PII",), required=True),
    Constraint("ContentRedaction.RedactionOutput", str, values=_REDACTION, required=True),
    Constraint("ContentRedaction.PiiEntityTypes", list, 0),
    Constraint("Subtitles", dict),
    Constraint("Subtitles.Formats", list, values=("vtt", "srt")),
    Constraint("Subtitles.OutputStartIndex", int, 0, 1),
    Constraint("Tags", list, 1, 200),
    Constraint("Tags.*.Key", str, 1, 128, required=True),
    Constraint("Tags.*.Value", str, 0, 256, required=True),
    Constraint("ToxicityDetection", list, 1, 1),
    Constraint("ToxicityDetection.*.ToxicityCategories", list, 1, 1, "", ("ALL",), required=True),
)
_VOCABULARY_NAME = Constraint("VocabularyName", str, 1, 200, _NAME, required=True)
VOCABULARY = (_VOCABULARY_NAME,)
MAKE_VOCABULARY = (
    _VOCABULARY_NAME,
    Constraint("LanguageCode", str, values=LANGUAGES, required=True),
    Constraint("Phrases", list),
    Constraint("VocabularyFileUri", str, 1, 2000, _URI),
    Constraint("Tags", list, 1, 200),
    Constraint("DataAccessRoleArn", str, 20, 2048, _ROLE),
)
LIST_VOCABULARIES = (
    Constraint("StateEquals", str, values=("PENDING", "READY", "FAILED")),
    Constraint("NameContains", str, 1, 200, _NAME),
    Constraint("NextToken", str, None, 8192, ".+"),
    Constraint("MaxResults", int, 1, 100),
)
GET = DELETE = (_JOB_NAME,)
LIST = (
    Constraint("Status", str, values=STATUSES),
    Constraint("JobNameContains", str, 1, 200, _NAME),
    Constraint("NextToken", str, None, 8192, ".+"),
    Constraint("MaxResults", int, 1, 100),
)


def check(request: Mapping[str, Any], constraints: Sequence[Constraint]) -> None:
    """Hold every value against its constraint.

    Raises:
        Refused: SerializationException for a value of another type, else BadRequestException
            that lists each unmet constraint as the service does.
    """
    unmet = [text for constraint in constraints for text in _unmet(request, constraint)]
    if unmet:
        count = f"{len(unmet)} validation error{'s' if len(unmet) > 1 else ''} detected"
        raise bad_request(f"{count}: {'; '.join(unmet)}")


def find(request: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None."""
    return next(found(request, path), None)


def found(request: Mapping[str, Any], path: str) -> Iterator[Any]:
    """The values at a dotted path, in which `*` is each member of a list or map.

    A value that is missing in a structure that is there is None.
    """
    return _values(request, path.split("."))


def _values(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    if not parts:
        yield value
    elif parts[0] == "*":
        members = value.values() if isinstance(value, dict) else value
        for member in members if isinstance(value, dict | list) else ():
            yield from _values(member, parts[1:])
    elif isinstance(value, dict):
        yield from _values(value.get(parts[0]), parts[1:])


def _unmet(request: Mapping[str, Any], constraint: Constraint) -> Iterator[str]:
    for value in found(request, constraint.path):
        yield from _unmet_by(value, constraint)


def _unmet_by(value: Any, constraint: Constraint) -> Iterator[str]:
    if value is None:
        if constraint.required:
            yield _sentence("null", constraint, "Member must not be null")
        return
    # In JSON true is no number, though in Python it is one.
    if type(value) is not constraint.kind:
        raise Refused("SerializationException", f"{constraint.path} has another type")
    shown = f"'{_shown(value)}'"
    for demand in _demands(value, constraint):
        yield _sentence(shown, constraint, demand)


def _demands(value: Any, constraint: Constraint) -> Iterator[str]:
    """What the service would say the value must satisfy, and doesn't."""
    number = isinstance(value, int)
    size = value if number else len(value)
    measured = "value" if number else "length"
    if constraint.least is not None and size < constraint.least:
        yield f"Member must have {measured} greater than or equal to {constraint.least}"
    if constraint.most is not None and size > constraint.most:
        yield f"Member must have {measured} less than or equal to {constraint.most}"
    if constraint.pattern and not re.fullmatch(constraint.pattern, value):
        yield f"Member must satisfy regular expression pattern: {constraint.pattern}"
    if constraint.values:
        allowed = f"Member must satisfy enum value set: [{', '.join(constraint.values)}]"
        if isinstance(value, str) and value not in constraint.values:
            yield allowed
        if isinstance(value, list) and not set(map(str, value)) <= set(constraint.values):
            yield f"Member must satisfy constraint: [{allowed}]"


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _sentence(shown: str, constraint: Constraint, demand: str) -> str:
    parts = ("member" if part == "*" else part for part in constraint.path.split("."))
    place = ".".join(part[0].lower() + part[1:] for part in parts)
    return f"Value {shown} at '{place}' failed to satisfy constraint: {demand}"
