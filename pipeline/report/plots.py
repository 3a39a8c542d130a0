"""The four plots of a report, each with its legend and the same figures as a table; pure."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from pipeline.html.charts import Bar, Chart, Curve, Stretch
from pipeline.report import sentences
from pipeline.report.run_record import BANDS
from pipeline.report.timeline import bounds, clock, clock_ticks, rates, scale
from pipeline.text import count_of, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.report.run_record import RunRecord
    from pipeline.state.history import Sample

_MOST_BARS = 60
_MOST_ROWS = 12
_HEADROOM = 1.04
_MINUTE = 60
_MOST_TICKS, _MOST_OF_A_HALF = 7, 4
_TINTS = {"slots": "slots", "StartTranscriptionJob": "starts"}


class Plot(NamedTuple):
    """A chart, its legend (classes of the style and what they mean), and its figures as a table."""

    legend: Sequence[tuple[str, str]]
    chart: Chart
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def slots_plot(record: RunRecord) -> Plot:
    """Jobs at the service over time, the slots that were found, and which limit bound."""
    seen = record.samples
    begin, end = seen[0].at, seen[-1].at
    place = _places(begin, end)
    ticks = scale(_HEADROOM * _most_slots(seen, record.facts.limits.max_in_flight), whole=True)
    bound = bounds(seen, _MOST_BARS)
    slots = list(_slots(seen, place, ticks[-1]))
    legend = [("in-use", "jobs at the service")]
    legend += [("quota", "job slots there are, as far as found")] * bool(slots)
    legend += [
        (_TINTS[limit], f"held back by {sentences.LIMITS[limit]}, {seconds}")
        for limit, seconds in sentences.limit_shares(bound)
    ]
    chart = Chart(
        "Jobs at the service over time, and the job slots",
        _across(begin, end, _MOST_TICKS),
        _up(ticks),
        stretches=[
            Stretch(
                f"bound {_TINTS[each.limit]}",
                place(each.begin),
                place(each.end),
                f"{sentences.LIMITS[each.limit]}, {duration(each.end - each.begin)}",
            )
            for each in bound
        ],
        curves=[Curve("path", [(place(s.at), s.in_flight / ticks[-1]) for s in seen]), *slots],
    )
    rows = [
        (clock(each.at), f"{each.in_flight:,}", f"{each.slots_found:,}", f"{each.refused_calls:,}")
        for each in _some(seen)
    ]
    return Plot(
        legend, chart, ("Time", "jobs at the service", "slots", "calls refused so far"), rows
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


def _slots(seen: Sequence[Sample], place: Callable[[float], float], top: float) -> Iterator[Curve]:
    """The slots there are as steps, where they fit into the plot."""
    for fits, group in groupby(seen, key=lambda each: each.slots_found <= top):
        if not fits:
            continue
        points: list[tuple[float, float]] = []
        for each in group:
            if points:
                points.append((place(each.at), points[-1][1]))
            points.append((place(each.at), each.slots_found / top))
        yield Curve("quota", points)


def throughput_plot(record: RunRecord) -> Plot:
    """Recordings that were written and that failed, per unit of time."""
    seen = record.samples
    begin, end = seen[0].at, seen[-1].at
    place = _places(begin, end)
    edges, unit, written, failed = rates(seen, _MOST_BARS)
    pairs = list(zip(written, failed, strict=True))
    ticks = scale(max(map(sum, pairs)))
    bars = [
        Bar(
            place(first),
            place(last) - place(first),
            (("mark", good / ticks[-1]), ("failed", bad / ticks[-1])),
            f"{clock(first)}: {good:,.1f} transcribed and {bad:,.1f} failed a {unit}",
        )
        for (first, last), (good, bad) in zip(pairwise(edges), pairs, strict=True)
    ]
    legend = [("done", f"transcribed, a {unit}")]
    legend += [("lost", f"failed, a {unit}")] * any(failed)
    across = _across(begin, end, _MOST_OF_A_HALF)
    rows = [
        (clock(each.at), f"{each.written:,}", f"{each.failed:,}", f"{each.jobs:,}")
        for each in _some(seen)
    ]
    return Plot(
        legend,
        Chart(f"Recordings a {unit} over time", across, _up(ticks), bars),
        ("Time", "transcribed so far", "failed so far", "started so far"),
        rows,
    )


def durations_plot(record: RunRecord) -> Plot:
    """How many jobs took how long."""
    width, counts = record.durations.width, record.durations.counts
    edges = [sentences.short(n * width) if n else "0" for n in range(len(counts) + 1)]
    names = [f"{first} to {last}" for first, last in pairwise(edges)]
    most = width * len(counts)
    longer = record.durations.longest > most
    if longer:
        names[-1] = f"{edges[-2]} and longer"
    step = max(1, -(-len(counts) // 6))
    across = [
        (n / len(counts), sentences.on_axis(n * width, most))
        for n in range(0, len(counts) + (not longer), step)
    ]
    unit = f" ({sentences.clock_parts(most)[0]})" if most >= _MINUTE else ""
    legend = f"jobs by how long they took{unit}, in steps of {sentences.short(width)}"
    rows = [(name, f"{count:,}") for name, count in zip(names, counts, strict=True) if count]
    labels = [
        f"{name}: {count_of(count, 'job')}" for name, count in zip(names, counts, strict=True)
    ]
    chart = _counted("How many jobs took how long", across, counts, labels)
    return Plot([("done", legend)], chart, ("Took", "jobs"), rows)


def confidence_plot(record: RunRecord) -> Plot:
    """How many recordings have which confidence, from the tenth below the lowest up to 1."""
    counts = record.confidences
    lowest = next(n for n, count in enumerate(counts) if count)
    tenth = BANDS // 10
    first = lowest // tenth * tenth
    bands = [f"{n / BANDS:.2f} to {(n + 1) / BANDS:.2f}" for n in range(len(counts))]
    shown = counts[first:]
    across = [
        (n / len(shown), f"{(first + n) / BANDS:.1f}") for n in range(0, len(shown) + 1, tenth)
    ]
    rows = [(band, f"{count:,}") for band, count in zip(bands, counts, strict=True) if count]
    labels = [f"{band}: {count:,}" for band, count in zip(bands[first:], shown, strict=True)]
    chart = _counted("How many recordings have which confidence", across, shown, labels)
    legend = "recordings, by the mean confidence of their words"
    return Plot([("done", legend)], chart, ("Confidence", "recordings"), rows)


def _counted(
    title: str, across: list[tuple[float, str]], counts: Sequence[int], labels: Sequence[str]
) -> Chart:
    """A histogram of bands that are equally wide."""
    ticks, width = scale(max(counts), whole=True), 1 / len(counts)
    bars = [
        Bar(n * width, width, (("mark", count / ticks[-1]),), label)
        for n, (count, label) in enumerate(zip(counts, labels, strict=True))
    ]
    return Chart(title, across, _up(ticks), bars)


def _places(begin: float, end: float) -> Callable[[float], float]:
    """Where in the plot a moment is."""
    span = (end - begin) or 1.0
    return lambda moment: (moment - begin) / span


def _across(begin: float, end: float, most: int) -> list[tuple[float, str]]:
    place = _places(begin, end)
    return [(place(moment), label) for moment, label in clock_ticks(begin, end, most)]


def _up(ticks: Sequence[float]) -> list[tuple[float, str]]:
    return [(each / ticks[-1], f"{each:,.10g}") for each in ticks]


def _some(seen: Sequence[Sample]) -> list[Sample]:
    """As many samples as a table takes, evenly chosen, with the last one."""
    step = max(1, -(-(len(seen) - 1) // _MOST_ROWS))
    return [*seen[:-1:step], seen[-1]]
