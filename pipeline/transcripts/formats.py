"""The formats of `transcripts`, apart so that the command line loads no more."""

from __future__ import annotations

from enum import StrEnum

from pipeline.errors import BadSettings


class TranscriptFormat(StrEnum):
    """What `transcripts` writes."""

    TXT = "txt"
    SRT = "srt"
    VTT = "vtt"
    CSV = "csv"
    JSON = "json"
    RTTM = "rttm"
    CTM = "ctm"
    TEXTGRID = "textgrid"

    @property
    def suffix(self) -> str:
        """What its files' names end with."""
        return ".TextGrid" if self is TranscriptFormat.TEXTGRID else f".{self}"


PARQUET = "parquet"
"""Tables of all recordings, which are no file for each."""

LAID_OUT = frozenset({TranscriptFormat.SRT, TranscriptFormat.VTT})
"""Those whose files depend on the layout of captions."""

WITH_METADATA = frozenset({TranscriptFormat.CSV, TranscriptFormat.JSON})
"""Those whose files have the metadata of recordings."""

SUFFIXES = tuple(each.suffix.lower() for each in TranscriptFormat)


def parse_formats(text: str) -> tuple[TranscriptFormat, ...]:
    """The formats of a list such as `txt,srt`, each once; none for the tables of `parquet`.

    Raises:
        BadSettings: one is unknown, none is named, or tables and files at once.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if set(names) == {PARQUET}:
        return ()
    if PARQUET in names:
        raise BadSettings(
            "parquet is no file for each recording, so it can't be written with other formats",
            "Write it with a command of its own, to a place of its own.",
        )
    known = {str(each) for each in TranscriptFormat}
    if wrong := [name for name in names if name not in known]:
        raise BadSettings(
            f"There is no format {', '.join(map(repr, wrong))} of transcripts",
            f"Name some of {', '.join(TranscriptFormat)}, with commas between; or parquet.",
        )
    if not names:
        raise BadSettings(
            "No format of transcripts is named", f"Name some of {', '.join(TranscriptFormat)}."
        )
    return tuple(dict.fromkeys(map(TranscriptFormat, names)))
