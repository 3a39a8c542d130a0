"""A long recording as several tasks, each with a part of its segments; pure.

Label Studio (1.23) opens a task of 160 segments in 2.4 s and one of 1,000 in 10 s, and needs 12 s
and more to submit that. So a recording is cut where nobody speaks. A segment belongs to the part in
which it begins, with the times that it has in the whole; audio, score and facts are the
recording's. Each part names all the cuts in `meta.part`, so one that is there tells the others.

The ids of a part's results end with a key of the whole prediction, as two transcripts don't go
together at a cut. Label Studio (1.23) gives ids back, with what a reviewer submits and with its
snapshot of the prediction, which it takes at the submission and not when the task was opened.
"""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_right
from collections import Counter
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import orjson

from pipeline.tasks.dialogue import (
    MOST_SEGMENTS,
    SPEECH,
    clock,
    dialogue_of_part,
    dialogue_of_whole,
)
from pipeline.tasks.labeling_config import SPEAKER, TEXT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pipeline.tasks.dialogue import Said

_FULL = 0.9
"""Parts are made for so much of what a task may have, which leaves room to look for a silence."""

_FREE = 4
"""A cut is at most this fraction of a task away from where the parts would be equal."""

_SILENCE = 0.1
"""Seconds: in a shorter pause the cut is at the next word."""

_PIECES = ("alternatives", "toxicity_detection")

_SAID = ("start", "end", "text", "labels")
_KEY_BYTES = 4
_NAME = re.compile(r" · part (\d{1,6}) of (\d{1,6}), (\d{1,6}):(\d\d)-(\d{1,6}):(\d\d)", re.ASCII)
_KEYED_ID = re.compile(r"(?:seg-[0-9]+|lang)-([0-9a-f]{8})")

Start = Annotated[float, msgspec.Meta(ge=0)]


class Part(msgspec.Struct, frozen=True):
    """Which part of a recording a task has.

    `job_id` is the recording's job, `number` is from 1, `cuts` are the seconds at which each part
    but the first begins; a task without cuts has the whole.
    """

    job_id: str
    number: Annotated[int, msgspec.Meta(ge=1)] = 1
    cuts: tuple[Start, ...] = ()

    @property
    def total(self) -> int:
        """How many parts the recording has."""
        return len(self.cuts) + 1

    def has(self, start: float) -> bool:
        """Whether what begins there, in seconds, is of this part."""
        return bisect_right(self.cuts, start) + 1 == self.number

    def span(self, duration: float) -> tuple[float, float]:
        """Where it begins and ends in a recording of so many seconds."""
        bounds = [0.0, *self.cuts, max(duration, *self.cuts, 0.0)]
        return bounds[self.number - 1], bounds[self.number]


def part_of(meta: Any, job_id: str = "") -> Part:
    """The part that a task's `meta` names, which is foreign; the whole where it names none."""
    named = meta.get("part") if isinstance(meta, dict) else None
    try:
        part = msgspec.convert(named, Part)
    except msgspec.ValidationError:
        return Part(job_id)
    ordered = all(one < other for one, other in pairwise(part.cuts))
    return part if ordered and part.number <= part.total else Part(job_id)


class Named(NamedTuple):
    """What the name of a part says; begin and end in whole seconds."""

    number: int
    total: int
    begin: int
    end: int


def parts_by_name(
    names: Mapping[int, str], job_id: str, cuttings: Collection[tuple[float, ...]]
) -> dict[int, Part]:
    """The parts that tasks of one recording have by their names, as far as their cuts are known.

    Another program may drop `meta`, as a storage of Label Studio (1.23) does. The name of a part
    stays: its number, how many there are, and its times in whole seconds. The cuts are those of a
    part that still tells them and agrees, else as the names of its neighbours have them.

    Args:
        names: `recording` of each task, by its number.
        job_id: the recording's job.
        cuttings: the cuts of its other tasks.
    """
    found = {task: named for task, name in names.items() if (named := named_part(name))}
    parts = {}
    for task, named in found.items():
        same = (cuts for cuts in cuttings if _agrees(named, Part(job_id, named.number, cuts)))
        near = [each for each in found.values() if each.total == named.total]
        if cuts := next(same, None) or _cuts_named(near, named.total):
            parts[task] = Part(job_id, named.number, cuts)
    return parts


def named_part(name: str) -> Named | None:
    """What a task's `recording` says of a part; a recording's own key may end like that, too."""
    begin = name.rfind(" · part ")
    match = _NAME.fullmatch(name, begin) if begin >= 0 else None
    if not match:
        return None
    number, total, *times = map(int, match.groups())
    named = Named(number, total, times[0] * 60 + times[1], times[2] * 60 + times[3])
    return named if 1 <= number <= total else None


def _agrees(named: Named, part: Part) -> bool:
    """Whether a part is that which is named; where the last one ends its recording says."""
    if part.total != named.total:
        return False
    begin, end = part.span(0.0)
    return int(begin) == named.begin and (part.number == part.total or int(end) == named.end)


def _cuts_named(parts: Iterable[Named], total: int) -> tuple[float, ...]:
    """The cuts by the names of parts; none where one is not named, or they contradict."""
    bounds: dict[int, set[int]] = {}
    for each in parts:
        bounds.setdefault(each.number - 1, set()).add(each.begin)
        bounds.setdefault(each.number, set()).add(each.end)
    if len(bounds) < total - 1:
        return ()
    cuts = [bounds.get(n, set()) for n in range(1, total)]
    if any(len(each) != 1 for each in cuts):
        return ()
    found = [float(*each) for each in cuts]
    return tuple(found) if all(one < other for one, other in pairwise(found)) else ()


def wholes_of(parts: Collection[Part]) -> list[list[Part]]:
    """Those of the parts that together are the whole recording, in their order.

    A recording that was cut in several ways may have several; that with the most parts is the
    first, and of as many that which is cut first.
    """
    found = []
    for last in sorted(parts, key=lambda part: (-part.total, part.cuts, part.job_id)):
        if last.number == last.total:
            every = [msgspec.structs.replace(last, number=n + 1) for n in range(last.total)]
            if all(each in parts for each in every):
                found.append(every)
    return found


def whole_of(parts: Collection[Part]) -> list[Part]:
    """The first of `wholes_of`; none where a part is missing."""
    return next(iter(wholes_of(parts)), [])


def cuts_of(content: bytes, most: int) -> tuple[float, ...]:
    """Where a task is cut, in seconds, so that no part has more than `most` segments.

    A cut is in the longest silence near where the parts would be equal. What begins at one moment
    is not cut. With 0, and in tasks of one text, there is none.

    Args:
        content: the task as JSON.
        most: how many segments a part has at most.
    """
    if not most or content.count(b'"seg-') <= 2 * most:  # seen without reading it
        return ()
    return cuts_between(_times(orjson.loads(content)), most)


def cuts_between(times: Iterable[tuple[float, float]], most: int) -> tuple[float, ...]:
    """Where segments (start and end in seconds) are cut; as of `cuts_of`."""
    ordered = sorted(times)
    starts = [start for start, _ in ordered]
    spoken_until = list(accumulate((max(each) for each in ordered), max))
    cuts, begin = [], 0
    parts = math.ceil(len(starts) / (_FULL * most)) if len(starts) > most else 1
    for left in range(parts, 1, -1):
        equal = (len(starts) - begin) / left
        least = max(1, len(starts) - begin - (left - 1) * most, math.ceil(equal - most / _FREE))
        places = range(begin + least, begin + min(most, int(equal + most / _FREE)) + 1)
        middle = begin + equal
        free = [
            (starts[n] - spoken_until[n - 1], -abs(n - middle), n)
            for n in places
            if starts[n - 1] < starts[n]
        ]
        if free:
            silence, _, begin = max(free)
            cuts.append(_within(starts[begin], silence))
    return tuple(cuts)


def _within(start: float, silence: float) -> float:
    """A moment in the silence before a start."""
    return start if silence < _SILENCE else round(start - silence / 2, 2)


def in_parts(content: bytes, cuts: Sequence[float]) -> list[tuple[Part, bytes]]:
    """The tasks of a recording's parts, in their order; without cuts the task as it is.

    Args:
        content: the task of the whole as JSON.
        cuts: in seconds, each later than the one before.
    """
    task = orjson.loads(content)
    job_id = task["data"]["job_id"]
    if not cuts:
        return [(Part(job_id), uncut(content))]
    parts = [Part(job_id, number, tuple(cuts)) for number in range(1, len(cuts) + 2)]
    keyed = task | {"predictions": [_keyed(each) for each in task["predictions"]]}
    return [(part, orjson.dumps(_task(keyed, part))) for part in parts]


def key_in(results: Iterable[dict[str, Any]]) -> str:
    """The key of the transcript that results of a part came from; "" where no id has one.

    Of several, which foreign results may have, that of most of them.
    """
    found = (_KEYED_ID.fullmatch(str(each.get("id"))) for each in results)
    keys = Counter(match[1] for match in found if match)
    return max(keys, key=lambda key: (keys[key], key), default="")


def _keyed(prediction: dict[str, Any]) -> dict[str, Any]:
    """A prediction of the whole with its key in all ids: another text, time or speaker is another.

    The job's name is no such key, as a later version may divide the same transcript otherwise. What
    a later version may add to a result makes no other key.
    """
    results = prediction["result"]
    content = orjson.dumps([[each["value"].get(name) for name in _SAID] for each in results])
    key = hashlib.blake2b(content, digest_size=_KEY_BYTES).hexdigest()
    return prediction | {"result": [each | {"id": f"{each['id']}-{key}"} for each in results]}


def tasks_of(content: bytes, most: int) -> list[bytes]:
    """A task as one or several of at most `most` segments each, as JSON."""
    cuts = cuts_of(content, most)
    return [each for _, each in in_parts(content, cuts)] if cuts else [uncut(content)]


def uncut(content: bytes) -> bytes:
    """A task that is not cut, as JSON: its dialogue has no more lines than open quickly."""
    if content.count(b"<p dir=") <= MOST_SEGMENTS:  # seen without reading it
        return content
    task = orjson.loads(content)
    if isinstance(said := task["data"].get("dialogue"), str):
        task["data"]["dialogue"] = dialogue_of_whole(said)
    return orjson.dumps(task)


def _task(task: dict[str, Any], part: Part) -> dict[str, Any]:
    """The task of one part."""
    predictions = [
        each | {"result": [one for one in each["result"] if _is_of(part, one["value"])]}
        for each in task["predictions"]
    ]
    data = dict(task["data"])
    begin, end = part.span(data.get("duration") or 0.0)
    where = f"part {part.number} of {part.total}, {clock(begin)}-{clock(end)}"
    data["recording"] = f"{data.get('recording', '')} · {where}"
    for name in _PIECES:
        if name in data:
            data[name] = [each for each in data[name] if _is_of(part, each)]
    said = dialogue_of_part(_said(predictions[0]), data.pop("dialogue", ""))
    data |= {"dialogue": said} if said else {}
    meta = task.get("meta", {}) | {"part": msgspec.to_builtins(part)}
    return task | {"data": data, "predictions": predictions, "meta": meta}


def _is_of(part: Part, piece: dict[str, Any]) -> bool:
    """Whether a piece with a time is of the part; what has no time is of all parts."""
    start = piece.get("start")
    return start is None or part.has(start)


def _times(task: dict[str, Any]) -> Iterable[tuple[float, float]]:
    for prediction in task.get("predictions", [])[:1]:
        for result in prediction["result"]:
            if result["from_name"] == TEXT:
                yield result["value"]["start"], result["value"]["end"]


def _said(prediction: dict[str, Any]) -> Iterable[Said]:
    """Who said what and when, as the regions have it."""
    results = prediction["result"]
    who = {e["id"]: e["value"]["labels"][0] for e in results if e["from_name"] == SPEAKER}
    for each in results:
        if each["from_name"] == TEXT:
            value = each["value"]
            yield who.get(each["id"], SPEECH), value["start"], "".join(value["text"])
