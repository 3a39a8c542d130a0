"""The reviews of a long recording's parts ─► the one line of the recording; pure.

Segments and texts are put together in the order of their times, the reviewers' seconds are added
up. What a control says of a part it says of the recording, each word once. Only that a part is
unusable is said of the part's own segments, unless all parts are: the others are not left out for
it. The line has the star when a part has it, and the language of the first part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.ground_truth.choice import rank
from pipeline.ground_truth.record import ReviewedPart
from pipeline.ground_truth.unusable import says_unusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.ground_truth.choice import Rank
    from pipeline.ground_truth.record import Controls, GroundTruth, Segment
    from pipeline.tasks.recording_parts import Part

    Chosen = list[GroundTruth | None]


def chosen(parts: Sequence[Sequence[GroundTruth]], prefer: Sequence[str]) -> Chosen:
    """The review of each part that counts, all of one transcript; None for a part without one.

    Where two transcripts meet at a cut, a segment may be there twice or not at all. They are told
    apart by the prediction's score, which is the recording's; a review that began from no
    prediction goes with any. A review without a segment, as when the editor opened empty, counts
    where nothing was predicted or the part is unusable, or where no part has a text.

    Args:
        parts: the reviews of each.
        prefer: as of `rank`.
    """
    scores = {line.score for lines in parts for line in lines}
    candidates = [_of_transcript(score, parts, prefer) for score in scores]
    if any(line.text for lines in parts for line in lines):
        candidates = [[None if e and _is_blank(e) else e for e in each] for each in candidates]

    def order(lines: Chosen) -> tuple[int, bool, Rank]:
        there = [line for line in lines if line]
        ranks = max(rank(line, prefer) for line in there)
        return len(there), any(line.text for line in there), ranks

    return max(filter(any, candidates), key=order)


def _of_transcript(
    score: float | None, parts: Sequence[Sequence[GroundTruth]], prefer: Sequence[str]
) -> Chosen:
    """The best review of each part, of those that began from a prediction of this score."""

    def order(line: GroundTruth) -> tuple[bool, Rank]:
        return not _is_blank(line), rank(line, prefer)

    of_it = [[line for line in lines if line.score in (score, None)] for lines in parts]
    return [max(lines, key=order, default=None) for lines in of_it]


def _is_blank(line: GroundTruth) -> bool:
    """Whether a review says nothing of a part in which words were predicted, or may have been."""
    says = line.text or line.segments or says_unusable(line.controls)
    return not says and line.predicted != ""


def joined(reviews: Sequence[tuple[Part, GroundTruth]]) -> GroundTruth:
    """The line of a recording of which every part is reviewed.

    Args:
        reviews: one for each part, in their order.
    """
    lines = [line for _, line in reviews]
    if not all(says_unusable(line.controls) for line in lines):
        lines = [_unusable_by_segment(line) for line in lines]
    segments = _ordered(each for line in lines for each in line.segments)
    # A box beside the segments, in a configuration of a team's own, has a text of its own.
    by_segment = all(line.text == _text(each.text for each in line.segments) for line in lines)
    seconds = [line.seconds_spent for line in lines]
    predicted = [line.predicted for line in lines]
    return replace(
        lines[0],
        text=_text(each.text for each in (segments if by_segment else lines)),
        segments=segments,
        predicted=None if None in predicted else _text(predicted),
        deleted=_ordered(each for line in lines for each in line.deleted),
        reviewer=", ".join(dict.fromkeys(e.reviewer for e in lines if e.reviewer)) or None,
        seconds_spent=None if None in seconds else round(sum(filter(None, seconds)), 3),
        controls=_together(line.controls for line in lines),
        starred=any(line.starred for line in lines),
        updated_at=max(line.updated_at for line in lines),
        parts=tuple(_reviewed(part, line) for part, line in reviews),
    )


def _reviewed(part: Part, line: GroundTruth) -> ReviewedPart:
    start, end = part.span(line.duration or 0.0)
    return ReviewedPart(
        start=start,
        end=end,
        reviewer=line.reviewer,
        seconds_spent=line.seconds_spent,
        task_id=line.task_id,
        annotation_id=line.annotation_id,
    )


def _unusable_by_segment(line: GroundTruth) -> GroundTruth:
    """The line with what says that it is unusable said of each of its segments instead."""
    moved = {name: said for name, said in line.controls.items() if says_unusable({name: said})}
    if not moved:
        return line

    def marked(segments: Iterable[Segment]) -> tuple[Segment, ...]:
        return tuple(replace(e, controls=_together([e.controls, moved])) for e in segments)

    rest = {name: said for name, said in line.controls.items() if name not in moved}
    more = {"segments": marked(line.segments), "deleted": marked(line.deleted)}
    return replace(line, controls=rest, **more)


def _together(several: Iterable[Controls]) -> Controls:
    """What controls say in several places, each word of a control once."""
    both: Controls = {}
    for controls in several:
        for name, said in controls.items():
            both[name] = tuple(dict.fromkeys([*both.get(name, ()), *said]))
    return both


def _ordered(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda each: (each.start, each.end)))


def _text(texts: Iterable[str | None]) -> str:
    return " ".join(text for text in texts if text)
