"""Speech as the service's transcript document; pure.

The shape is the newest one the service was seen to write: items with ids and audio segments,
times and confidences as strings.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.local.recogniser import Versions
from pipeline.local.request import find, identifies, recognised_as
from pipeline.local.store import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.local.recogniser import Speech, SpokenWord

PAUSE = 0.7
"""Seconds without a word after which a new audio segment begins."""

MARGIN = 0.08
"""Seconds by which a segment reaches beyond its words, where the neighbours leave room."""


class Segment(NamedTuple):
    """Words of one channel without a long pause; times in seconds."""

    start: float
    end: float
    text: str
    words: Sequence[SpokenWord]


def segments(speech: Speech) -> list[Segment]:
    """What is said, by the beginnings of the segments."""
    current: dict[int, list[SpokenWord]] = {}
    found: list[list[SpokenWord]] = []
    for word in sorted(speech.words, key=lambda word: (word.start, word.end, word.channel)):
        words = current.get(word.channel)
        if words is None or word.start - words[-1].end > PAUSE:
            words = current[word.channel] = []
            found.append(words)
        words.append(word)
    return [_segment(words, speech.duration) for words in found]


def _segment(words: Sequence[SpokenWord], duration: float) -> Segment:
    last = max(word.end for word in words)
    end = max(last, min(duration, last + MARGIN))
    return Segment(max(0.0, words[0].start - MARGIN), end, _text(words), words)


def document(request: Mapping[str, Any], speech: Speech) -> bytes:
    """The transcript of a job's speech as one line of UTF-8 JSON."""
    found = segments(speech)
    # Segments follow each other in the items too, as they do in the service's documents.
    words = [word for segment in found for word in segment.words]
    items = [{"id": number, **_item(request, word)} for number, word in enumerate(words)]
    results: dict[str, Any] = {
        "transcripts": [{"transcript": _text(words)}],
        "items": items,
        "audio_segments": _audio_segments(request, found),
    }
    if identifies(request):
        results |= _languages(request, speech.duration)
    if find(request, "Settings.ChannelIdentification"):
        channels = [_channel(request, number, words) for number in range(speech.channels)]
        labels = {"number_of_channels": speech.channels, "channels": channels}
        results["channel_labels"] = labels
    if find(request, "Settings.ShowAlternatives"):
        # The best version alone, where the recogniser has no others.
        best = [Versions(each.start, each.end, (each.text,)) for each in found]
        results["segments"] = [_alternatives(each) for each in speech.versions or best]
    whole = {
        "jobName": request["TranscriptionJobName"],
        "accountId": ACCOUNT,
        "status": "COMPLETED",
        "results": results,
    }
    return orjson.dumps(whole)


def _text(words: Iterable[SpokenWord]) -> str:
    return " ".join(word.text for word in words)


def _times(of: SpokenWord | Segment | Versions) -> dict[str, str]:
    return {"start_time": str(round(of.start, 3)), "end_time": str(round(of.end, 3))}


def _labels(request: Mapping[str, Any], word: SpokenWord) -> dict[str, str]:
    labels = {}
    if find(request, "Settings.ChannelIdentification"):
        labels["channel_label"] = f"ch_{word.channel}"
    if request.get("IdentifyMultipleLanguages"):
        labels["language_code"] = recognised_as(request)
    return labels


def _item(request: Mapping[str, Any], word: SpokenWord) -> dict[str, Any]:
    return {
        "type": "pronunciation",
        "alternatives": [{"confidence": str(round(word.confidence, 3)), "content": word.text}],
        **_times(word),
        **_labels(request, word),
    }


def _audio_segments(request: Mapping[str, Any], found: Sequence[Segment]) -> list[dict[str, Any]]:
    items = count()
    return [
        {
            "id": number,
            "transcript": segment.text,
            **_times(segment),
            **_labels(request, segment.words[0]),
            "items": list(islice(items, len(segment.words))),
        }
        for number, segment in enumerate(found)
    ]


def _channel(
    request: Mapping[str, Any], number: int, words: Sequence[SpokenWord]
) -> dict[str, Any]:
    """The items of one channel once more, without ids."""
    items = [_item(request, word) for word in words if word.channel == number]
    return {"channel_label": f"ch_{number}", "items": items}


def _alternatives(versions: Versions) -> dict[str, Any]:
    alternatives = [
        {
            "transcript": text,
            "items": [{"type": "pronunciation", "content": word} for word in text.split()],
        }
        for text in versions.texts
    ]
    return {**_times(versions), "alternatives": alternatives}


def _languages(request: Mapping[str, Any], duration: float) -> dict[str, Any]:
    code = recognised_as(request)
    if request.get("IdentifyMultipleLanguages"):
        found = {"language_code": code, "duration_in_seconds": round(duration, 2)}
        return {"language_codes": [found]}
    return {
        "language_code": code,
        "language_identification": [{"score": "1.0", "code": code}],
    }
