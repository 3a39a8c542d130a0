"""Labels that stand apart from the words, joined to them by their times; pure."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from pipeline.transcripts.schema import Item, SpeakerSegment

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


def groups_of(spoken: Sequence[Item], given: Sequence[SpeakerSegment]) -> Sequence[Sequence[int]]:
    """The numbers of the words that each segment lists, joined by their times."""
    listed = [word for each in given for word in each.items]
    starts, ends = [item.start_time for item in spoken], [item.end_time for item in spoken]
    if starts == [each.start_time for each in listed] and ends == [
        each.end_time for each in listed
    ]:
        bounds = accumulate([len(each.items) for each in given], initial=0)
        return [range(*each) for each in pairwise(bounds)]
    labelled = [((s.start_time, s.end_time), n) for n, each in enumerate(given) for s in each.items]
    groups: list[list[int]] = [[] for _ in given]
    for number, place in enumerate(hand_out(list(zip(starts, ends, strict=True)), labelled)):
        if place is not None:
            groups[place].append(number)
    return groups


def hand_out(keys: Sequence[K], labelled: Sequence[tuple[K, V]]) -> list[V | None]:
    """Give each key its label, None without one; equal keys take theirs in order."""
    single = dict(labelled)
    if len(single) == len(labelled):  # every real file but those with words at the same moment
        return [single.get(key) for key in keys]
    left: dict[K, list[V]] = {}
    for key, label in reversed(labelled):
        left.setdefault(key, []).append(label)
    return [labels.pop() if (labels := left.get(key)) else single.get(key) for key in keys]
