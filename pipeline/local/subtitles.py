"""Speech as the subtitle files that the service writes; pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.local.document import Segment


def subtitles(segments: Iterable[Segment], suffix: str, first: int) -> bytes:
    """A file of WebVTT (`vtt`) or SubRip (`srt`); `first` is the number of the first subtitle."""
    mark = "." if suffix == "vtt" else ","
    cues = [
        f"{number}\n{_clock(start, mark)} --> {_clock(end, mark)}\n{escape(text, quote=False)}\n"
        for number, (start, end, text, _) in enumerate(segments, first)
    ]
    return "\n".join(["WEBVTT\n", *cues] if suffix == "vtt" else cues).encode()


def _clock(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"
