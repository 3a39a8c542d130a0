"""Reviews whose figures were reckoned by hand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from pipeline.ground_truth.record import AUTO, REVIEWED, GroundTruth
from pipeline.quality.metrics import sums_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pipeline.quality.metrics import Quality

DAY = date(2026, 11, 28)


def review(said: str, heard: str | None, **more: Any) -> GroundTruth:
    """One review of a minute of English."""
    about: dict[str, Any] = {
        "audio": "s3://b/calls/a.mp3",
        "language": "en-US",
        "duration": 60.0,
        "score": 0.9,
    }
    return GroundTruth(source=REVIEWED, text=said, predicted=heard, **(about | more))


def auto(heard: str, **more: Any) -> GroundTruth:
    """One line that nobody reviewed."""
    about: dict[str, Any] = {"audio": "s3://b/calls/c.mp3", "score": 0.99}
    return GroundTruth(source=AUTO, text=heard, **(about | more))


# By hand: 4 + 6 + 0 words; 1 substituted (cat/hat), 1 deleted (the), 1 inserted (oh), 2 inserted
# into silence; the fourth is what nobody reviewed.
THREE = [
    review("The cat sat down.", "the hat sat down", reviewer="anna"),
    review(
        "we met at the old house",
        "oh we met at old house",
        reviewer="ben",
        score=0.8,
        audio="s3://b/calls/d.mp3",
    ),
    review("", "hm hm", reviewer="ben", score=0.3, audio="s3://b/other/b.mp3"),
    auto("never heard"),
    review("no prediction", None, audio="s3://b/calls/e.mp3"),
]


def measure(
    lines: Iterable[GroundTruth], depth: int = 1, doubtful: Collection[str] = ()
) -> Quality:
    """The quality of lines by themselves, which `quality` measures in a file."""
    return sums_of(lines, depth, doubtful).quality()
