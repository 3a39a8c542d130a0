"""Amazon Transcribe's JSON ─► Transcript: words, segments, speakers, channels; pure.

The shapes are those of the service's Developer Guide ("Data input and output", "Partitioning
speakers", "Channel identification", "Language identification"), checked against real outputs of
2020 to 2026. What the service added over the years is read where it is and made up for elsewhere:

    speaker of a word    on the item, else joined by its times with `speaker_labels`
    channel of a word    on the item, else joined by its times and content with `channel_labels`
    segments             `audio_segments`, else `speaker_labels.segments`, else none

Fields not needed here (toxicity, runner-up alternatives, account) are skipped unread.
"""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from pipeline.errors import RecordingFailed
from pipeline.failures import BROKEN_TRANSCRIPT
from pipeline.model import Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

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


class _Span(Struct, gc=False):
    start_time: _Seconds = _MISSING
    end_time: _Seconds = _MISSING


class _Item(_Span, gc=False, kw_only=True):
    type: Literal["pronunciation", "punctuation"]
    alternatives: tuple[_Alternative, ...] = ()
    speaker_label: str | None = None
    channel_label: str | None = None
    language_code: str | None = None


class _SpeakerSegment(_Span, gc=False):
    speaker_label: str | None = None
    items: list[_Span] = []


class _Channel(Struct, gc=False):
    channel_label: str
    items: list[_Item] = []


class _Labels(Struct, gc=False):
    """Either of the two blocks `speaker_labels` and `channel_labels`."""

    segments: list[_SpeakerSegment] = []
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


class _Heard(Struct, gc=False):
    language_code: str
    duration_in_seconds: _Seconds = 0.0


class _Results(Struct, gc=False):
    transcripts: list[_FullText]
    items: list[_Item] = []
    audio_segments: list[_AudioSegment] | None = None
    # Raw: since 2023 the items carry these labels themselves, and most files need no look at them.
    speaker_labels: Raw = _NULL
    channel_labels: Raw = _NULL
    language_code: str | None = None
    language_identification: list[_Candidate] | None = None
    language_codes: list[_Heard] | None = None


class _Document(Struct, gc=False):
    job_name: str = field(name="jobName", default="")
    redacted: bool | None = field(name="isRedacted", default=None)
    results: _Results | None = None
    turns: Raw = field(name="Transcript", default=_NULL)  # Call Analytics only


# strict=False reads the service's numbers, which are strings.
_DOCUMENT = msgspec.json.Decoder(_Document, strict=False)
_LABELS = msgspec.json.Decoder(_Labels, strict=False)


def parse_transcript(document: bytes) -> Transcript:
    """Read one output file of a standard transcription job, of whatever year.

    Times are seconds, confidences 0..1. A word has the punctuation that follows it glued on
    (the first word also what precedes it), so that the words joined with spaces are the text, as
    measured over real outputs. An item without content is no word. `languages` are the service's
    choice and then its other candidates by score, or all that were spoken, the longest first.
    A speaker's segment without a word is left out; the others are sorted by their start.

    Raises:
        RecordingFailed: for the reason "broken transcript", in words that quote nothing of it:
            not JSON, no `results` or `transcripts`, an item neither spoken nor punctuation, a
            word or segment whose times are missing, negative, not finite or end before they
            start, a confidence outside 0..1, words but no text, or a Call Analytics output.
    """
    decoded = _decode(_DOCUMENT, document)
    results = decoded.results
    if results is None:
        raise _broken(_why_no_results(decoded))
    text = results.transcripts[0].transcript if results.transcripts else ""
    spoken, texts = _spoken(results.items)
    if spoken and not text.strip():
        raise _broken("The transcript file has words but no text.")
    speaker_segments = _join_speakers(spoken, texts, results)
    _join_channels(spoken, results)
    return Transcript(
        job_name=decoded.job_name,
        text=text,
        words=_words(spoken, texts),
        segments=_audio_segments(results) or speaker_segments,
        languages=_languages(results),
        redacted=decoded.redacted is True,
    )


def score(transcript: Transcript) -> float:
    """Return the mean confidence, 0..1, of the spoken words that have one; 0.0 when none has."""
    known = [word.confidence for word in transcript.words if word.confidence is not None]
    return sum(known) / len(known) if known else 0.0


def _decode(decoder: msgspec.json.Decoder[T], document: bytes | Raw) -> T:
    try:
        return decoder.decode(document)
    except msgspec.ValidationError as error:
        # Only the place: the rest of the message may quote a value, and so may the cause.
        place = str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "$"
        raise _broken(f"The file is not laid out as a transcript at {place}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _broken("The transcript file is not readable JSON.") from None


def _broken(words: str) -> RecordingFailed:
    return RecordingFailed(reason=BROKEN_TRANSCRIPT, words=words)


def _why_no_results(decoded: _Document) -> str:
    if bytes(decoded.turns).startswith(b"["):
        return "A Call Analytics output: only those of standard transcription jobs are read."
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
                i.start_time,
                i.end_time,
                i.alternatives[0].confidence,
                i.speaker_label,
                i.channel_label,
                i.language_code,
            )
            for i, text in zip(spoken, texts, strict=True)
        ]
    )


def _join_speakers(
    spoken: Sequence[_Item], texts: Sequence[str], results: _Results
) -> tuple[Segment, ...]:
    """Label the items that carry no speaker, and give the speakers' segments with their text."""
    if results.speaker_labels == _NULL:
        return ()
    if results.audio_segments and any(item.speaker_label for item in spoken):
        return ()  # since 2024 the block only repeats what the rest of the file says
    turns = _decode(_LABELS, results.speaker_labels).segments
    places = _hand_out(
        [(item.start_time, item.end_time) for item in spoken],
        [((s.start_time, s.end_time), n) for n, turn in enumerate(turns) for s in turn.items],
    )
    inside: list[list[str]] = [[] for _ in turns]
    for item, text, place in zip(spoken, texts, places, strict=True):
        if place is not None:
            item.speaker_label = item.speaker_label or turns[place].speaker_label
            inside[place].append(text)
    segments = [
        Segment(" ".join(words), *_bounds(turn), turn.speaker_label)
        for turn, words in zip(turns, inside, strict=True)
        if words
    ]
    return tuple(sorted(segments, key=attrgetter("start")))


def _join_channels(spoken: Sequence[_Item], results: _Results) -> None:
    """Label items of before 2023, which carry no channel, from the channel that repeats them."""
    if results.channel_labels == _NULL or any(item.channel_label for item in spoken):
        return
    channels = _decode(_LABELS, results.channel_labels).channels
    copies = [(_face(item), c.channel_label) for c in channels for item in _spoken(c.items)[0]]
    labels = _hand_out([_face(item) for item in spoken], copies)
    for item, label in zip(spoken, labels, strict=True):
        item.channel_label = label


def _face(item: _Item) -> tuple[float, float, str]:
    # Two people may start and stop at once; if they even say the same, either may be either.
    return item.start_time, item.end_time, item.alternatives[0].content


def _hand_out(keys: Sequence[K], labelled: Sequence[tuple[K, V]]) -> list[V | None]:
    """Give each key its label, None without one; equal keys take theirs in order."""
    single = dict(labelled)
    if len(single) == len(labelled):  # every real file but those with words at the same moment
        return [single.get(key) for key in keys]
    left: dict[K, list[V]] = {}
    for key, label in reversed(labelled):
        left.setdefault(key, []).append(label)
    return [labels.pop() if (labels := left.get(key)) else single.get(key) for key in keys]


def _audio_segments(results: _Results) -> tuple[Segment, ...]:
    return tuple(
        Segment(s.transcript, *_bounds(s), s.speaker_label, s.channel_label, s.language_code)
        for s in results.audio_segments or ()
        if s.transcript.strip()
    )


def _bounds(span: _Span) -> tuple[float, float]:
    if not span.start_time <= span.end_time:
        raise _broken("A segment of the transcript has no times or ends before it starts.")
    return span.start_time, span.end_time


def _languages(results: _Results) -> tuple[str, ...]:
    heard = sorted(results.language_codes or (), key=lambda h: -h.duration_in_seconds)
    candidates = sorted(results.language_identification or (), key=lambda c: -c.score)
    choice = results.language_code
    codes = [choice, *(h.language_code for h in heard), *(c.code for c in candidates)]
    return tuple(dict.fromkeys(code for code in codes if code))
