"""The four plots of a report, each with its legend and the same figures as a table; pure."""

from __future__ import annotations

from html import escape
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from pipeline.html.charts import Bar, Frame, bars, curve, plane, plot, stretch
from pipeline.html.page import table
from pipeline.report import sentences
from pipeline.report.run_record import BANDS
from pipeline.report.timeline import bounds, clock, clock_ticks, rates, scale
from pipeline.text import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.report.run_record import RunRecord
    from pipeline.state.history import Sample

_MOST_BARS = 60
_MOST_ROWS = 12
_HEADROOM = 1.04
_MINUTE = 60
_MOST_TICKS, _MOST_OF_A_HALF = 7, 4
_TINTS = {"slots": "slots", "StartTranscriptionJob": "starts"}


def slots_figure(night: RunRecord) -> str:
    """Jobs at the service over time, the slots that were found, and which brake bound."""
    seen = night.samples
    begin, end = seen[0].at, seen[-1].at
    place = _places(begin, end)
    ticks = scale(_HEADROOM * _most_slots(seen, night.facts.limits.max_in_flight), whole=True)
    top = ticks[-1]
    bound = bounds(seen, _MOST_BARS)
    shades = (
        stretch(
            f"bound {_tint(each.brake)}",
            place(each.begin),
            place(each.end),
            f"{sentences.brake_name(each.brake)}, {duration(each.end - each.begin)}",
        )
        for each in bound
    )
    used = [(place(each.at), each.in_flight / top) for each in seen]
    frame = Frame(
        "Jobs at the service over time, and the job slots",
        _across(begin, end, _MOST_TICKS),
        _up(ticks),
    )
    limits = list(_limits(seen, place, top))
    legend = [("in-use", "jobs at the service")]
    legend += [("quota", "job slots there are, as far as found")] * bool(limits)
    legend += [
        (_tint(brake), f"held back by {sentences.brake_name(brake)}, {seconds}")
        for brake, seconds in sentences.brake_shares(bound)
    ]
    rows = [
        (clock(each.at), f"{each.in_flight:,}", f"{each.slots_found:,}", f"{each.refused_calls:,}")
        for each in _some(seen)
    ]
    return _figure(
        legend,
        plot(frame, [*shades, plane([curve("path", used), *limits])]),
        table(("Time", "jobs at the service", "slots", "calls refused so far"), rows),
    )


def _most_slots(seen: Sequence[Sample], allowed: int) -> float:
    """The highest figure to draw: a limit that was never met would press all else flat."""
    used = max(each.in_flight for each in seen)
    found = [
        each.slots_found
        for each in seen
        if each.slots_found < allowed or each.slots_found <= 2 * used
    ]
    return max([used, 1, *(each for each in found if each <= 2 * max(used, 1))])


def _limits(seen: Sequence[Sample], place: Callable[[float], float], top: float) -> Iterable[str]:
    """The slots there are as steps, where they fit into the plot."""
    for fits, group in groupby(seen, key=lambda each: each.slots_found <= top):
        if not fits:
            continue
        points: list[tuple[float, float]] = []
        for each in group:
            if points:
                points.append((place(each.at), points[-1][1]))
            points.append((place(each.at), each.slots_found / top))
        yield curve("quota", points)


def throughput_figure(night: RunRecord) -> str:
    """Recordings that were written and that failed, per unit of time."""
    seen = night.samples
    begin, end = seen[0].at, seen[-1].at
    place = _places(begin, end)
    found = rates(seen, _MOST_BARS)
    pairs = list(zip(found.written, found.failed, strict=True))
    ticks = scale(max(map(sum, pairs)))
    top = ticks[-1]
    drawn = (
        Bar(
            place(first),
            place(last) - place(first),
            (("mark", written / top), ("failed", failed / top)),
            f"{clock(first)}: {written:,.1f} transcribed and {failed:,.1f} failed a {found.unit}",
        )
        for (first, last), (written, failed) in zip(pairwise(found.edges), pairs, strict=True)
    )
    title = f"Recordings a {found.unit} over time"
    legend = [("done", f"transcribed, a {found.unit}")]
    if any(found.failed):
        legend.append(("lost", f"failed, a {found.unit}"))
    rows = [
        (clock(each.at), f"{each.written:,}", f"{each.failed:,}", f"{each.jobs:,}")
        for each in _some(seen)
    ]
    return _figure(
        legend,
        plot(Frame(title, _across(begin, end, _MOST_OF_A_HALF), _up(ticks)), bars(drawn)),
        table(("Time", "transcribed so far", "failed so far", "started so far"), rows),
    )


def durations_figure(night: RunRecord) -> str:
    """How many jobs took how long."""
    width, counts = night.durations.width, night.durations.counts
    ticks = scale(max(counts), whole=True)
    each = 1 / len(counts)
    edges = [sentences.short(n * width) if n else "0" for n in range(len(counts) + 1)]
    longer = night.durations.longest > width * len(counts)
    names = [f"{edges[n]} to {edges[n + 1]}" for n in range(len(counts))]
    if longer:
        names[-1] = f"{edges[-2]} and longer"
    drawn = (
        Bar(n * each, each, (("mark", count / ticks[-1]),), f"{names[n]}: {count:,} jobs")
        for n, count in enumerate(counts)
    )
    step = max(1, -(-len(counts) // 6))
    most = width * len(counts)
    across = [
        (n * each, sentences.on_axis(n * width, most))
        for n in range(0, len(counts) + (not longer), step)
    ]
    unit = f" ({sentences.clock_parts(most)[0]})" if most >= _MINUTE else ""
    rows = [(name, f"{count:,}") for name, count in zip(names, counts, strict=True) if count]
    return _figure(
        [("done", f"jobs by how long they took{unit}, in steps of {sentences.short(width)}")],
        plot(Frame("How many jobs took how long", across, _up(ticks)), bars(drawn)),
        table(("Took", "jobs"), rows),
    )


def confidence_figure(night: RunRecord) -> str:
    """How many recordings have which confidence, from the tenth below the lowest up to 1."""
    counts = night.confidences
    lowest = next(n for n, count in enumerate(counts) if count)
    first = lowest // (BANDS // 10) * (BANDS // 10)
    shown = counts[first:]
    ticks = scale(max(shown), whole=True)
    each = 1 / len(shown)
    drawn = (
        Bar(n * each, each, (("mark", count / ticks[-1]),), f"{_band(first + n)}: {count:,}")
        for n, count in enumerate(shown)
    )
    across = [
        (n * each, f"{(first + n) / BANDS:.1f}") for n in range(0, len(shown) + 1, BANDS // 10)
    ]
    rows = [(_band(n), f"{count:,}") for n, count in enumerate(counts) if count]
    return _figure(
        [("done", "recordings, by the mean confidence of their words")],
        plot(Frame("How many recordings have which confidence", across, _up(ticks)), bars(drawn)),
        table(("Confidence", "recordings"), rows),
    )


def _band(number: int) -> str:
    return f"{number / BANDS:.2f} to {(number + 1) / BANDS:.2f}"


def _figure(legend: Iterable[tuple[str, str]], drawn: str, as_table: str) -> str:
    keys = "".join(
        f'<li><i class="swatch {style}"></i>{escape(name)}</li>' for style, name in legend
    )
    return (
        f'<figure><ul class="legend">{keys}</ul>{drawn}'
        f"<details><summary>These figures as a table</summary>{as_table}</details></figure>"
    )


def _places(begin: float, end: float) -> Callable[[float], float]:
    """Where in the plot a moment is."""
    span = (end - begin) or 1.0
    return lambda moment: (moment - begin) / span


def _across(begin: float, end: float, most: int) -> list[tuple[float, str]]:
    place = _places(begin, end)
    return [(place(moment), label) for moment, label in clock_ticks(begin, end, most)]


def _up(ticks: Sequence[float]) -> list[tuple[float, str]]:
    return [(each / ticks[-1], f"{each:,.10g}") for each in ticks]


def _tint(brake: str) -> str:
    return _TINTS[brake]


def _some(seen: Sequence[Sample]) -> list[Sample]:
    """As many samples as a table takes, evenly chosen, with the last one."""
    step = max(1, -(-(len(seen) - 1) // _MOST_ROWS))
    return [*seen[:-1:step], seen[-1]]
