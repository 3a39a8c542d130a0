"""A line of ground truth ─► subtitles (SubRip, WebVTT) or Praat's TextGrid; pure.

A recording that was reviewed as one box of text is one segment as long as the recording.
"""

from __future__ import annotations

import io
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import webvtt
from praatio import textgrid
from praatio.utilities.constants import Interval

from pipeline.ground_truth.record import GroundTruth, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORTEST = 0.001
"""Subtitles count milliseconds, and no interval may be without a length."""


def all_segments(line: GroundTruth) -> tuple[Segment, ...]:
    """The segments, or the whole recording as one; one of unknown length ends where it begins."""
    whole = Segment(start=0.0, end=line.duration or 0.0, text=line.text)
    return line.segments or (whole,)


def srt(line: GroundTruth) -> str:
    """SubRip: "SPEAKER: text" where there are several speakers; nothing for empty segments."""
    captions = [
        _caption(each, (f"{name}: " if name else "") + _lines(each.text).replace("-->", "->"))
        for each, name in _spoken(line)
    ]
    return _written(captions, "srt")


def vtt(line: GroundTruth) -> str:
    """WebVTT: speakers as voices where there are several; nothing for empty segments."""
    captions = [
        _caption(
            each, (f"<v {escape(name)}>" if name else "") + escape(_lines(each.text), quote=False)
        )
        for each, name in _spoken(line)
    ]
    return _written(captions, "vtt")


def text_grid(line: GroundTruth) -> str:
    """A TextGrid with a tier per speaker (or channel), where overlaps need it several of them."""
    tiers: dict[str, list[Interval]] = {}
    for segment in sorted(all_segments(line), key=lambda each: (each.start, each.end)):
        end = max(segment.end, segment.start + _SHORTEST)
        interval = Interval(segment.start, end, _lines(segment.text))
        tiers.setdefault(_free_tier(tiers, speaker(segment) or "text", segment.start), []).append(
            interval
        )
    longest = max(line.duration or 0.0, *(tier[-1].end for tier in tiers.values()))
    grid = textgrid.Textgrid()
    for name, intervals in tiers.items():
        grid.addTier(textgrid.IntervalTier(name, intervals, 0, longest))
    with tempfile.TemporaryDirectory() as folder:  # the library writes to files alone
        path = Path(folder) / "grid"
        grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
        return path.read_text(encoding="utf-8")


def speaker(segment: Segment) -> str:
    """Who speaks, on one line; "" where it is unknown."""
    return " ".join(segment.who.split())


def _free_tier(tiers: dict[str, list[Interval]], name: str, start: float) -> str:
    """The first tier of this name that is free at `start`: a tier's intervals never overlap."""
    number, free = 1, name
    while free in tiers and tiers[free][-1].end > start:
        number += 1
        free = f"{name} ({number})"
    return free


def _spoken(line: GroundTruth) -> Iterator[tuple[Segment, str]]:
    """The segments with a text, and the speaker's name where there are several."""
    segments = [each for each in all_segments(line) if each.text.strip()]
    several = len({speaker(each) for each in segments}) > 1
    return ((each, speaker(each) if several else "") for each in segments)


def _lines(text: str) -> str:
    """The text without empty lines and white space at the ends: they would end a caption."""
    return "\n".join(words for line in text.splitlines() if (words := " ".join(line.split())))


def _caption(segment: Segment, text: str) -> webvtt.Caption:
    end = max(segment.end, segment.start + _SHORTEST)
    return webvtt.Caption(_clock(segment.start), _clock(end), text)


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def _written(captions: list[webvtt.Caption], kind: str) -> str:
    file = io.StringIO()
    webvtt.WebVTT(captions=captions).write(file, format=kind)
    return file.getvalue().rstrip("\n") + "\n"
