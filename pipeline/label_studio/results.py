"""The results of an annotation or a prediction ─► regions by id, the rest by control; pure.

What the server returns is foreign: any program may have written the results, and a team's own
configuration has controls of any kind. What a control says is kept as texts under its name: with
its region where it stands beside one (the same id) or has a time of its own, else with the whole.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.ground_truth.record import LONGEST, Controls
from pipeline.tasks.labeling_config import LANGUAGE, SPEAKER, TEXT, TRANSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_PLACE = ("start", "end", "channel")


class Region(msgspec.Struct):
    """What the results that share one id say together."""

    times: tuple[float, float] = (0.0, 0.0)
    speaker: str | None = None
    channel: int | None = None
    score: float | None = None
    texts: list[str] = []
    controls: Controls = {}


class Content(msgspec.Struct):
    """What a list of results says: one box of text, or regions by their id."""

    whole: list[str] = []
    regions: dict[Any, Region] = {}
    language: str | None = None
    controls: Controls = {}


def content_of(results: Any) -> Content:
    """What the results say; whatever is no result is left out."""
    content = Content()
    others = []
    for result in dicts(results):
        value = result.get("value")
        value = value if isinstance(value, dict) else {}
        name = result.get("from_name")
        if name == TRANSCRIPTION:
            content.whole += _texts(value.get("text"))
        elif name == LANGUAGE:
            content.language = content.language or next(iter(_texts(value.get("choices"))), None)
        elif name in (SPEAKER, TEXT):
            _add(content.regions, result, value)
        elif isinstance(name, str):
            others.append((result, value))
    for result, value in others:  # by now every region is known
        _add_control(content, result, value)
    return content


def _add(regions: dict[Any, Region], result: dict[str, Any], value: dict[str, Any]) -> None:
    """Join a result to what its region says already; without an id the times tell which it is."""
    region = _region(regions, result, value)
    score = finite(result.get("score"))
    region.score = region.score if score is None else score
    if result["from_name"] == SPEAKER:
        region.speaker = next(iter(_texts(value.get("labels"))), region.speaker)
    else:
        region.texts += _texts(value.get("text"))


def _region(regions: dict[Any, Region], result: dict[str, Any], value: dict[str, Any]) -> Region:
    times = _times(value)
    region = regions.setdefault(as_str(result.get("id")) or times, Region())
    if times != (0.0, 0.0):
        region.times = times
    channel = value.get("channel")
    if isinstance(channel, int) and not isinstance(channel, bool):
        region.channel = channel
    return region


def _add_control(content: Content, result: dict[str, Any], value: dict[str, Any]) -> None:
    """Keep what another control says: of its region, or of the whole recording."""
    said = tuple(each for key in value if key not in _PLACE for each in _words(value[key]))
    if not said:
        return
    of_region = as_str(result.get("id")) in content.regions or _times(value) != (0.0, 0.0)
    of = _region(content.regions, result, value) if of_region else content
    name = result["from_name"]
    of.controls[name] = of.controls.get(name, ()) + said


def _words(value: Any) -> Iterator[str]:
    """What a choice, a text, a number, a date or a path of a taxonomy says."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, list) and all(isinstance(one, str) for one in each):
            yield " / ".join(each)
        elif each is not None:
            yield each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _times(value: Mapping[str, Any]) -> tuple[float, float]:
    """Start and end, in this order; one that is missing or can't be is as the other."""
    known = [
        each
        for each in (seconds(value.get("start")), seconds(value.get("end")))
        if each is not None
    ]
    return min(known, default=0.0), max(known, default=0.0)


def dicts(values: Any) -> Iterator[dict[str, Any]]:
    """Those of foreign values that are JSON objects."""
    found: Iterable[Any] = values if isinstance(values, list) else ()
    return (value for value in found if isinstance(value, dict))


def as_str(value: Any) -> str | None:
    """A text that says something, or None."""
    return value if isinstance(value, str) and value else None


def seconds(value: Any) -> float | None:
    """A time in a recording; None where it can't be one."""
    found = finite(value)
    return found if found is not None and 0 <= found <= LONGEST else None


def finite(value: Any) -> float | None:
    """A number, or None."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON has whole numbers of any length
        return None
    return number if math.isfinite(number) else None
