"""Two texts ─► counts of what was heard right, wrong, too much and not at all; pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import jiwer
import msgspec

from pipeline.quality.normalise import has_words, normalised

if TYPE_CHECKING:
    from collections.abc import Iterator


class Counts(msgspec.Struct):
    """Units (words or characters) of the review against those of the prediction.

    The review has `hits + substitutions + deletions` of them, the prediction
    `hits + substitutions + insertions`.
    """

    hits: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    @property
    def errors(self) -> int:
        """What would have to be corrected."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def reference(self) -> int:
        """How many the review has."""
        return self.hits + self.substitutions + self.deletions

    @property
    def predicted(self) -> int:
        """How many the prediction has."""
        return self.hits + self.substitutions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors per unit of the review; it may exceed 1. None where the review has none."""
        return self.errors / self.reference if self.reference else None

    def facts(self) -> dict[str, Any]:
        """The counts as `--json` prints them."""
        return {"reference": self.reference, **msgspec.structs.asdict(self)}

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
        )


class Confusion(NamedTuple):
    """Words of the review (what was said) and of the prediction (what was heard); "" for none."""

    reference: str
    hypothesis: str


class Comparison(NamedTuple):
    """A review against its prediction: by words (None in languages without spaces), characters."""

    words: Counts | None
    characters: Counts
    confusions: Counter[Confusion]

    @property
    def units(self) -> Counts:
        """Words, or where there are none characters."""
        return self.characters if self.words is None else self.words


def compare(reference: str, hypothesis: str, language: str | None) -> Comparison:
    """Compare a review with its prediction, both normalised, at the least number of errors."""
    texts = normalised(reference, language), normalised(hypothesis, language)
    characters = _counts(jiwer.process_characters(*texts))
    if not has_words(language):
        return Comparison(None, characters, Counter())
    aligned = jiwer.process_words(*texts)
    return Comparison(_counts(aligned), characters, Counter(_confusions(aligned)))


def _counts(aligned: jiwer.WordOutput | jiwer.CharacterOutput) -> Counts:
    return Counts(aligned.hits, aligned.substitutions, aligned.insertions, aligned.deletions)


def _confusions(aligned: jiwer.WordOutput) -> Iterator[Confusion]:
    reference, hypothesis = aligned.references[0], aligned.hypotheses[0]
    for chunk in aligned.alignments[0]:
        ours = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        theirs = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "substitute":
            yield from map(Confusion, ours, theirs)
        elif chunk.type == "delete":
            yield from (Confusion(word, "") for word in ours)
        elif chunk.type == "insert":
            yield from (Confusion("", word) for word in theirs)
