"""A line of ground truth ─► captions, for subtitles and Praat's TextGrid; pure.

A recording that was reviewed as one box of text is one segment as long as the recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.ground_truth.record import GroundTruth, Segment
from pipeline.transcripts import subtitles
from pipeline.transcripts.subtitles import Caption

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_segments(line: GroundTruth) -> tuple[Segment, ...]:
    """The segments, or the whole recording as one; one of unknown length ends where it begins."""
    whole = Segment(start=0.0, end=line.duration or 0.0, text=line.text)
    return tuple(each for each in line.segments if each.is_speech) or (whole,)


def srt(line: GroundTruth) -> str:
    """SubRip: "SPEAKER: text" where there are several speakers; nothing for empty segments."""
    return subtitles.srt(
        each._replace(text=f"{each.speaker}: {each.text}") if each.speaker else each
        for each in _spoken(line)
    )


def vtt(line: GroundTruth) -> str:
    """WebVTT: speakers as voices where there are several; nothing for empty segments."""
    return subtitles.vtt(_spoken(line))


def text_grid(line: GroundTruth) -> str:
    """A TextGrid with a tier per speaker (or channel)."""
    from pipeline.transcripts import praat

    captions = (Caption(e.start, e.end, e.text, speaker(e)) for e in all_segments(line))
    return praat.text_grid(captions, line.duration or 0.0)


def speaker(segment: Segment) -> str:
    """Who speaks, on one line; "" where it is unknown."""
    return " ".join(segment.who.split())


def _spoken(line: GroundTruth) -> Iterator[Caption]:
    """The segments with a text, and the speaker's name where there are several."""
    segments = [each for each in all_segments(line) if each.text.strip()]
    several = len({speaker(each) for each in segments}) > 1
    return (Caption(e.start, e.end, e.text, speaker(e) if several else "") for e in segments)
