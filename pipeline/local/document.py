"""Speech as the service's transcript document; pure.

The shape is the newest one the service was seen to write: items with ids and audio segments,
times and confidences as strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.local.recogniser import Speech, SpokenWord

Stretch = tuple[float, float, str]
"""A stretch of speech: start and end in seconds, and the text."""

PAUSE = 0.7
"""Seconds without a word after which a new audio segment begins."""

MARGIN = 0.08
"""Seconds by which a segment reaches beyond its words, where the neighbours leave room."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a document says beside the speech.

    `apart` is whether channels were recognised apart; `identified` is the language that was
    found, None where the job gave one; `multiple` is whether several languages were looked for;
    `versions` whether alternatives were.
    """

    job_name: str
    account: str
    apart: bool = False
    identified: str | None = None
    multiple: bool = False
    versions: bool = False


def document(heading: Heading, speech: Speech) -> bytes:
    """The transcript as one line of UTF-8 JSON."""
    words = sorted(speech.words, key=lambda word: (word.start, word.end, word.channel))
    segments = _segments(words)
    # Segments follow each other in the items too, as they do in the service's documents.
    ordered = [word for segment in segments for word in segment]
    items = [_item(number, word, heading) for number, word in enumerate(ordered)]
    results: dict[str, Any] = {
        **_languages(heading, speech.duration),
        "transcripts": [{"transcript": _text(ordered)}],
        **_channel_labels(items, heading, speech.channels),
        "items": items,
        "audio_segments": _audio_segments(segments, heading, speech.duration),
        **_versions(segments, heading, speech),
    }
    whole = {
        "jobName": heading.job_name,
        "accountId": heading.account,
        "status": "COMPLETED",
        "results": results,
    }
    return orjson.dumps(whole)


def stretches(speech: Speech) -> Iterator[Stretch]:
    """What is said, by segments, each with the times that its document gives it."""
    words = sorted(speech.words, key=lambda word: (word.start, word.end, word.channel))
    for segment in _segments(words):
        yield (*_bounds(segment, speech.duration), _text(segment))


def _bounds(segment: Sequence[SpokenWord], duration: float) -> tuple[float, float]:
    end = max(word.end for word in segment)
    return max(0.0, segment[0].start - MARGIN), max(end, min(duration, end + MARGIN))


def _versions(
    segments: Sequence[Sequence[SpokenWord]], heading: Heading, speech: Speech
) -> dict[str, Any]:
    """Alternatives, where they were asked for: the best one alone, where nobody has others."""
    if not heading.versions:
        return {}
    best = [(*_bounds(each, speech.duration), (_text(each),)) for each in segments]
    found = [
        {
            "start_time": _seconds(start),
            "end_time": _seconds(end),
            "alternatives": [
                {"transcript": text, "items": [_said(word) for word in text.split()]}
                for text in texts
            ],
        }
        for start, end, texts in speech.versions or best
    ]
    return {"segments": found}


def _said(word: str) -> dict[str, str]:
    return {"type": "pronunciation", "content": word}


def _text(words: Iterable[SpokenWord]) -> str:
    return " ".join(word.text for word in words)


def _seconds(value: float) -> str:
    return str(round(value, 3))


def _item(number: int, word: SpokenWord, heading: Heading) -> dict[str, Any]:
    return {
        "id": number,
        "type": "pronunciation",
        "alternatives": [{"confidence": str(round(word.confidence, 3)), "content": word.text}],
        "start_time": _seconds(word.start),
        "end_time": _seconds(word.end),
        **_labels(word, heading),
    }


def _labels(word: SpokenWord, heading: Heading) -> dict[str, str]:
    labels = {}
    if heading.apart:
        labels["channel_label"] = f"ch_{word.channel}"
    if heading.multiple and heading.identified:
        labels["language_code"] = heading.identified
    return labels


def _segments(words: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    """The words in stretches of one channel without a long pause, by their beginning."""
    open_segments: dict[int, list[SpokenWord]] = {}
    segments: list[list[SpokenWord]] = []
    for word in words:
        current = open_segments.get(word.channel)
        if current is None or word.start - current[-1].end > PAUSE:
            current = open_segments[word.channel] = []
            segments.append(current)
        current.append(word)
    return segments


def _audio_segments(
    segments: Sequence[Sequence[SpokenWord]], heading: Heading, duration: float
) -> list[dict[str, Any]]:
    found = []
    first = 0
    for number, words in enumerate(segments):
        start, end = _bounds(words, duration)
        found.append(
            {
                "id": number,
                "transcript": _text(words),
                "start_time": _seconds(start),
                "end_time": _seconds(end),
                **_labels(words[0], heading),
                "items": list(range(first, first + len(words))),
            }
        )
        first += len(words)
    return found


def _channel_labels(
    items: Sequence[dict[str, Any]], heading: Heading, channels: int
) -> dict[str, Any]:
    """The items once more, by channel and without ids, where channels were asked for."""
    if not heading.apart:
        return {}
    labels = [f"ch_{number}" for number in range(channels)]
    by_channel = [
        {
            "channel_label": label,
            "items": [
                {name: value for name, value in item.items() if name != "id"}
                for item in items
                if item["channel_label"] == label
            ],
        }
        for label in labels
    ]
    return {"channel_labels": {"number_of_channels": channels, "channels": by_channel}}


def _languages(heading: Heading, duration: float) -> dict[str, Any]:
    if heading.identified is None:
        return {}
    if heading.multiple:
        found = {"language_code": heading.identified, "duration_in_seconds": round(duration, 2)}
        return {"language_codes": [found]}
    return {
        "language_code": heading.identified,
        "language_identification": [{"score": "1.0", "code": heading.identified}],
    }
