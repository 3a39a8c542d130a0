"""The nouns of the field: what a recording, a job and a transcript are."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Recording(msgspec.Struct, frozen=True, gc=False):
    """One object of the source, as the listing shows it.

    `key` is the key in the bucket (or the path below the folder, with `/`), byte for byte;
    `etag` changes when the content does; `size` is in bytes.
    """

    key: str
    etag: str
    size: int


class SourceObject(NamedTuple):
    """One line of a listing; `storage` is S3's storage class, or what a folder has instead.

    `metadata` is what a manifest says of it, or HeadObject: a JSON object, b"" for nothing.
    `modified` is when it was written, as a listing has it, "" where none tells.
    """

    key: str
    etag: str
    size: int
    storage: str = ""
    metadata: bytes = b""
    modified: str = ""


class Job(msgspec.Struct, frozen=True, gc=False):
    """One transcription job of one recording.

    `row` is the recording's row in the state file, `identity` and `attempt` (from 1) are what the
    name was computed from, `name` is the job's name at the service. `result_exists` tells
    that its result is there already, so that it must not be started. `language` is the one that it
    is given because it could not be identified, "" where the settings hold.
    """

    row: int
    identity: bytes
    name: str
    recording: Recording
    attempt: int = 1
    result_exists: bool = False
    language: str = ""


class JobSettings(msgspec.Struct, frozen=True, gc=False):
    """What is known of the settings that a job was started with.

    `language` is the code it was given, None where it was to be identified. The places are
    `s3://` URIs below `--results`: None and () where there are none, or the service keeps them.
    """

    language: str | None = None
    redacted: bool = False
    redacted_transcript: str | None = None
    unredacted_transcript: str | None = None
    subtitles: tuple[str, ...] = ()


class JobStatus(StrEnum):
    """The service's own four words for where a job stands."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class TaskKind(StrEnum):
    """`transcript`: the whole text in one box; `segments`: a region with its text per segment."""

    TRANSCRIPT = "transcript"
    SEGMENTS = "segments"


class Layout(StrEnum):
    """How tasks of segments are shown: a line for each, or one at a time below its player."""

    LIST = "list"
    FOCUS = "focus"


class Word(msgspec.Struct, frozen=True, gc=False):
    """One spoken word with the punctuation that follows it glued on.

    `start` and `end` are seconds; `confidence` is 0..1, or None where the service gives none
    (redacted words).
    """

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None
    channel: str | None = None
    language: str | None = None


class ToxicitySegment(msgspec.Struct, frozen=True, gc=False):
    """How toxic a stretch of speech is: 0..1 in all and by category; `start`, `end` in seconds."""

    start: float
    end: float
    toxicity: float
    categories: dict[str, float]


class Alternatives(msgspec.Struct, frozen=True, gc=False):
    """What else was heard in a stretch of speech, the likeliest first; times in seconds."""

    start: float
    end: float
    texts: list[str]


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A stretch of speech of one speaker, channel and language; `start` and `end` in seconds.

    `confidence` is the mean, 0..1, over its words that have one; None where none has. `words` are
    there where they were asked for, or where one is to be marked, by their start.
    """

    text: str
    start: float
    end: float
    speaker: str | None = None
    channel: str | None = None
    language: str | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()


class Transcript(msgspec.Struct, frozen=True, gc=False):
    """What the service heard in one recording.

    `job_name` is the job the document names itself; `text` is the service's own full text.
    `segments` hold every spoken word once, by their start. `confidence` is the mean over the
    `word_count` spoken words, of those that have one; None where none has. `languages` are the
    identified languages, the most likely first; empty when the language was given. Where several
    were spoken `language_seconds` says for how long each. `toxicity` and `alternatives` are there
    where they were asked for. `redacted` is what the document says of itself, None where nothing.
    """

    job_name: str
    text: str
    segments: tuple[Segment, ...] = ()
    word_count: int = 0
    confidence: float | None = None
    languages: tuple[str, ...] = ()
    redacted: bool | None = None
    language_seconds: dict[str, float] = {}
    toxicity: tuple[ToxicitySegment, ...] = ()
    alternatives: tuple[Alternatives, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels' labels in the order in which someone first speaks on them."""
        return _in_order(segment.channel for segment in self.segments)

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers' labels in the order in which they first speak."""
        return _in_order(segment.speaker for segment in self.segments)

    @property
    def duration(self) -> float:
        """Seconds until the last segment ends: the recording is at least as long."""
        return max((segment.end for segment in self.segments), default=0.0)

    @property
    def silent(self) -> bool:
        """Whether nothing was spoken."""
        return not self.word_count and not self.text.strip()


class TranscriptStats(NamedTuple):
    """What is remembered of a transcript beside its task, for the report of the run.

    `confidence` is 0..1, None where nothing was spoken or none is given; `seconds` is the
    transcript's duration; `took` is how many seconds passed from the job's start until its
    transcript was here, None where this run did not start it.
    """

    confidence: float | None = None
    seconds: float = 0.0
    took: float | None = None


class Line(NamedTuple):
    """A finished task on its way to the writer: one line of JSON, with its newline."""

    job: Job
    content: bytes
    stats: TranscriptStats = TranscriptStats()


class Cost(msgspec.Struct, frozen=True):
    """What transcripts cost, and by what that is reckoned.

    `billed_seconds` are of audio; `prices_date` says when and where the prices held.
    """

    amount: float
    currency: str
    billed_seconds: int
    prices_date: str


def _in_order(labels: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for label in labels if label))
