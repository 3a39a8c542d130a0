"""The output file of a transcription job as typed values: what is read, and what is refused; pure.

The shapes are those of the service's Developer Guide ("Data input and output", "Partitioning
speakers", "Channel identification", "Language identification"), checked against real outputs of
2020 to 2026. Fields not needed here (the words of alternatives, the account) are skipped unread.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from pipeline.errors import RecordingFailed
from pipeline.failures import BROKEN_TRANSCRIPT
from pipeline.net.density import MOST_OF_A_TRANSCRIPT, is_bounded

T = TypeVar("T")

# The service takes recordings of some hours; a time beyond eleven days is damage. The bounds
# also keep out "nan" and "inf", which would otherwise pass as numbers.
_Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]
_Share = Annotated[float, Meta(ge=0, le=1)]

# A missing time is NaN, so that the one comparison `start <= end` refuses it as well.
_MISSING = math.nan
NULL = Raw(b"null")


class Alternative(Struct, gc=False):
    """One reading of an item, and how sure the service is of it."""

    content: str = ""
    confidence: _Share | None = None  # missing on redacted words, null on punctuation of 2018


class Span(Struct, gc=False):
    """A stretch of time, in seconds."""

    start_time: _Seconds = _MISSING
    end_time: _Seconds = _MISSING


class Item(Span, gc=False, kw_only=True):
    """A word or a mark of punctuation."""

    type: Literal["pronunciation", "punctuation"]
    id: int = -1
    alternatives: tuple[Alternative, ...] = ()
    speaker_label: str | None = None
    channel_label: str | None = None
    language_code: str | None = None


class SpeakerSegment(Span, gc=False):
    """A stretch of one speaker, with the times of its words."""

    speaker_label: str | None = None
    items: list[Span] = []


class Channel(Struct, gc=False):
    """One channel with copies of its items."""

    channel_label: str
    items: list[Item] = []


class Labels(Struct, gc=False):
    """Either of the two blocks `speaker_labels` and `channel_labels`."""

    segments: list[SpeakerSegment] = []
    channels: list[Channel] = []


class AudioSegment(Span, gc=False):
    """A segment of 2024 and later; `items` are the ids of what is said in it."""

    transcript: str = ""
    items: tuple[int, ...] = ()  # unlike an empty list, an empty tuple takes no memory
    speaker_label: str | None = None
    channel_label: str | None = None
    language_code: str | None = None


class FullText(Struct, gc=False):
    """The text as a whole."""

    transcript: str


class LanguageCandidate(Struct, gc=False):
    """A language that it may be."""

    code: str
    score: _Share = 0.0


class SpokenLanguage(Struct, gc=False):
    """A language that was spoken."""

    language_code: str
    duration_in_seconds: _Seconds = 0.0


class ToxicityDetection(Struct, gc=False):
    """How toxic a stretch of speech is; other than all other figures these are numbers."""

    toxicity: _Share = 0.0
    categories: dict[str, _Share | None] | None = None
    start_time: _Seconds = 0.0
    end_time: _Seconds = 0.0


class AlternativeTranscript(Struct, gc=False):
    """One version of a stretch of speech."""

    transcript: str = ""


class AlternativesSegment(Struct, gc=False):
    """The versions of a stretch of speech, the best first."""

    start_time: _Seconds = 0.0
    end_time: _Seconds = 0.0
    alternatives: tuple[AlternativeTranscript, ...] = ()


class Results(Struct, gc=False):
    """What the service transcribed."""

    transcripts: list[FullText]
    items: list[Item] = []
    audio_segments: list[AudioSegment] | None = None
    # Raw: since 2023 the items carry these labels themselves, and most files need no look at them.
    speaker_labels: Raw = NULL
    channel_labels: Raw = NULL
    language_code: str | None = None
    language_identification: list[LanguageCandidate] | None = None
    language_codes: list[SpokenLanguage] | None = None
    toxicity_detection: list[ToxicityDetection] | None = None
    segments: list[AlternativesSegment] | None = None


class Document(Struct, gc=False):
    """One output file."""

    job_name: str = field(name="jobName", default="")
    redacted: bool | None = field(name="isRedacted", default=None)
    results: Results | None = None
    call_analytics: Raw = field(name="Transcript", default=NULL)


# strict=False reads the service's numbers, which are strings.
_DOCUMENT = msgspec.json.Decoder(Document, strict=False)
_LABELS = msgspec.json.Decoder(Labels, strict=False)


def read_document(document: bytes) -> Document:
    """Read an output file.

    Raises:
        RecordingFailed: it is no JSON or not laid out so, or has more in it than any recording, in
            words that quote nothing of it.
    """
    if not is_bounded(document, MOST_OF_A_TRANSCRIPT, opening=(b"{", b"[")):
        raise broken("The transcript file has more parts than any recording has words.")
    return _decode(_DOCUMENT, document)


def read_labels(block: Raw) -> Labels:
    """Read `speaker_labels` or `channel_labels`; raises as `read_document` does."""
    return _decode(_LABELS, block)


def broken(message: str) -> RecordingFailed:
    """The error of a transcript that can't be one."""
    return RecordingFailed(reason=BROKEN_TRANSCRIPT, message=message)


def _decode(decoder: msgspec.json.Decoder[T], document: bytes | Raw) -> T:
    try:
        return decoder.decode(document)
    except msgspec.ValidationError as error:
        # Only the place: the rest of the message may quote a value, and so may the cause.
        place = str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "$"
        raise broken(f"The file is not laid out as a transcript at {place}.") from None
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        raise broken("The transcript file is not readable JSON.") from None
