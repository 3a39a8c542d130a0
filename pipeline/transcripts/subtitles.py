"""Captions ─► SubRip and WebVTT; pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 0.001
"""Subtitles count milliseconds, and no caption may be without a length."""


class Caption(NamedTuple):
    """What is shown, or said, from `start` to `end` (seconds), and who speaks; "" if unknown."""

    start: float
    end: float
    text: str
    speaker: str = ""


def srt(captions: Iterable[Caption]) -> str:
    """SubRip, which has no place for a speaker; nothing where there is no caption."""
    return "\n".join(
        f"{number}\n{_times(each).replace('.', ',')}\n{one_block(each.text).replace('-->', '->')}\n"
        for number, each in enumerate(captions, 1)
    )


def vtt(captions: Iterable[Caption]) -> str:
    """WebVTT, with speakers as voices."""
    return "".join(["WEBVTT\n", *(f"\n{_times(each)}\n{_said(each)}\n" for each in captions)])


def one_block(text: str) -> str:
    """The text without empty lines and white space at the ends: they would end a caption."""
    return "\n".join([words for line in text.splitlines() if (words := " ".join(line.split()))])


def _said(caption: Caption) -> str:
    voice = f"<v {escape(caption.speaker)}>" if caption.speaker else ""
    return voice + escape(one_block(caption.text), quote=False)


def _times(caption: Caption) -> str:
    end = max(caption.end, caption.start + SHORTEST)
    return f"{_clock(caption.start)} --> {_clock(end)}"


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
