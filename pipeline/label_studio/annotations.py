"""Label Studio's task and annotation ─► lines of ground truth; pure.

What the server returns is foreign: any program may have written the results, and reviewers add,
delete, split and merge regions. So nothing that was written is dropped for being in odd company:
a region without a speaker, without a time or without a text is a segment all the same.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pipeline.ground_truth.record import AUTO, LONGEST, REVIEWED, GroundTruth, Segment
from pipeline.tasks.labeling_config import LANGUAGE, SPEAKER, TEXT, TRANSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LANGUAGE_AT_END = re.compile(r"/([a-z]{2,3}-[A-Z]{2,4})$")
"""What a run in one language calls its predictions: amazon-transcribe/en-US."""


class _Region(msgspec.Struct):
    """What the results that share one id say together."""

    times: tuple[float, float] = (0.0, 0.0)
    speaker: str | None = None
    channel: int | None = None
    score: float | None = None
    texts: list[str] = []


class _Content(msgspec.Struct):
    """What a list of results says: one box of text, or regions by their id."""

    whole: list[str] = []
    regions: dict[Any, _Region] = {}
    language: str | None = None


def reviews(task: Mapping[str, Any], project: str, people: Mapping[int, str]) -> list[GroundTruth]:
    """The lines of a task as `exportType=JSON` gives it: one for each submitted annotation.

    Skipped annotations (`was_cancelled`) and drafts are no reviews.

    Args:
        task: with `id`, `data` and `annotations`, each with the snapshot of its prediction.
        project: the project's URL.
        people: the addresses of reviewers by their number.
    """
    return [
        _review(task, annotation, project, people)
        for annotation in sorted(_dicts(task.get("annotations")), key=_number)
        if not annotation.get("was_cancelled")
    ]


def unreviewed(task: Mapping[str, Any]) -> GroundTruth:
    """The `auto` line of a task of ours, from its first prediction."""
    prediction = next(_dicts(task.get("predictions")), {})
    content = _content(prediction.get("result"))
    return GroundTruth(
        source=AUTO,
        text=_whole(content, _Content()),
        segments=_segments(content, {}),
        **_about(task, content, prediction),
    )


def predicted_texts(lines: Iterable[bytes]) -> dict[str, str]:
    """What is predicted in tasks of ours, by audio; a line is one task as JSON."""
    tasks = (unreviewed(orjson.loads(line)) for line in lines)
    return {task.audio: task.text for task in tasks}


def _review(
    task: Mapping[str, Any],
    annotation: Mapping[str, Any],
    project: str,
    people: Mapping[int, str],
) -> GroundTruth:
    prediction = annotation.get("prediction")
    prediction = prediction if isinstance(prediction, dict) else {}
    content = _content(annotation.get("result"))
    predicted = _content(prediction.get("result"))
    removed = _Content(
        regions={k: r for k, r in predicted.regions.items() if k not in content.regions}
    )
    return GroundTruth(
        source=REVIEWED,
        text=_whole(content, predicted),
        segments=_segments(content, predicted.regions),
        predicted=_whole(predicted, _Content())
        if isinstance(prediction.get("result"), list)
        else None,
        deleted=tuple(
            msgspec.structs.replace(each, text="", predicted=each.text)
            for each in _segments(removed, {})
        ),
        reviewer=_reviewer(annotation.get("completed_by"), people),
        seconds_spent=_finite(annotation.get("lead_time")),
        project=project,
        task_id=_number(task),
        annotation_id=_number(annotation),
        annotation_uid=_str(annotation.get("unique_id")) or "",
        updated_at=_str(annotation.get("updated_at")) or "",
        **_about(task, content, prediction),
    )


def _about(
    task: Mapping[str, Any], content: _Content, prediction: Mapping[str, Any]
) -> dict[str, Any]:
    """What a line says of its recording and of the prediction."""
    data = task.get("data")
    data = data if isinstance(data, dict) else {}
    model = _str(prediction.get("model_version"))
    named = _LANGUAGE_AT_END.search(model or "")
    return {
        "audio": _str(data.get("audio")) or "",
        "job_id": _str(data.get("job_id")) or "",
        "language": content.language or _str(data.get("language")) or (named and named[1]),
        "duration": _seconds(data.get("duration")),
        "score": _finite(prediction.get("score")),
        "model_version": model,
    }


def _content(results: Any) -> _Content:
    content = _Content()
    for result in _dicts(results):
        value = result.get("value")
        value = value if isinstance(value, dict) else {}
        name = result.get("from_name")
        if name == TRANSCRIPTION:
            content.whole += _texts(value.get("text"))
        elif name == LANGUAGE:
            content.language = content.language or next(iter(_texts(value.get("choices"))), None)
        elif name in (SPEAKER, TEXT):
            _add(content.regions, result, value)
    return content


def _add(regions: dict[Any, _Region], result: dict[str, Any], value: dict[str, Any]) -> None:
    """Join a result to what its region says already; without an id the times tell which it is."""
    times = _times(value)
    region = regions.setdefault(_str(result.get("id")) or times, _Region())
    if times != (0.0, 0.0):
        region.times = times
    channel, score = value.get("channel"), _finite(result.get("score"))
    if isinstance(channel, int) and not isinstance(channel, bool):
        region.channel = channel
    region.score = region.score if score is None else score
    if result["from_name"] == SPEAKER:
        region.speaker = next(iter(_texts(value.get("labels"))), region.speaker)
    else:
        region.texts += _texts(value.get("text"))


def _segments(content: _Content, predicted: Mapping[Any, _Region]) -> tuple[Segment, ...]:
    """The regions in the order of their times."""
    ordered = sorted(content.regions.items(), key=lambda item: item[1].times)
    return tuple(_segment(region, predicted.get(key)) for key, region in ordered)


def _segment(region: _Region, predicted: _Region | None) -> Segment:
    before = predicted or _Region()
    changed = before.speaker != region.speaker
    return Segment(
        start=region.times[0],
        end=region.times[1],
        speaker=region.speaker,
        channel=region.channel,
        text=_final(region.texts, before.texts),
        predicted=_final(before.texts, []) if predicted else None,
        predicted_speaker=before.speaker if changed else None,
        score=region.score if before.score is None else before.score,
    )


def _whole(content: _Content, predicted: _Content) -> str:
    """The whole text: that of the box, or of the segments one after the other."""
    if content.whole or not content.regions:
        return _final(content.whole, predicted.whole)
    texts = (segment.text for segment in _segments(content, predicted.regions))
    return " ".join(text for text in texts if text)


def _final(texts: list[str], predicted: list[str]) -> str:
    """One text of several in a box.

    Where a configuration leaves the prediction's text alone in its box, the reviewer's correction
    is added below it: then only what was added counts.
    """
    added = texts[len(predicted) :] if texts[: len(predicted)] == predicted else []
    return "\n".join(text.strip() for text in added or texts).strip()


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _times(value: Mapping[str, Any]) -> tuple[float, float]:
    """Start and end, in this order; one that is missing or can't be is as the other."""
    known = [
        seconds
        for seconds in (_seconds(value.get("start")), _seconds(value.get("end")))
        if seconds is not None
    ]
    return min(known, default=0.0), max(known, default=0.0)


def _reviewer(person: Any, people: Mapping[int, str]) -> str | None:
    """Who submitted: an address where it is known, else a number."""
    if isinstance(person, dict):
        return _str(person.get("email")) or _reviewer(person.get("id"), people)
    return people.get(person, str(person)) if isinstance(person, int) else None


def _dicts(values: Any) -> Iterator[dict[str, Any]]:
    found: Iterable[Any] = values if isinstance(values, list) else ()
    return (value for value in found if isinstance(value, dict))


def _number(thing: Mapping[str, Any]) -> int:
    number = thing.get("id")
    return number if isinstance(number, int) else 0


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: Any) -> float | None:
    """A time in a recording; None where it can't be one."""
    seconds = _finite(value)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST else None


def _finite(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any length
        return None
    return number if math.isfinite(number) else None
