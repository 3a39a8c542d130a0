"""What of a review can't be trained on or measured with, by what the reviewer said of it; pure.

The rule: a segment is unusable when a control of it says one of the words below and nothing else,
or when its text holds one of them as a mark: `[unintelligible]`, `[inaudible 00:12]`. A recording
is unusable when a control of the whole says one of them. A mark is anything in square brackets
that begins with a letter; no mark is a word, except for what the service writes in place of what
it redacts (`[PII]`, `[NAME]`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.ground_truth.record import REVIEWED

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from pipeline.ground_truth.record import Controls, GroundTruth, Segment

UNUSABLE = (
    "unintelligible",
    "inaudible",
    "incomprehensible",
    "indiscernible",
    "crosstalk",
    "overlapping speech",
    "no speech",
    "unusable",
)
"""In any case, with hyphens or underscores for spaces."""

_REDACTED = r"PII|NAME|ADDRESS|EMAIL|PHONE|PIN|SSN|BANK_\w+|CREDIT_\w+"
_MARK = re.compile(rf"\[(?!(?:{_REDACTED})\])\s*([^\W\d_][^\[\]\n]{{0,60}})\]")
_HOLE = re.compile(rf"(?:{'|'.join(UNUSABLE)})\b")


def without_marks(text: str) -> str:
    """The text with a space in place of each mark."""
    return _MARK.sub(" ", text)


def is_unusable(segment: Segment) -> bool:
    """Whether a segment is left out, by the rule above."""
    return _has_hole(segment.text) or says_unusable(segment.controls)


def usable(line: GroundTruth) -> GroundTruth | None:
    """The line without its unusable segments, said and predicted; None when nothing is left of it.

    A region that only a control of a team's own has drawn (a noise, a music) is no speech and is
    left out too.
    """
    if says_unusable(line.controls):
        return None
    kept = tuple(each for each in line.segments if each.is_speech and not is_unusable(each))
    if len(kept) == len(line.segments):
        return line
    if not any(each.is_speech for each in line.segments):  # the text has a box of its own
        return replace(line, segments=())
    if not kept:
        return None
    deleted = (each for each in line.deleted if not is_unusable(each))
    heard = sorted((*kept, *deleted), key=lambda each: (each.start, each.end))
    predicted = None if line.predicted is None else _joined(each.predicted for each in heard)
    text = _joined(each.text for each in kept)
    return replace(line, segments=kept, text=text, predicted=predicted)


def says_something(line: GroundTruth) -> bool:
    """Whether a review says anything: a text, a region without one, or that it is unusable."""
    return bool(line.text or line.segments) or says_unusable(line.controls)


def is_blank(line: GroundTruth) -> bool:
    """Whether a review says nothing where words were predicted, or may have been.

    So it is when the editor opened empty and was submitted.
    """
    return line.source == REVIEWED and not says_something(line) and line.predicted != ""


def trainable(lines: Iterable[GroundTruth], left_out: Counter[str]) -> Iterator[GroundTruth]:
    """What of the lines can be trained on; counts in `left_out` the recordings and the segments.

    A whole text with a hole in it is left out: what it lacks can be heard in the recording.
    """
    for line in lines:
        kept = usable(line)
        if kept is None or (not kept.segments and _has_hole(kept.text)):
            left_out["recordings"] += 1
            continue
        spoken = sum(each.is_speech for each in line.segments)
        left_out["segments"] += spoken - len(kept.segments)
        yield kept


def _joined(texts: Iterable[str | None]) -> str:
    return " ".join(text for text in texts if text)


def _has_hole(text: str) -> bool:
    return any(_HOLE.match(_plain(mark)) for mark in _MARK.findall(text))


def says_unusable(controls: Controls) -> bool:
    """Whether one of the controls says one of the words, and nothing else."""
    return any(_plain(each) in UNUSABLE for said in controls.values() for each in said)


def _plain(words: str) -> str:
    return " ".join(words.casefold().replace("-", " ").replace("_", " ").strip("[]()<> ").split())
