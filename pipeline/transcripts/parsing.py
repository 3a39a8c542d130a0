"""Amazon Transcribe's JSON ─► Transcript: text, segments, speakers, channels; pure.

What the service added over the years is read where it is and made up for elsewhere:

    speaker of a word    on the item, else joined by its times with `speaker_labels`
    channel of a word    on the item, else joined by its times and content with `channel_labels`
    segments             `audio_segments`, else `speaker_labels.segments`, else cut from the words

An hour of speech is 10,000 items, so nothing is made of each that the segments do not need, unless
the words are asked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pipeline.model import Alternatives, Segment, ToxicitySegment, Transcript, Word
from pipeline.transcripts.joining import groups_of, hand_out
from pipeline.transcripts.schema import NULL, broken, read_document, read_labels
from pipeline.transcripts.segmentation import mean, segments_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.transcripts.schema import (
        Document,
        Item,
        Results,
        Span,
        ToxicityDetection,
    )

_MOST_SEGMENTS, _MOST_WORDS = 40_000, 200_000
"""In four hours: nearly three a second, and fourteen. 12,000 words an hour are many."""
_TOO_MANY = "The transcript has more words or segments than any recording."

T = TypeVar("T")


def parse_transcript(
    document: bytes, *, words: bool = False, words_below: float = 0.0
) -> Transcript:
    """Read one output file of a standard transcription job, of whatever year.

    With `words` every segment holds its words, else one with a confidence below `words_below` at
    least. Times are seconds, confidences 0..1. The segments are the service's own where these hold
    every word, and have their words' mean confidence; one without a word is left out. An item
    without content is no word. `languages` are the service's choice and then its other candidates
    by score, or all that were spoken, the longest first.

    Raises:
        RecordingFailed: for the reason "broken transcript", in words that quote nothing of it:
            not JSON, no `results` or `transcripts`, an item neither spoken nor punctuation, a
            word or segment whose times are missing, negative, not finite or end before they
            start, a confidence outside 0..1, words but no text, more segments than any recording
            has, or a Call Analytics output.
    """
    decoded = read_document(document)
    results = decoded.results
    if results is None:
        raise broken(_why_no_results(decoded))
    _refuse_too_many(results)
    text = results.transcripts[0].transcript if results.transcripts else ""
    spoken = _spoken(results.items)
    if spoken and not text.strip():
        raise broken("The transcript file has words but no text.")
    confidences = [item.alternatives[0].confidence for item in spoken]
    unsure = _below(words_below, confidences) if words_below else frozenset()
    return Transcript(
        job_name=decoded.job_name,
        text=text,
        segments=_segments(results, _Spoken(spoken, confidences, words, unsure), text),
        word_count=len(spoken),
        confidence=mean(confidences),
        languages=_languages(results),
        redacted=decoded.redacted,
        **_on_top(results),
    )


def _below(bound: float, confidences: Sequence[float | None]) -> frozenset[int]:
    """The numbers of the words whose confidence is below a bound."""
    return frozenset(n for n, c in enumerate(confidences) if c is not None and c < bound)


def _refuse_too_many(results: Results) -> None:
    """Refuse what is more than four hours of speech can have; the service takes no longer ones."""
    segments = (results.audio_segments, results.toxicity_detection, results.segments)
    if len(results.items) > _MOST_WORDS or any(
        len(each or ()) > _MOST_SEGMENTS for each in segments
    ):
        raise broken(_TOO_MANY)


def _on_top(results: Results) -> dict[str, Any]:
    """What stands in the file only when it was asked for."""
    if not (results.language_codes or results.toxicity_detection or results.segments):
        return {}
    return {
        "language_seconds": {
            each.language_code: each.duration_in_seconds for each in results.language_codes or ()
        },
        "toxicity": tuple(map(_toxic, results.toxicity_detection or ())),
        "alternatives": tuple(
            Alternatives(
                each.start_time, each.end_time, [v.transcript for v in each.alternatives[1:]]
            )
            for each in results.segments or ()
            if each.alternatives[1:]
        ),
    }


def _toxic(speech: ToxicityDetection) -> ToxicitySegment:
    known = {name.lower(): each or 0.0 for name, each in (speech.categories or {}).items()}
    return ToxicitySegment(speech.start_time, speech.end_time, speech.toxicity, known)


def _why_no_results(decoded: Document) -> str:
    if bytes(decoded.call_analytics).startswith(b"["):
        return "A Call Analytics output: only those of standard transcription jobs are read."
    return "The file has no results, so it is not a transcript."


def _spoken(items: Sequence[Item]) -> list[Item]:
    """Pick the items that are words."""
    spoken = [
        item
        for item in items
        if item.type == "pronunciation" and item.alternatives and item.alternatives[0].content
    ]
    if [item for item in spoken if not item.start_time <= item.end_time]:
        raise broken("A word of the transcript has no times or ends before it starts.")
    return spoken


class _Spoken(NamedTuple):
    """The items that are words, the confidence of each, and which segments are to hold them.

    `unsure` are the numbers of words because of which a segment holds its own.
    """

    items: Sequence[Item]
    confidences: Sequence[float | None]
    all_wanted: bool
    unsure: frozenset[int]

    @property
    def any_wanted(self) -> bool:
        """Whether there may be a segment that is to hold its words."""
        return self.all_wanted or bool(self.unsure)

    def wanted(self, numbers: Sequence[int]) -> bool:
        """Whether a segment of these words is to hold them."""
        return self.all_wanted or not self.unsure.isdisjoint(numbers)

    def words(self, texts: Sequence[str], numbers: Sequence[int]) -> tuple[Word, ...]:
        """Some of the words, by their start, where they are wanted."""
        if not self.wanted(numbers):
            return ()
        picked = _words(_pick(self.items, numbers), _pick(texts, numbers))
        return tuple(sorted(picked, key=attrgetter("start")))


def _segments(results: Results, spoken: _Spoken, text: str) -> tuple[Segment, ...]:
    """Every word in one segment, by the segments' start."""
    if not spoken.items:  # a text without times is still to be seen
        return (Segment(text, 0.0, 0.0),) if text.strip() else ()
    segments = _audio_segments(results, spoken)
    if not segments:
        _join_channels(spoken.items, results)
        texts = _texts(results.items)
        segments = _speaker_segments(results, spoken, texts)
        segments = segments or segments_of(
            _words(spoken.items, texts), text, hold_words=spoken.any_wanted
        )
    if len(segments) > _MOST_SEGMENTS:
        raise broken(_TOO_MANY)
    return tuple(sorted(segments, key=attrgetter("start", "end")))


def _audio_segments(results: Results, spoken: _Spoken) -> list[Segment]:
    """The service's segments of 2024 and later; none unless they hold every item once."""
    given = results.audio_segments or ()
    everything = list(range(len(results.items)))
    held = list(chain.from_iterable([segment.items for segment in given]))
    if held != everything and sorted(held) != everything:
        return []
    if [item.id for item in results.items] != everything:
        return []
    if results.speaker_labels != NULL and not any(s.speaker_label for s in given):
        return []
    ids = [item.id for item in spoken.items]
    numbers = [_word_numbers(segment.items, ids) for segment in given]
    if any(each and not s.transcript.strip() for s, each in zip(given, numbers, strict=True)):
        return []
    texts = _texts(results.items) if spoken.any_wanted else ()
    return [
        Segment(
            s.transcript,
            *_bounds(s),
            s.speaker_label or None,
            s.channel_label or None,
            s.language_code,
            mean(_pick(spoken.confidences, each)),
            spoken.words(texts, each),
        )
        for s, each in zip(given, numbers, strict=True)
        if each
    ]


def _word_numbers(items: Sequence[int], words: Sequence[int]) -> Sequence[int]:
    """Which words are among some items: numbers in `words`, the sorted ids of all words' items."""
    if not items:
        return ()
    if items[-1] - items[0] + 1 == len(items):  # they follow one another, as they nearly always do
        return range(bisect_left(words, items[0]), bisect_right(words, items[-1]))
    places = [(bisect_left(words, n), n) for n in items]
    return [place for place, n in places if place < len(words) and words[place] == n]


def _pick(column: Sequence[T], numbers: Sequence[int]) -> Sequence[T]:
    if isinstance(numbers, range):
        return column[numbers.start : numbers.stop]
    return [column[n] for n in numbers]


def _texts(items: Sequence[Item]) -> list[str]:
    """Each spoken item's text with the punctuation that follows it, the first's with all before.

    The texts joined with spaces are the service's text, as measured over real outputs.
    """
    texts: list[str] = []
    leading = ""
    for item in items:
        content = item.alternatives[0].content if item.alternatives else ""
        if item.type == "pronunciation":
            if content:
                texts.append(leading + content)
                leading = ""
        elif texts:
            texts[-1] += content
        else:
            leading += content
    return texts


def _words(spoken: Sequence[Item], texts: Sequence[str]) -> list[Word]:
    return [
        Word(
            text,
            i.start_time,
            i.end_time,
            i.alternatives[0].confidence,
            i.speaker_label,
            i.channel_label,
            i.language_code,
        )
        for i, text in zip(spoken, texts, strict=True)
    ]


def _speaker_segments(results: Results, spoken: _Spoken, texts: Sequence[str]) -> list[Segment]:
    """The segments of before 2024; none unless they hold every word, which then has its speaker."""
    if results.speaker_labels == NULL:
        return []
    given = read_labels(results.speaker_labels).segments
    items = spoken.items
    groups = groups_of(items, given)
    if sum(map(len, groups)) < len(items) or items[0].channel_label:
        for each, group in zip(given, groups, strict=True):
            for item in _pick(items, group):
                item.speaker_label = item.speaker_label or each.speaker_label
        return []
    return [
        Segment(
            " ".join(_pick(texts, group)),
            *_bounds(each),
            each.speaker_label or None,
            confidence=mean(_pick(spoken.confidences, group)),
            words=spoken.words(texts, group),
        )
        for each, group in zip(given, groups, strict=True)
        if group
    ]


def _join_channels(spoken: Sequence[Item], results: Results) -> None:
    """Label items of before 2023, which carry no channel, from the channel that repeats them."""
    if results.channel_labels == NULL or any(item.channel_label for item in spoken):
        return
    channels = read_labels(results.channel_labels).channels
    copies = [(_face(item), c.channel_label) for c in channels for item in _spoken(c.items)]
    labels = hand_out([_face(item) for item in spoken], copies)
    for item, label in zip(spoken, labels, strict=True):
        item.channel_label = label


def _face(item: Item) -> tuple[float, float, str]:
    # Two people may start and stop at once; if they even say the same, either may be either.
    return item.start_time, item.end_time, item.alternatives[0].content


def _bounds(span: Span) -> tuple[float, float]:
    if not span.start_time <= span.end_time:
        raise broken("A segment of the transcript has no times or ends before it starts.")
    return span.start_time, span.end_time


def _languages(results: Results) -> tuple[str, ...]:
    spoken = sorted(results.language_codes or (), key=lambda s: -s.duration_in_seconds)
    candidates = sorted(results.language_identification or (), key=lambda c: -c.score)
    choice = results.language_code
    codes = [choice, *(s.language_code for s in spoken), *(c.code for c in candidates)]
    return tuple(dict.fromkeys(code for code in codes if code))
