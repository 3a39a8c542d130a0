"""A transcript ─► the bytes of one file, in each format; the same for the same transcript. Pure.

A recording in which nobody speaks has its files too: they say so by having nothing in them.
"""

from __future__ import annotations

import csv
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import orjson

from pipeline.transcripts import subtitles
from pipeline.transcripts.captions import captions_of, who
from pipeline.transcripts.formats import TranscriptFormat
from pipeline.transcripts.subtitles import Caption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.config.metadata import Value
    from pipeline.model import Job, Segment, Transcript, Word
    from pipeline.transcripts.captions import Layout

SCHEMA = "transcribe-pipeline/transcript/1"
COLUMNS = ("audio", "start", "end", "speaker", "channel", "language", "confidence", "text")
"""Of the csv: a row for each segment, times in seconds, confidence 0..1, "" where unknown.

The columns of metadata follow.
"""

_DIGITS = 4
_NOTHING = "<NA>"


class Transcribed(NamedTuple):
    """A recording and what was heard in it.

    `audio` is its URI, `language` the code that was given or identified, None where neither is
    known. `columns` are those of its metadata that a table has, by what they are called there.
    """

    audio: str
    job: Job
    transcript: Transcript
    language: str | None = None
    metadata: Mapping[str, Value] = MappingProxyType({})
    columns: Mapping[str, str] = MappingProxyType({})


def render(wanted: TranscriptFormat, of: Transcribed, layout: Layout) -> bytes:
    """The content of the recording's file in this format; UTF-8, with a newline at its end."""
    return _RENDERED[wanted](of, layout).encode("utf-8", "replace")


def _txt(of: Transcribed, _: Layout) -> str:
    """A line for each turn of a speaker, or the whole text where nobody was told apart."""
    turns = [
        (name, " ".join(word for each in segments for word in each.text.split()))
        for name, segments in groupby(of.transcript.segments, who)
    ]
    if not any(name for name, _ in turns):
        text = of.transcript.text.strip()
        return f"{text}\n" if text else ""
    return "".join(f"{name}: {text}\n" if name else f"{text}\n" for name, text in turns)


def _srt(of: Transcribed, layout: Layout) -> str:
    return subtitles.srt(captions_of(of.transcript, layout, named=True))


def _vtt(of: Transcribed, layout: Layout) -> str:
    return subtitles.vtt(captions_of(of.transcript, layout))


def _csv(of: Transcribed, _: Layout) -> str:
    lines = _Lines()
    rows = csv.writer(lines)
    rows.writerow([*COLUMNS, *of.columns.values()])
    metadata = [_cell(of.metadata.get(name)) for name in of.columns]
    for each in of.transcript.segments:
        facts = (each.speaker, each.channel, each.language or of.language)
        confidence = _rounded(each.confidence)
        row = (of.audio, each.start, each.end, *facts, confidence, each.text, *metadata)
        rows.writerow(row)
    return "".join(lines)


class _Lines(list[str]):
    """The lines of a table. A cell with any line break is quoted only where a line ends in CRLF."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def _cell(value: Value | None) -> Value | None:
    """A value as a table has it: true and false as in JSON."""
    return str(value).lower() if isinstance(value, bool) else value


def _json(of: Transcribed, _: Layout) -> str:
    """What is unknown is not there."""
    transcript, recording = of.transcript, of.job.recording
    document = {
        "schema": SCHEMA,
        "audio": of.audio,
        "etag": recording.etag,
        "size": recording.size,
        "job_id": of.job.name,
        "language": of.language,
        "languages": list(transcript.languages) or None,
        "duration": transcript.duration,
        "word_count": transcript.word_count,
        "confidence": _rounded(transcript.confidence),
        "redacted": transcript.redacted,
        "speakers": list(transcript.speakers) or None,
        "channels": list(transcript.channels) or None,
        "metadata": of.metadata or None,
        "text": transcript.text,
        "segments": [_segment(each) for each in transcript.segments],
    }
    return orjson.dumps(_known(document), option=orjson.OPT_APPEND_NEWLINE).decode()


def _segment(segment: Segment) -> dict[str, Any]:
    return _known(
        {
            "start": segment.start,
            "end": segment.end,
            "speaker": segment.speaker,
            "channel": segment.channel,
            "language": segment.language,
            "confidence": _rounded(segment.confidence),
            "text": segment.text,
            "words": [_word(each) for each in segment.words],
        }
    )


def _word(word: Word) -> dict[str, Any]:
    times = {"start": word.start, "end": word.end, "text": word.text}
    return times if word.confidence is None else {**times, "confidence": word.confidence}


def _rttm(of: Transcribed, _: Layout) -> str:
    """NIST's Rich Transcription Time Marked: a line for each segment, with who speaks."""
    name = _file_id(of)
    return "".join(
        f"SPEAKER {name} {_channel(each)} {each.start:.3f} {each.end - each.start:.3f} "
        f"{_NOTHING} {_NOTHING} {_field(who(each) or 'speech')} {_NOTHING} {_NOTHING}\n"
        for each in of.transcript.segments
    )


def _ctm(of: Transcribed, _: Layout) -> str:
    """NIST's time-marked conversation: a line for each word, by channel and start."""
    words = sorted(
        ((_channel(each), word) for each in of.transcript.segments for word in each.words),
        key=lambda pair: (pair[0], pair[1].start),
    )
    name = _file_id(of)
    return "".join(
        f"{name} {channel} {word.start:.3f} {word.end - word.start:.3f} "
        f"{_field(word.text)}{'' if word.confidence is None else f' {word.confidence:.4f}'}\n"
        for channel, word in words
    )


def _text_grid(of: Transcribed, _: Layout) -> str:
    from pipeline.transcripts.praat import text_grid  # of an extra

    intervals = [Caption(e.start, e.end, e.text, who(e)) for e in of.transcript.segments]
    return text_grid(intervals or [Caption(0.0, 0.0, "")], of.transcript.duration)


_RENDERED: dict[TranscriptFormat, Callable[[Transcribed, Layout], str]] = {
    TranscriptFormat.TXT: _txt,
    TranscriptFormat.SRT: _srt,
    TranscriptFormat.VTT: _vtt,
    TranscriptFormat.CSV: _csv,
    TranscriptFormat.JSON: _json,
    TranscriptFormat.RTTM: _rttm,
    TranscriptFormat.CTM: _ctm,
    TranscriptFormat.TEXTGRID: _text_grid,
}


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if fact is not None}


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, _DIGITS)


def _file_id(of: Transcribed) -> str:
    """The key without its extension, as one field."""
    stem, dot, extension = of.job.recording.key.rpartition(".")
    return _field(stem if dot and stem and "/" not in extension else of.job.recording.key)


def _channel(segment: Segment) -> int:
    """NIST counts channels from 1; the service calls its own ch_0 and ch_1."""
    digits = (segment.channel or "").rpartition("_")[2]
    return int(digits) + 1 if digits.isascii() and digits.isdigit() else 1


def _field(text: str) -> str:
    """Text as one field of a line of fields: white space as in URLs, and no comment."""
    if text.isprintable() and " " not in text and text[:1] not in ("", ";"):
        return text
    safe = "".join(quote(c) if c.isspace() or not c.isprintable() else c for c in text)
    return f"%3B{safe[1:]}" if safe.startswith(";") else safe or _NOTHING
