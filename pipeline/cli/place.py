"""Where the recordings are that SOURCE names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.prefix import refuse_arn, refuse_pattern
from pipeline.errors import BadSettings, NoSuchSource
from pipeline.extras import require
from pipeline.naming import S3Uri, parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config
    from pipeline.config.transcription import Transcribe
    from pipeline.transcripts.formats import TranscriptFormat

_NAME_ONE = "Name a bucket as s3://bucket/prefix, or a folder."
_OF_A_BUCKET = ("max_speakers", "redaction", "toxicity", "kms_key", "subtitles")
_NAMED = (
    *("vocabulary", "vocabularies", "vocabulary_filter", "vocabulary_filters"),
    *("language_model", "language_models"),
)


def parse_source(source: str, config: Config) -> S3Uri | Path:
    """The bucket and prefix, or the folder, that SOURCE names.

    Raises:
        BadSettings: it is neither, or the settings do not go with a folder.
        NoSuchSource: there is no such folder.
    """
    if not source:
        raise BadSettings("SOURCE is empty", _NAME_ONE)
    if not Path(source).is_dir():  # a folder may have any name
        refuse_arn(source)
        refuse_pattern(source, "SOURCE", include=True)
    place = parse_s3_uri(source)
    if place is not None:
        return place
    if _is_uri(source) and not Path(source).is_dir():
        raise BadSettings(f"SOURCE {source!r} is no bucket and no folder", _NAME_ONE)
    folder = Path(os.path.abspath(source))  # noqa: PTH100 # resolve() would follow links
    if not folder.is_dir():
        if folder.exists():
            raise NoSuchSource(f"{source} is a file", "Name the folder it is in, and --include it.")
        raise NoSuchSource(f"There is no folder {source}", _NAME_ONE)
    _check_settings_of_a_folder(config)
    return folder


def _is_uri(text: str) -> bool:
    return "://" in text or text.startswith("s3:")


def _check_settings_of_a_folder(config: Config) -> None:
    """Refuse what only a bucket can have, all of it in one message.

    Raises:
        BadSettings: the settings name something of the kind.
    """
    wrong = [each for options in config.options for each in _not_of_a_folder(options)]
    if config.aws.events:
        wrong.append("events goes with a bucket: the recognizer for folders sends none.")
    if (metadata := config.metadata.source) in ("object", "tags"):
        wrong.append(
            f"source = {metadata!r} in [metadata] goes with a bucket: a file has a sidecar."
        )
    if config.output.results:
        wrong.append("results goes with a bucket: a folder's transcripts are not kept.")
    if wrong:
        raise BadSettings("\n".join(dict.fromkeys(wrong)))


def _not_of_a_folder(options: Transcribe) -> Iterator[str]:
    language, choices = options.language, options.language_options
    if not options.identifies and not language.startswith("en-"):
        yield (
            f"language = {language!r}: the recognizer for folders knows US English only. "
            "Recordings in other languages need a bucket and Amazon Transcribe."
        )
    if choices and not any(code.startswith("en-") for code in choices):
        yield "language_options: the recognizer for folders knows US English only. Add en-US."
    if found := [name for name in _OF_A_BUCKET if getattr(options, name)]:
        yield f"{', '.join(found)} goes with a bucket: the recognizer for folders has none of it."
    if found := [name for name in _NAMED if getattr(options, name)]:
        yield (
            f"{', '.join(found)} goes with a bucket: the recognizer for folders keeps none. "
            "`serve` keeps vocabularies."
        )


def parse_transcripts(config: Config) -> tuple[S3Uri | Path, tuple[TranscriptFormat, ...]]:
    """Where transcripts are written as files, and in which formats; none means as tables.

    Raises:
        BadSettings: it is no place, or a format is unknown.
        MissingExtra: a format needs a package that is not installed.
    """
    from pipeline.transcripts.formats import TranscriptFormat, parse_formats

    text = config.output.transcripts
    if not text:
        raise BadSettings(
            "No place for the transcripts is named",
            "Name a folder or s3://bucket/prefix/ with --to, or as transcripts in the settings.",
        )
    place = parse_s3_uri(text)
    if place is None and _is_uri(text):
        raise BadSettings(
            f"{text!r} is no folder and no place on S3, so no transcript can be written there",
            "Name a folder or s3://bucket/prefix/.",
        )
    formats = parse_formats(config.output.transcript_format)
    if not formats:
        require("tables")
    if TranscriptFormat.TEXTGRID in formats:
        import pipeline.transcripts.praat  # noqa: F401 # tells at once when it is not installed
    return place or Path(text), formats
