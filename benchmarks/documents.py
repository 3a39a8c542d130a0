"""Transcripts of any length, as the service has written them over the years; pure.

The shapes are those that real outputs have: of 2020 with speakers (items carry no label, a block
`speaker_labels` repeats their times), of 2024 without speakers (item ids, `audio_segments`), and
of today with speakers (both, and a label on each item).
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import orjson

_WORDS = (
    *("Well", "I", "wanted", "to", "ask", "you", "about", "the", "invoice", "that", "you", "sent"),
    *("to", "our", "office", "in", "Cologne", "because", "the", "number", "at", "the", "bottom"),
    *("is", "not", "the", "one", "we", "agreed", "on", "could", "you", "please", "have", "a"),
    *("look", "at", "it", "and", "call", "me", "back", "tomorrow", "morning", "my", "colleague"),
    *("who", "signed", "the", "contract", "is", "away", "until", "Monday"),
)
_PER_SEGMENT = 24
_SECONDS_PER_WORD = 0.4
_JOB = "transcribe-pipeline-00000000-00000000000000000000000000000000"


def of_today(words: int) -> bytes:
    """With speakers, items that carry their speaker, and audio segments."""
    return _document(words, speakers=True, segments=True, labelled=True)


def of_twenty_four(words: int, job: str = _JOB) -> bytes:
    """Without speakers; items have ids, and audio segments point to them."""
    return _document(words, segments=True, job=job)


def of_twenty_twenty(words: int) -> bytes:
    """With speakers, whose words have to be joined by their times."""
    return _document(words, speakers=True)


def _document(
    words: int,
    *,
    speakers: bool = False,
    segments: bool = False,
    labelled: bool = False,
    job: str = _JOB,
) -> bytes:
    groups = _groups(words)
    items = [item for group in groups for item in group]
    results: dict[str, Any] = {"transcripts": [{"transcript": _text(items)}]}
    if speakers:
        results["speaker_labels"] = _speaker_labels(groups)
    if labelled:
        for number, group in enumerate(groups):
            for item in group:
                item["speaker_label"] = _speaker(number)
    if segments:
        for number, item in enumerate(items):
            item["id"] = number
        results["audio_segments"] = _audio_segments(groups, labelled=labelled)
    results["items"] = items
    whole = {"jobName": job, "accountId": "0" * 12, "status": "COMPLETED", "results": results}
    return orjson.dumps(whole)


def _groups(words: int) -> list[list[dict[str, Any]]]:
    """The items in sentences; each of them ends with a full stop."""
    groups: list[list[dict[str, Any]]] = []
    for number, word in enumerate(islice(cycle(_WORDS), words)):
        if number % _PER_SEGMENT == 0:
            groups.append([])
        start = number * _SECONDS_PER_WORD
        groups[-1].append(
            {
                "type": "pronunciation",
                "alternatives": [
                    {"confidence": f"{0.9 + number % 100 / 1000:.3f}", "content": word}
                ],
                "start_time": f"{start:.2f}",
                "end_time": f"{start + 0.33:.2f}",
            }
        )
        if number % _PER_SEGMENT == _PER_SEGMENT - 1 or number == words - 1:
            stop = {"confidence": "0.0", "content": "."}
            groups[-1].append({"type": "punctuation", "alternatives": [stop]})
    return groups


def _text(items: list[dict[str, Any]]) -> str:
    contents = (item["alternatives"][0]["content"] for item in items)
    return " ".join(contents).replace(" .", ".")


def _speaker(number: int) -> str:
    return f"spk_{number % 3}"


def _spoken(group: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in group if item["type"] == "pronunciation"]


def _times(first: dict[str, Any], last: dict[str, Any]) -> dict[str, str]:
    return {"start_time": first["start_time"], "end_time": last["end_time"]}


def _speaker_labels(groups: list[list[dict[str, Any]]]) -> dict[str, Any]:
    turns = []
    for number, group in enumerate(groups):
        label, spoken = {"speaker_label": _speaker(number)}, _spoken(group)
        inside = [{**label, **_times(item, item)} for item in spoken]
        turns.append({**_times(spoken[0], spoken[-1]), **label, "items": inside})
    return {"speakers": 3, "channel_label": "ch_0", "segments": turns}


def _audio_segments(groups: list[list[dict[str, Any]]], *, labelled: bool) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "transcript": _text(group),
            **_times(_spoken(group)[0], _spoken(group)[-1]),
            **({"speaker_label": _speaker(number)} if labelled else {}),
            "items": [item["id"] for item in group],
        }
        for number, group in enumerate(groups)
    ]
