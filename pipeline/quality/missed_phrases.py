"""Reviews ─► the phrases that a custom vocabulary should have, the most often missed first; pure.

A phrase is worth an entry when reviewers put it in again and again, and when it is more often wrong
than right: what the service usually hears needs none. So function words drop out by evidence, and
no list of them is needed. A longer phrase takes the place of its parts where it accounts for them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jiwer

from pipeline.ground_truth.choice import rank
from pipeline.ground_truth.record import REVIEWED
from pipeline.ground_truth.unusable import usable, without_marks
from pipeline.quality.normalise import has_words, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.ground_truth.record import GroundTruth

_LONGEST = 4  # words of a phrase
_SHORTEST = 2  # characters of one
_EXAMPLES = 3


class Missed(NamedTuple):
    """A phrase as reviewers write it; how often it was missed and heard right, and as what."""

    text: str
    missed: int
    right: int
    heard: tuple[str, ...]


class Pair(NamedTuple):
    """What was said and what had been predicted, both as they are written."""

    reference: str
    hypothesis: str


class _Word(NamedTuple):
    """One word to compare by, and which of the written tokens it is of."""

    text: str
    token: int


class _Place(NamedTuple):
    """Where a phrase was missed: the number of the pair, and which of its words were wrong."""

    pair: int
    wrong: frozenset[int]


class _Phrase:
    """What is gathered about one phrase."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.hypotheses: Counter[str] = Counter()
        self.places: list[_Place] = []


def reviews(
    lines: Iterable[GroundTruth], language: str | None, prefer: Sequence[str] = ()
) -> dict[str, GroundTruth]:
    """By audio, the review that counts of those in a language that have a prediction.

    None takes every language. What reviewers marked as unusable is left out; `prefer` is as of
    `rank`.
    """
    found: dict[str, GroundTruth] = {}
    for line in lines:
        fits = line.source == REVIEWED and line.predicted is not None
        if fits and (language is None or line.language in {None, language}):
            found[line.audio] = max(
                found.get(line.audio, line), line, key=partial(rank, prefer=prefer)
            )
    left = ((audio, usable(line)) for audio, line in found.items())
    return {audio: line for audio, line in left if line}


def pairs(found: Iterable[GroundTruth]) -> Iterator[Pair]:
    """What was said and heard in reviews, by segments where they still belong together.

    They don't where one was drawn, deleted or emptied: its text may have gone to its neighbour.
    """
    for line in found:
        kept = (
            s.predicted is not None and bool(s.text) == bool(s.predicted) for s in line.segments
        )
        together = not line.deleted and all(kept)
        if line.segments and together:
            yield from (Pair(each.text, each.predicted or "") for each in line.segments)
        else:
            yield Pair(line.text, line.predicted or "")


def missed_phrases(found: Sequence[Pair], language: str, least: int) -> list[Missed]:
    """The phrases that were missed `least` times and more, and more often than not."""
    if not has_words(language):
        return []
    phrases: defaultdict[tuple[str, ...], _Phrase] = defaultdict(_Phrase)
    right: Counter[tuple[str, ...]] = Counter()
    compared = [_Compared(pair, language) for pair in found]
    for number, each in enumerate(compared):
        each.gather(number, phrases)
    candidates = {words: p for words, p in phrases.items() if len(p.places) >= least}
    said: Counter[tuple[str, ...]] = Counter()
    for each in compared:
        for words, as_said in each.runs():
            if words in candidates:
                said[words] += 1
                right[words] += as_said
    wrong = {w: p for w, p in candidates.items() if len(p.places) > right[w]}
    for part in {part for words in wrong for part in _parts(words) if said[part] == said[words]}:
        wrong.pop(part, None)  # it is never said but as a part of the longer one
    return list(_chosen(wrong, right, least))


def _parts(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every shorter run of a phrase's words."""
    for length in range(1, len(words)):
        for first in range(len(words) - length + 1):
            yield words[first : first + length]


def _chosen(
    phrases: dict[tuple[str, ...], _Phrase], right: Counter[tuple[str, ...]], least: int
) -> Iterator[Missed]:
    """Each phrase that accounts for enough errors which those before it do not."""
    accounted: set[tuple[int, int]] = set()
    order = sorted(phrases, key=lambda words: (-len(phrases[words].places), -len(words), words))
    for words in order:
        phrase = phrases[words]
        errors = [{(place.pair, at) for at in place.wrong} for place in phrase.places]
        if sum(not each <= accounted for each in errors) < least:
            continue
        accounted.update(*errors)
        heard = tuple(text for text, _ in phrase.hypotheses.most_common(_EXAMPLES))
        written = max(phrase.written, key=lambda text: (phrase.written[text], text))
        yield Missed(written, len(phrase.places), right[words], heard)


class _Compared:
    """One pair, aligned at the least number of errors."""

    def __init__(self, pair: Pair, language: str) -> None:
        self._tokens = without_marks(pair.reference).split()
        self._reference = list(_words(self._tokens, language))
        self._hypothesis = normalised(pair.hypothesis, language).split()
        said = " ".join(word.text for word in self._reference)
        aligned = jiwer.process_words(said, " ".join(self._hypothesis))
        self._chunks = aligned.alignments[0]
        self._wrong = frozenset(
            at
            for chunk in self._chunks
            if chunk.type in {"substitute", "delete"}
            for at in range(chunk.ref_start_idx, chunk.ref_end_idx)
        )

    def gather(self, number: int, phrases: defaultdict[tuple[str, ...], _Phrase]) -> None:
        """Note every run of words that begins and ends with a missed one, up to four words."""
        for first, end in self._bounds():
            if not {first, end - 1} <= self._wrong or not self._is_one(first, end):
                continue
            words = self._words(first, end)
            if len("".join(words)) < _SHORTEST or "".join(words).isdigit():
                continue
            phrase = phrases[words]
            phrase.written[self._written(first, end)] += 1
            phrase.hypotheses[self._hypothesis_of(first, end)] += 1
            phrase.places.append(_Place(number, self._wrong & set(range(first, end))))

    def runs(self) -> Iterator[tuple[tuple[str, ...], bool]]:
        """Every run of up to four words, and whether all were heard as they were said."""
        for first, end in self._bounds():
            yield self._words(first, end), self._wrong.isdisjoint(range(first, end))

    def _bounds(self) -> Iterator[tuple[int, int]]:
        count = len(self._reference)
        for first in range(count):
            for end in range(first + 1, min(first + _LONGEST, count) + 1):
                yield first, end

    def _words(self, first: int, end: int) -> tuple[str, ...]:
        return tuple(word.text for word in self._reference[first:end])

    def _is_one(self, first: int, end: int) -> bool:
        """Whether no sentence or clause ends inside, and whole tokens are taken."""
        tokens = [word.token for word in self._reference[first:end]]
        inside = {token for token in tokens if token != tokens[-1]}
        whole = (first == 0 or self._reference[first - 1].token != tokens[0]) and (
            end == len(self._reference) or self._reference[end].token != tokens[-1]
        )
        return whole and not any(self._tokens[token][-1] in ".,;:?!…" for token in inside)

    def _written(self, first: int, end: int) -> str:
        return " ".join(
            self._tokens[self._reference[first].token : self._reference[end - 1].token + 1]
        )

    def _hypothesis_of(self, first: int, end: int) -> str:
        """The words that were heard in the place of these."""
        words: list[str] = []
        for chunk in self._chunks:
            start, stop = max(first, chunk.ref_start_idx), min(end, chunk.ref_end_idx)
            if chunk.type == "insert" and first <= chunk.ref_start_idx < end:
                words += self._hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
            elif chunk.type != "delete" and start < stop:
                shift = chunk.hyp_start_idx - chunk.ref_start_idx
                words += self._hypothesis[start + shift : stop + shift]
        return " ".join(words)


def _words(tokens: Sequence[str], language: str) -> Iterator[_Word]:
    """The words of written tokens as they are compared; a token may hold several, or none."""
    for number, token in enumerate(tokens):
        for text in normalised(token, language).split():
            yield _Word(text, number)
