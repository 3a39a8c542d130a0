"""Samples of a run ─► what is drawn over time; pure. Moments are seconds since the epoch."""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pipeline.monitoring.summary_text import HOLDS_STARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.state.history import Sample

_BINDS = 0.5
"""A limit bound the run where something waited for it for this share of the time."""

_SECONDS = (1, 2, 5, 10, 15, 30)
_STEPS = (
    *_SECONDS,
    *(60 * each for each in _SECONDS),
    *(3_600 * each for each in (1, 2, 3, 6, 12, 24, 48, 96, 168)),
)
_LEAST = 1e-6
_MINUTE, _DAY = 60, 86_400


class Bound(NamedTuple):
    """A stretch of time in which one limit held the run back."""

    begin: float
    end: float
    limit: str


class Rates(NamedTuple):
    """Recordings per `unit` in the stretches of time between the edges."""

    edges: list[float]
    unit: str
    written: list[float]
    failed: list[float]


def bounds(samples: Sequence[Sample], most: int) -> list[Bound]:
    """Which limit held starts back when, seen in at most `most` stretches; equal ones are joined.

    Where both did, the start rate is told: it had to be waited for with a slot in hand.
    """
    edges = _edges(samples, most)
    shares = {
        name: _growth(samples, edges, partial(_waited, limit=name)) for name in sorted(HOLDS_STARTS)
    }
    found: list[Bound] = []
    for n, (begin, end) in enumerate(pairwise(edges)):
        limit = next((name for name, share in shares.items() if share[n] >= _BINDS), "")
        if found and found[-1].limit == limit:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Bound(begin, end, limit))
    return [each for each in found if each.limit]


def _waited(sample: Sample, limit: str) -> float:
    return sample.waits.get(limit, 0.0)


def mean_in_flight(samples: Sequence[Sample]) -> float:
    """Jobs at the service on average over time."""
    seconds = samples[-1].at - samples[0].at if samples else 0.0
    if not seconds:
        return 0.0
    area = sum((b.at - a.at) * (a.in_flight + b.in_flight) / 2 for a, b in pairwise(samples))
    return area / seconds


def rates(samples: Sequence[Sample], most: int) -> Rates:
    """How many recordings were written and failed per unit of time, in at most `most` stretches."""
    edges = _edges(samples, most)
    written = _growth(samples, edges, lambda each: each.written)
    failed = _growth(samples, edges, lambda each: each.failed)
    unit, factor = _unit(max(map(sum, zip(written, failed, strict=True))))
    return Rates(
        edges, unit, [factor * each for each in written], [factor * each for each in failed]
    )


def _edges(samples: Sequence[Sample], most: int) -> list[float]:
    """The moments between stretches of the run that are equally long; none is without a sample."""
    begin, end = samples[0].at, samples[-1].at
    count = max(1, min(most, len(samples) - 1))
    width = (end - begin) / count
    return [*(begin + n * width for n in range(count)), end]


def _growth(
    samples: Sequence[Sample], edges: Sequence[float], figure: Callable[[Sample], float]
) -> list[float]:
    """By how much a figure grew in each second, on average between two edges."""
    moments = [each.at for each in samples]
    values = [figure(each) for each in samples]
    levels = [(edge, _at(edge, moments, values)) for edge in edges]
    return [
        max(0.0, after - before) / (end - begin) if end > begin else 0.0
        for (begin, before), (end, after) in pairwise(levels)
    ]


def _unit(per_second: float) -> tuple[str, int]:
    """A unit in which the figures are neither tiny nor huge, and its seconds."""
    if per_second >= 10:  # noqa: PLR2004 # 600 a minute
        return "second", 1
    return ("minute", 60) if per_second * _MINUTE >= 1 else ("hour", 3_600)


def _at(moment: float, moments: Sequence[float], values: Sequence[float]) -> float:
    """A figure between two samples, as if it had grown evenly."""
    place = bisect_right(moments, moment)
    if place in (0, len(moments)):
        return values[min(place, len(values) - 1)]
    before, after = moments[place - 1], moments[place]
    share = (moment - before) / (after - before)
    return values[place - 1] + share * (values[place] - values[place - 1])


def clock_ticks(begin: float, end: float, most: int) -> list[tuple[float, str]]:
    """Round moments between two moments, as the clock of this machine shows them."""
    span = max(1.0, end - begin)
    step = next((each for each in _STEPS if span / each <= most), _STEPS[-1])
    shown = "%H:%M:%S" if step < _MINUTE else "%H:%M" if step < _DAY else "%-d %b"
    return [(moment, _local(moment).strftime(shown)) for moment in _round(begin, end, step)]


def _round(begin: float, end: float, step: int) -> Iterator[float]:
    ahead = (_local(begin).utcoffset() or timedelta()).total_seconds()
    moment = step * ((begin + ahead) // step) - ahead
    while moment <= end:
        if moment >= begin:
            yield moment
        moment += step


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment).astimezone()


def clock(moment: float) -> str:
    """A moment as the clock of this machine shows it."""
    return f"{_local(moment):%H:%M:%S}"


def span_words(begin: float, end: float) -> str:
    """Two moments as people write them, with the clock's distance from UTC."""
    first, last = _local(begin), _local(end)
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%-d %B %H:%M:%S}"
    offset = f"{first:%z}"
    return f"{moment_words(begin)} to {until} (UTC{offset[:3]}:{offset[3:]})"


def moment_words(moment: float) -> str:
    """A moment as people write it."""
    return f"{_local(moment):%-d %B %Y, %H:%M:%S}"


def scale(most: float, *, whole: bool = False) -> list[float]:
    """Round figures from 0 to at least `most`, six of them at most; whole ones where asked for."""
    if most < _LEAST:
        return [0.0, 1.0]
    size = 10.0 ** math.floor(math.log10(most))
    steps = (size * part for part in (0.2, 0.5, 1, 2, 5))
    step = next(each for each in steps if each * 5 >= most)
    if whole:
        step = max(1.0, step)
    return [step * n for n in range(max(1, math.ceil(most / step)) + 1)]
