"""Label Studio's task and annotation ─► lines of ground truth; pure.

What the server returns is foreign: any program may have written the results, and reviewers add,
delete, split and merge regions. So nothing that was written is dropped for being in odd company:
a region without a speaker, without a time or without a text is a segment all the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
import orjson

from pipeline.config.metadata import COPIED, others
from pipeline.ground_truth.record import AUTO, REVIEWED, GroundTruth, Segment
from pipeline.label_studio.results import (
    Content,
    Region,
    as_str,
    content_of,
    dicts,
    finite,
    seconds,
)
from pipeline.tasks.recording_parts import key_in, named_part, part_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LANGUAGE_AT_END = re.compile(r"/([a-z]{2,3}-[A-Z]{2,4})$")
"""What a run in one language calls its predictions: amazon-transcribe/en-US."""


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
        for annotation in sorted(dicts(task.get("annotations")), key=_number)
        if not annotation.get("was_cancelled")
    ]


def says_nothing(task: Mapping[str, Any], line: GroundTruth) -> bool:
    """Whether a review is empty where words were heard, as when the editor opened empty.

    Of a part they are those of its prediction, as far as it is known: the count is the recording's.
    """
    data = task.get("data")
    words = data.get("word_count") if isinstance(data, dict) else None
    is_of_part = line.predicted is not None and (line.transcript or part_of(task.get("meta")).cuts)
    counted = None if is_of_part else finite(words)
    return not line.text and bool((line.predicted or "").strip() or counted)


def is_named_as_part(task: Mapping[str, Any]) -> bool:
    """Whether a task has the name of a part of a long recording.

    A whole recording may have such a name of its own; then its URI ends with that name.
    """
    data = task.get("data")
    name = as_str(data.get("recording")) if isinstance(data, dict) else None
    if not (name and named_part(name)):
        return False
    uri = _about(task, Content(), {})["audio"]
    return not (uri.endswith(name) or unquote(uri).endswith(name))


def unreviewed(task: Mapping[str, Any]) -> GroundTruth:
    """The `auto` line of a task of ours, from its first prediction."""
    prediction = next(dicts(task.get("predictions")), {})
    content = content_of(prediction.get("result"))
    return GroundTruth(
        source=AUTO,
        text=_whole(content, Content()),
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
    prediction = _began_from(annotation)
    content = content_of(annotation.get("result"))
    predicted = content_of(prediction.get("result"))
    removed = Content(
        regions={k: r for k, r in predicted.regions.items() if k not in content.regions}
    )
    return GroundTruth(
        source=REVIEWED,
        text=_whole(content, predicted),
        segments=_segments(content, predicted.regions),
        predicted=_whole(predicted, Content())
        if isinstance(prediction.get("result"), list)
        else None,
        deleted=tuple(
            msgspec.structs.replace(each, text="", predicted=each.text)
            for each in _segments(removed, {})
        ),
        reviewer=_reviewer(annotation.get("completed_by"), people),
        seconds_spent=finite(annotation.get("lead_time")),
        controls=content.controls,
        starred=annotation.get("ground_truth") is True,
        project=project,
        task_id=_number(task),
        annotation_id=_number(annotation),
        annotation_uid=as_str(annotation.get("unique_id")) or "",
        updated_at=as_str(annotation.get("updated_at")) or "",
        transcript=_key(annotation) or _key(prediction),
        **_about(task, content, prediction),
    )


def _began_from(annotation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The snapshot of the prediction that a review began from, empty where it is of another.

    Who has a part open while a push renews it submits the earlier regions, and the snapshot is of
    the later prediction.
    """
    prediction = annotation.get("prediction")
    if not isinstance(prediction, dict) or _key(annotation) not in ("", _key(prediction)):
        return {}
    return prediction


def _key(about: Mapping[str, Any]) -> str:
    """The key of the transcript that the results of an annotation or a prediction came from."""
    return key_in(dicts(about.get("result")))


def _about(
    task: Mapping[str, Any], content: Content, prediction: Mapping[str, Any]
) -> dict[str, Any]:
    """What a line says of its recording and of the prediction."""
    data, meta = task.get("data"), task.get("meta")
    data = data if isinstance(data, dict) else {}
    model = as_str(data.get("model_version")) or as_str(prediction.get("model_version"))
    named = _LANGUAGE_AT_END.search(model or "")
    return {
        "audio": as_str(data.get(COPIED)) or as_str(data.get("audio")) or "",
        "job_id": as_str(data.get("job_id")) or "",
        "language": content.language or as_str(data.get("language")) or (named and named[1]),
        "duration": seconds(data.get("duration")),
        "metadata": others(data),
        "score": finite(prediction.get("score")),
        "model_version": model,
        "audit": isinstance(meta, dict) and meta.get("audit") is True,
    }


def _segments(content: Content, predicted: Mapping[Any, Region]) -> tuple[Segment, ...]:
    """The regions in the order of their times."""
    ordered = sorted(content.regions.items(), key=lambda item: item[1].times)
    return tuple(_segment(region, predicted.get(key)) for key, region in ordered)


def _segment(region: Region, predicted: Region | None) -> Segment:
    before = predicted or Region()
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
        controls=region.controls,
    )


def _whole(content: Content, predicted: Content) -> str:
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


def _reviewer(person: Any, people: Mapping[int, str]) -> str | None:
    """Who submitted: an address where it is known, else a number."""
    if isinstance(person, dict):
        return as_str(person.get("email")) or _reviewer(person.get("id"), people)
    return people.get(person, str(person)) if isinstance(person, int) else None


def _number(thing: Mapping[str, Any]) -> int:
    number = thing.get("id")
    return number if isinstance(number, int) else 0
