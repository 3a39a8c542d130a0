"""How long reviewers took for what they reviewed; pure.

The time is what Label Studio measured while the task was open (`seconds_spent`). Whoever takes less
time than the recording lasts can't have heard all of it, unless the player ran faster. The length
is known up to the end of the last segment, so a silence at the end makes nobody too quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from pipeline.ground_truth.record import REVIEWED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.ground_truth.record import GroundTruth, OtherReview, ReviewedPart

UNKNOWN = "unknown"

HEARABLE = 0.5
"""Nobody follows speech that is played at more than twice its speed."""

_ENOUGH = 5  # reviews that tell how someone works


class Pace(msgspec.Struct):
    """What one reviewer did; the times in milliseconds, of the reviews of which both are known.

    `timed` counts these, `unheard` those of them that took less time than the recording lasts, and
    `unhearable` those that took less than half of it.
    """

    reviews: int = 0
    timed: int = 0
    audio: int = 0
    spent: int = 0
    unheard: int = 0
    unhearable: int = 0

    def add(self, line: GroundTruth) -> None:
        """Count one review."""
        self.reviews += 1
        if line.duration and line.seconds_spent is not None:
            self.timed += 1
            self.audio += round(line.duration * 1000)
            self.spent += round(line.seconds_spent * 1000)
            self.unheard += is_quicker(line, 1.0)
            self.unhearable += is_quicker(line, HEARABLE)

    @property
    def is_doubtful(self) -> bool:
        """Whether most reviews took less time than they can be heard in."""
        return self.timed >= _ENOUGH and self.unhearable > self.timed / 2

    @property
    def ratio(self) -> float | None:
        """Hours of work for an hour of audio; None where no time is known."""
        return self.spent / self.audio if self.audio else None

    def facts(self) -> dict[str, Any]:
        """The figures as `--json` prints them."""
        return {
            "reviews": self.reviews,
            "timed": self.timed,
            "audio_hours": self.audio / 3_600_000,
            "spent_hours": self.spent / 3_600_000,
            "hours_per_audio_hour": self.ratio,
            "unheard": self.unheard,
            "unhearable": self.unhearable,
            "doubtful": self.is_doubtful,
        }


def is_quicker(line: GroundTruth, least: float) -> bool:
    """Whether a review took less than `least` times the recording's length, as far as is known.

    Of a recording that was several tasks, whether that of any part did.
    """
    return line.source == REVIEWED and any(
        each.seconds_spent is not None and each.seconds_spent < least * (each.duration or 0.0)
        for each in _reviews(line)
    )


def paces(lines: Iterable[GroundTruth]) -> dict[str, Pace]:
    """The pace of each reviewer, by name."""
    found: dict[str, Pace] = {}
    for line in lines:
        for review in [*_reviews(line), *_others(line)] if line.source == REVIEWED else ():
            found.setdefault(review.reviewer or UNKNOWN, Pace()).add(review)
    return dict(sorted(found.items()))


def _reviews(line: GroundTruth) -> list[GroundTruth]:
    """The line, or what each reviewed of a recording that was several tasks."""
    if not line.parts:
        return [line]
    return [_review(line, part, part) for part in line.parts]


def _others(line: GroundTruth) -> list[GroundTruth]:
    """What was reviewed of its parts in whose place another review counts."""
    return [_review(line, part, each) for part in line.parts for each in part.others]


def _review(line: GroundTruth, part: ReviewedPart, of: ReviewedPart | OtherReview) -> GroundTruth:
    return replace(
        line,
        reviewer=of.reviewer,
        duration=part.end - part.start,
        seconds_spent=of.seconds_spent,
        parts=(),
    )
