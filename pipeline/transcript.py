"""Amazon Transcribe's JSON ─► Transcript: words, segments, speakers, channels; pure.

The shapes are those of the service's Developer Guide ("Data input and output", "Partitioning
speakers", "Channel identification", "Language identification"), checked against real outputs of
2020 to 2026. What the service added over the years is read where it is and replaced where it is
not:

    speaker of a word    on the item, else joined by its times with `speaker_labels`
    channel of a word    on the item, else joined by its times and content with `channel_labels`
    segments             `audio_segments`, else `speaker_labels.segments`, else none

Fields that are not needed here (toxicity, alternatives, subtitles, account) are skipped unread.
"""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from pipeline.errors import RecordingFailed
from pipeline.model import Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

# The service takes recordings of some hours; a time beyond eleven days is damage. The bounds
# also keep out "nan" and "inf", which would otherwise pass as numbers.
_Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]
_Share = Annotated[float, Meta(ge=0, le=1)]

# A missing time is NaN, so that the one comparison `start <= end` refuses it as well.
_MISSING = math.nan
_NULL = Raw(b"null")


class _Alternative(Struct, gc=False):
    content: str = ""
    confidence: _Share | None = None  # missing on redacted words, null on punctuation of 2018


class _Item(Struct, gc=False):
    type: Literal["pronunciation", "punctuation"]
    alternatives: list[_Alternative] = []
    start_time: _Seconds = _MISSING
    end_time: _Seconds = _MISSING
    speaker_label: str | None = None
    channel_label: str | None = None
    language_code: str | None = None


class _Span(Struct, gc=False):
    start_time: _Seconds = _MISSING
    end_time: _Seconds = _MISSING


class _SpeakerSegment(_Span, gc=False):
    speaker_label: str | None = None
    items: list[_Span] = []


class _SpeakerLabels(Struct, gc=False):
    segments: list[_SpeakerSegment] = []


class _Channel(Struct, gc=False):
    channel_label: str
    items: list[_Item] = []


class _ChannelLabels(Struct, gc=False):
    channels: list[_Channel] = []


class _AudioSegment(_Span, gc=False):
    transcript: str = ""
    speaker_label: str | None = None
    channel_label: str | None = None
    language_code: str | None = None


class _FullText(Struct, gc=False):
    transcript: str


class _Candidate(Struct, gc=False):
    code: str
    score: _Share = 0.0


class _Spoken(Struct, gc=False):
    language_code: str
    duration_in_seconds: _Seconds = 0.0


class _Results(Struct, gc=False):
    transcripts: list[_FullText]
    items: list[_Item] = []
    audio_segments: list[_AudioSegment] | None = None
    # Raw: since 2023 the items carry their labels, and these repeat them at half the file's size.
    speaker_labels: Raw = _NULL
    channel_labels: Raw = _NULL
    language_code: str | None = None
    language_identification: list[_Candidate] | None = None
    language_codes: list[_Spoken] | None = None


class _Document(Struct, gc=False):
    job_name: str = field(name="jobName", default="")
    redacted: bool | None = field(name="isRedacted", default=None)
    results: _Results | None = None
    turns: Raw = field(name="Transcript", default=_NULL)  # Call Analytics only


# strict=False reads the service's numbers, which are strings.
_DOCUMENT = msgspec.json.Decoder(_Document, strict=False)
_SPEAKER_LABELS = msgspec.json.Decoder(_SpeakerLabels | None, strict=False)
_CHANNEL_LABELS = msgspec.json.Decoder(_ChannelLabels | None, strict=False)


def parse_transcript(document: bytes) -> Transcript:
    """Read one output file of a standard transcription job, whatever its year.

    Times are seconds, confidences 0..1. A word has the punctuation that follows it glued on
    (the first word also what stands before it), so the words joined with spaces are the text in
    every real output tried. An item without content is no word. `languages` begins with the
    service's choice, then its other candidates by score; in a recording of several languages,
    the longest spoken first. Speaker segments in which no word lies are left out, the others are
    sorted by their start.

    Raises:
        RecordingFailed: with the reason "broken transcript" for bytes that are not such a file:
            not JSON, no `results` or `transcripts`, a spoken word without times, times that are
            not finite, negative or end before they start, a confidence outside 0..1, words but
            no text; and for the output of Call Analytics. Its words quote nothing of the
            transcript.
    """
    decoded = _decode(_DOCUMENT, document)
    results = decoded.results
    if results is None:
        raise _broken(_why_no_results(decoded))
    text = results.transcripts[0].transcript if results.transcripts else ""
    spoken, texts = _spoken(results.items)
    if spoken and not text.strip():
        raise _broken("The transcript file has words but no text.")
    turns = _speaker_turns(results, spoken)
    places = _places(spoken, turns)
    _fill_in_speakers(spoken, turns, places)
    _fill_in_channels(spoken, results)
    return Transcript(
        job_name=decoded.job_name,
        text=text,
        words=_words(spoken, texts),
        segments=_audio_segments(results) or _speaker_segments(turns, places, texts),
        languages=_languages(results),
        redacted=decoded.redacted is True,
    )


def score(transcript: Transcript) -> float:
    """Return the mean confidence, 0..1, of the spoken words that have one; 0.0 when none has."""
    known = [word.confidence for word in transcript.words if word.confidence is not None]
    return sum(known) / len(known) if known else 0.0


def _decode(decoder: msgspec.json.Decoder[T], document: bytes | Raw) -> T:
    """Decode, and say what is wrong without quoting: the decoder's own message may."""
    try:
        return decoder.decode(document)
    except msgspec.ValidationError as error:
        raise _broken("The file is not laid out as a transcript.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken("The transcript file is not readable JSON.") from error


def _broken(words: str) -> RecordingFailed:
    return RecordingFailed(reason="broken transcript", words=words)


def _why_no_results(decoded: _Document) -> str:
    if bytes(decoded.turns).startswith(b"["):
        return (
            "This is the output of a Call Analytics job; "
            "only those of standard transcription jobs are read."
        )
    return "The file has no results, so it is not a transcript."


def _spoken(items: Sequence[_Item]) -> tuple[list[_Item], list[str]]:
    """Pick the spoken items, and each one's text with its punctuation."""
    spoken: list[_Item] = []
    texts: list[str] = []
    leading = ""
    for item in items:
        content = item.alternatives[0].content if item.alternatives else ""
        if not content:
            continue
        if item.type == "pronunciation":
            if not item.start_time <= item.end_time:
                raise _broken("A word of the transcript has no times or ends before it starts.")
            spoken.append(item)
            texts.append(leading + content)
            leading = ""
        elif texts:
            texts[-1] += content
        else:
            leading += content
    return spoken, texts


def _words(spoken: Sequence[_Item], texts: Sequence[str]) -> tuple[Word, ...]:
    # Positional and in one comprehension: this runs for every word of every recording.
    return tuple(
        [
            Word(
                text,
                item.start_time,
                item.end_time,
                item.alternatives[0].confidence,
                item.speaker_label,
                item.channel_label,
                item.language_code,
            )
            for item, text in zip(spoken, texts, strict=True)
        ]
    )


def _speaker_turns(results: _Results, spoken: Sequence[_Item]) -> list[_SpeakerSegment]:
    """Read `speaker_labels`, unless it only repeats what the rest of the file says."""
    if results.audio_segments and any(item.speaker_label for item in spoken):
        return []
    block = _decode(_SPEAKER_LABELS, results.speaker_labels)
    return block.segments if block else []


def _places(spoken: Sequence[_Item], turns: Sequence[_SpeakerSegment]) -> list[int | None]:
    """Find the index of the turn in which each spoken item lies."""
    return _hand_out(
        [(item.start_time, item.end_time) for item in spoken] if turns else [],
        [((s.start_time, s.end_time), n) for n, turn in enumerate(turns) for s in turn.items],
    )


def _fill_in_speakers(
    spoken: Sequence[_Item], turns: Sequence[_SpeakerSegment], places: Sequence[int | None]
) -> None:
    """Label items of before 2023, which carry no speaker, from the turn they lie in."""
    for item, place in zip(spoken, places, strict=False):
        if place is not None and not item.speaker_label:
            item.speaker_label = turns[place].speaker_label or None


def _fill_in_channels(spoken: Sequence[_Item], results: _Results) -> None:
    """Label items of before 2023, which carry no channel, from the channel that repeats them.

    Two people may start and stop at once, so the content tells them apart; when even that is
    equal, which is whose makes no difference.
    """
    if any(item.channel_label for item in spoken):
        return
    block = _decode(_CHANNEL_LABELS, results.channel_labels)
    if block is None:
        return
    copies = [(_face(item), c.channel_label) for c in block.channels for item in c.items]
    labels = _hand_out([_face(item) for item in spoken], copies)
    for item, label in zip(spoken, labels, strict=True):
        item.channel_label = label


def _face(item: _Item) -> tuple[float, float, str]:
    content = item.alternatives[0].content if item.alternatives else ""
    return item.start_time, item.end_time, content


def _hand_out(keys: Iterable[K], labelled: Sequence[tuple[K, V]]) -> list[V | None]:
    """Give each key its label; equal keys take theirs in order, one without a label left None."""
    left: dict[K, list[V]] = {}
    for key, label in reversed(labelled):
        left.setdefault(key, []).append(label)
    return [labels.pop() if (labels := left.get(key)) else None for key in keys]


def _audio_segments(results: _Results) -> tuple[Segment, ...]:
    return tuple(
        Segment(
            segment.transcript,
            *_bounds(segment),
            segment.speaker_label,
            segment.channel_label,
            segment.language_code,
        )
        for segment in results.audio_segments or ()
        if segment.transcript.strip()
    )


def _speaker_segments(
    turns: Sequence[_SpeakerSegment], places: Sequence[int | None], texts: Sequence[str]
) -> tuple[Segment, ...]:
    inside: list[list[str]] = [[] for _ in turns]
    for place, text in zip(places, texts, strict=False):
        if place is not None:
            inside[place].append(text)
    segments = [
        Segment(" ".join(words), *_bounds(turn), turn.speaker_label or None)
        for turn, words in zip(turns, inside, strict=True)
        if words
    ]
    return tuple(sorted(segments, key=attrgetter("start")))


def _bounds(span: _Span) -> tuple[float, float]:
    if not span.start_time <= span.end_time:
        raise _broken("A segment of the transcript has no times or ends before it starts.")
    return span.start_time, span.end_time


def _languages(results: _Results) -> tuple[str, ...]:
    """Name the languages: the service's choice first, then by share of speech or by score."""
    spoken = sorted(results.language_codes or (), key=lambda s: -s.duration_in_seconds)
    candidates = sorted(results.language_identification or (), key=lambda c: -c.score)
    codes = [
        results.language_code,
        *(language.language_code for language in spoken),
        *(candidate.code for candidate in candidates),
    ]
    return tuple(dict.fromkeys(code for code in codes if code))
