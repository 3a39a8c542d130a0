"""Corrections ─► rows of a vocabulary's table, with the evidence for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import BadSettings
from pipeline.ground_truth.record import read_ground_truth
from pipeline.quality.missed_phrases import Missed, missed_phrases, pairs, reviews
from pipeline.quality.normalise import has_words
from pipeline.text import count_of, printable
from pipeline.vocabulary.table import Row, row_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.label_studio import LabelStudio
    from pipeline.vocabulary.table import Merged

_SHOWN = 20


class Candidate(NamedTuple):
    """A phrase that reviewers put in, and its row; None where no row can be made of it."""

    missed: Missed
    row: Row | None


def candidates(known: LabelStudio, language: str, least: int) -> list[Candidate]:
    """What was corrected `least` times and more, and wrong more often than right; most first.

    Raises:
        BadSettings: the language has no spaces between words.
        OutputUnusable: the ground truth can't be read.
    """
    if not has_words(language):
        raise BadSettings(
            f"language = {language!r}: it has no spaces between words, so corrections show no "
            "words",
            "Write the table by hand, and use `vocabulary apply`.",
        )
    found = reviews(read_ground_truth(Path(known.ground_truth)), language, known.prefer)
    missed = missed_phrases(list(pairs(found.values())), language, least)
    return [Candidate(each, row_for(each.text, language)) for each in missed]


def as_lines(found: list[Candidate], merged: Merged, table: Path, language: str) -> Iterator[str]:
    """What is new in the table, with the evidence for it, and what found no place there."""
    new = set(merged.rows[len(merged.rows) - merged.added :])
    for missed, row in [each for each in found if each.row in new][:_SHOWN]:
        heard = ", ".join(filter(None, missed.heard)) or "nothing"
        phrase = row.phrase if row else ""
        yield (
            f"{missed.missed:>5} of {missed.missed + missed.right:<5} "
            + printable(f"{phrase}  (heard: {heard})")
        )
    if merged.left_out:
        yield f"{merged.left_out:,} more found no room: a table holds 50 KB."
    next_step = "; look through them, then `transcribe-pipeline vocabulary apply`."
    yield (
        f"{count_of(merged.added, 'new row')} in {table}, {len(merged.rows):,} in all"
        + next_step * bool(merged.added)
    )
    for missed, row in found:
        if row is None:
            yield f"Can't be written in {language}'s characters: {printable(missed.text)}"
