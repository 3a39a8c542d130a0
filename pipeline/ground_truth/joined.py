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
from pipeline.ground_truth.record import OtherReview, ReviewedPart
from pipeline.ground_truth.unusable import is_blank, says_something, says_unusable, usable
from pipeline.tasks.recording_parts import wholes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.ground_truth.choice import Rank
    from pipeline.ground_truth.record import Controls, GroundTruth, Segment
    from pipeline.tasks.recording_parts import Part

    Chosen = list[GroundTruth | None]


def line_of(
    reviews: Mapping[Part, Sequence[GroundTruth]], prefer: Sequence[str]
) -> tuple[GroundTruth | None, set[Part]]:
    """The line of a recording, and which of its parts have a review that counts.

    Without a review that counts of every part it is None. A recording that was cut in several ways,
    each of them reviewed as a whole, has the line that would count between such lines (`rank`).

    Args:
        reviews: of the parts, which may be of several cuttings.
        prefer: as of `rank`.
    """
    lines, counts = [], set()
    for whole in wholes_of(reviews):
        best = chosen([reviews[part] for part in whole], prefer)
        of_it = [(part, line) for part, line in zip(whole, best, strict=True) if line]
        counts |= {part for part, _ in of_it}
        if len(of_it) == len(whole):
            others = [_by_rank(reviews[part], line, prefer) for part, line in of_it]
            lines.append(joined(of_it, others))
    return max(lines, key=lambda line: rank(line, prefer), default=None), counts


def partial_of(
    reviews: Mapping[Part, Sequence[GroundTruth]], prefer: Sequence[str]
) -> tuple[GroundTruth | None, set[Part]]:
    """The reviews of parts that are in no line, in the `parts` of one, and which parts these are.

    It is no ground truth and has no text but that of parts with several reviews. As two people are
    compared by one part alone, each part is of that transcript of which its own reviews are,
    whatever the others are of. Without a review that says something it is None.

    Args:
        reviews: of parts, which may be of several cuttings.
        prefer: as of `rank`.
    """
    alone = {part: chosen([lines], prefer)[0] for part, lines in reviews.items()}
    ordered = sorted(alone, key=lambda part: (part.cuts, part.number))
    of_it = [(part, line) for part in ordered if (line := alone[part])]
    if not of_it:
        return None, set()
    both = joined(of_it, [_by_rank(reviews[part], line, prefer) for part, line in of_it])
    bare = replace(
        both, text="", segments=(), predicted=None, deleted=(), controls={}, partial=True
    )
    return bare, {part for part, _ in of_it}


def chosen(parts: Sequence[Sequence[GroundTruth]], prefer: Sequence[str]) -> Chosen:
    """The review of each part that counts, all of one transcript; None for a part without one.

    Where two transcripts meet at a cut, a segment may be there twice or not at all. They are told
    apart by the key that the ids of the prediction's results have, else by its score, which is the
    recording's; a review that began from no prediction goes with any. A transcript that hears
    nothing in a part gives that part no ids. A review of it goes with a transcript of its score,
    where no review of the part shows that this one heard something there.

    A review says something of its part by a text, by a region without one, or by that the part is
    unusable. One that says nothing, as when the editor opened empty, counts only where nothing was
    predicted. Of several transcripts that counts of which a review says something, then that of
    which more parts are reviewed, then that with the highest review (`rank`).

    Args:
        parts: the reviews of each.
        prefer: as of `rank`.
    """
    counting = [[line for line in lines if not is_blank(line)] for lines in parts]
    keys = dict.fromkeys((line.transcript, line.score) for lines in counting for line in lines)
    candidates = [_of_transcript(key, score, parts, prefer) for key, score in keys]

    def order(lines: Chosen) -> tuple[bool, int, list[Rank]]:
        there = [line for line in lines if line]
        ranks = sorted((rank(line, prefer) for line in there), reverse=True)
        return any(map(says_something, there)), len(there), ranks

    return max(candidates, key=order, default=[None for _ in parts])


def _of_transcript(
    key: str, score: float | None, parts: Sequence[Sequence[GroundTruth]], prefer: Sequence[str]
) -> Chosen:
    """The best review of each part, of those that began from one transcript's prediction.

    Tasks that an earlier version pushed have no key. Where a part was reviewed with the key and
    without, a push has renewed it in between: the latter goes with it only for want of another.
    """

    def order(line: GroundTruth) -> tuple[bool, Rank]:
        return line.transcript == key or line.score is None, rank(line, prefer)

    of_it = (
        [e for e in lines if not is_blank(e) and _may_be_of(e, key, score, lines)]
        for lines in parts
    )
    return [max(lines, key=order, default=None) for lines in of_it]


def _may_be_of(
    line: GroundTruth, key: str, score: float | None, part: Sequence[GroundTruth]
) -> bool:
    """Whether a review began from a transcript's prediction, as far as all of the part tell."""
    if line.transcript:
        return line.transcript == key
    if line.predicted != "":
        return line.score in (score, None)
    began = (each for each in part if (each.transcript, each.score) == (key, score))
    return line.score == score and not any(each.predicted for each in began)


def _by_rank(
    lines: Sequence[GroundTruth], counts: GroundTruth, prefer: Sequence[str]
) -> list[GroundTruth]:
    """The other reviews of a part, the highest first."""
    others = [line for line in lines if line is not counts]
    return sorted(others, key=lambda line: rank(line, prefer), reverse=True)


def joined(
    reviews: Sequence[tuple[Part, GroundTruth]], others: Sequence[Sequence[GroundTruth]] = ()
) -> GroundTruth:
    """The line of a recording of which every part is reviewed.

    Args:
        reviews: one for each part, in their order.
        others: the other reviews of each, where there are some.
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
        transcript="",
        parts=tuple(
            _reviewed(part, line, more)
            for (part, line), more in zip(reviews, others or [()] * len(lines), strict=True)
        ),
    )


def _reviewed(part: Part, line: GroundTruth, others: Sequence[GroundTruth]) -> ReviewedPart:
    start, end = part.span(line.duration or 0.0)
    return ReviewedPart(
        start=start,
        end=end,
        reviewer=line.reviewer,
        seconds_spent=line.seconds_spent,
        task_id=line.task_id,
        annotation_id=line.annotation_id,
        starred=line.starred,
        text=_words(line) if others else None,
        others=tuple(_other(each, line) for each in others),
    )


def _other(line: GroundTruth, counts: GroundTruth) -> OtherReview:
    """What is kept of a review in whose place another of its part counts."""
    began = line.transcript == counts.transcript
    same = began and (bool(line.transcript) or line.score == counts.score)
    return OtherReview(
        reviewer=line.reviewer,
        seconds_spent=line.seconds_spent,
        annotation_id=line.annotation_id,
        text=_words(line) if same else None,
    )


def _words(line: GroundTruth) -> str | None:
    """What a review says that others can be compared with; None where it is no text to compare."""
    kept = usable(line)
    return None if kept is None or is_blank(line) else kept.text


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
