"""Captions ─► Praat's TextGrid; apart, as its library comes with an extra."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from praatio import textgrid
from praatio.utilities.constants import Interval

from pipeline.transcripts.subtitles import SHORTEST, one_block

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.transcripts.subtitles import Caption


def text_grid(captions: Iterable[Caption], duration: float) -> str:
    """A TextGrid with a tier per speaker, where overlaps need it several of them.

    Args:
        captions: one at least.
        duration: of the recording in seconds, 0 where it is unknown.
    """
    tiers: dict[str, list[Interval]] = {}
    for each in sorted(captions, key=lambda each: (each.start, each.end)):
        end = max(each.end, each.start + SHORTEST)
        tier = _free_tier(tiers, each.speaker or "text", each.start)
        tiers.setdefault(tier, []).append(Interval(each.start, end, one_block(each.text)))
    longest = max(duration, *(tier[-1].end for tier in tiers.values()))
    grid = textgrid.Textgrid()
    for name, intervals in tiers.items():
        grid.addTier(textgrid.IntervalTier(name, intervals, 0, longest))
    with tempfile.TemporaryDirectory() as folder:  # the library writes to files alone
        path = Path(folder) / "grid"
        grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
        return path.read_text(encoding="utf-8")


def _free_tier(tiers: dict[str, list[Interval]], name: str, start: float) -> str:
    """The first tier of this name that is free at `start`: a tier's intervals never overlap."""
    number, free = 1, name
    while free in tiers and tiers[free][-1].end > start:
        number += 1
        free = f"{name} ({number})"
    return free
