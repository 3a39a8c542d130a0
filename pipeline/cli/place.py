"""Where the recordings are that SOURCE names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BadSettings, NoSuchSource
from pipeline.naming import S3Place, parse_s3_uri

if TYPE_CHECKING:
    from pipeline.config import Config


def parse_source(source: str, config: Config) -> S3Place | Path:
    """The bucket and prefix, or the folder, that SOURCE names.

    Raises:
        BadSettings: it is neither, or the settings do not go with a folder.
        NoSuchSource: there is no such folder.
    """
    if not source:
        raise BadSettings("SOURCE is empty: name s3://bucket/prefix, or a folder.")
    place = parse_s3_uri(source)
    if place is not None:
        return place
    if "://" in source:
        raise BadSettings(f"SOURCE {source!r}: write it as s3://bucket/prefix, or name a folder.")
    folder = Path(os.path.abspath(source))  # noqa: PTH100 # resolve() would follow links
    if not folder.is_dir():
        if folder.exists():
            raise NoSuchSource(f"{source} is a file: name the folder it is in, and --include it.")
        raise NoSuchSource(f"There is no folder {source} (a bucket is s3://bucket/prefix).")
    _check_settings_of_a_folder(config)
    return folder


def _check_settings_of_a_folder(config: Config) -> None:
    """Refuse what only a bucket can have.

    Raises:
        BadSettings: so it is.
    """
    language = config.transcribe.language
    if language != "auto" and not language.startswith("en-"):
        raise BadSettings(
            f"language = {language!r}: the recogniser for folders knows US English only. "
            "Recordings in other languages need a bucket and Amazon Transcribe."
        )
    if config.transcribe.vocabulary:
        raise BadSettings(
            "vocabulary goes with a bucket: the recogniser for folders keeps none. `serve` does."
        )
    if config.aws.events:
        raise BadSettings("events goes with a bucket: the recogniser for folders sends none.")
    if config.output.results:
        raise BadSettings("results goes with a bucket: a folder's transcripts are not kept.")
