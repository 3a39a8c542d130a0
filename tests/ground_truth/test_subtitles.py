"""Subtitles of one line of ground truth."""

from __future__ import annotations

from pipeline.ground_truth.record import REVIEWED, GroundTruth, Segment
from pipeline.ground_truth.subtitles import srt, vtt


def line(*segments: Segment) -> GroundTruth:
    return GroundTruth(audio="s3://b/a.mp3", source=REVIEWED, text="", segments=segments)


def test_a_speaker_s_name_is_escaped():
    """A reviewer may call people as they like; in WebVTT a name ends at >."""
    said = vtt(
        line(
            Segment(start=0.0, end=1.0, text="hello", speaker="A <agent> & B"),
            Segment(start=1.0, end=2.0, text="hi", speaker="C"),
        )
    )

    assert "<v A &lt;agent&gt; &amp; B>hello" in said


def test_times_are_rounded_to_the_nearest_millisecond():
    """A time that binary fractions make a hair shorter is not cut to the millisecond before it."""
    said = srt(line(Segment(start=0.57, end=1.001, text="hello")))
    precise = srt(line(Segment(start=0.0016, end=4.0356, text="hello")))

    assert "00:00:00,570 --> 00:00:01,001" in said
    assert "00:00:00,002 --> 00:00:04,036" in precise
