"""A run as the state file remembers it ─► what `templates/report.html` shows; pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.failures import advice
from pipeline.html.page import render
from pipeline.monitoring.summary_text import limit_sentence
from pipeline.recordings.selection import tally_skipped
from pipeline.report import plots, sentences
from pipeline.report.run_record import Outcome, earlier_run
from pipeline.report.timeline import mean_in_flight, moment_words, span_words
from pipeline.text import count_of, duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.monitoring.summary import Failure, RunFacts
    from pipeline.report.run_record import RunRecord

_TONES = {
    Outcome.COMPLETE: "good",
    Outcome.UNDER_WAY: "calm",
    Outcome.OVER_BUDGET: "calm",
    Outcome.CANNOT_RUN: "bad",
    Outcome.KILLED: "bad",
}
_MOST_RUNS = 10
_NO_SLOT = "no free slot"


def page(record: RunRecord, tasks: Mapping[str, str], project: str = "") -> str:
    """The whole page.

    Args:
        record: the run.
        tasks: addresses of tasks in Label Studio, by job names.
        project: the address of their project, "" where they were not pushed.
    """
    past, seen = record.past, record.samples
    return render(
        "report/templates/report.html",
        record=record,
        facts=record.facts,
        tasks=tasks,
        project=project,
        tone=_TONES.get(record.outcome, "warn"),
        when=span_words(past.begun, past.ended or (seen[-1].at if seen else past.begun)),
        tiles=_tiles(record),
        limit=_capital(limit_sentence(record.facts)),
        calls=list(_calls(record.facts)),
        settings=_settings(record),
        runs=list(_runs(record)),
        made=moment_words(record.moment),
        version=__version__,
        advice=advice,
        alike=_alike,
        plots=plots,
        sentences=sentences,
        shortened=_shortened,
    )


def _tiles(record: RunRecord) -> Iterator[tuple[str, str, str]]:
    """What each tile says: a figure, its name, and more about it."""
    s, heard = record.facts, record.totals
    yield (
        f"{s.counts.written:,}",
        "transcribed",
        f"{s.counts.silent:,} without speech" if s.counts.silent else "",
    )
    skipped = sum(s.counts.skipped.values())
    yield f"{s.counts.failed:,}", "failed", f"{skipped:,} skipped" if skipped else ""
    if heard.seconds:
        times = heard.seconds / s.seconds if s.seconds else 0.0
        yield (
            sentences.hours(heard.seconds),
            "of audio heard",
            f"{sentences.rounded(times)} times real time",
        )
    yield duration(s.seconds), "from begin to end", sentences.a_minute(record)
    if record.samples:
        in_use = f"{mean_in_flight(record.samples):,.1f}"
        found = f"{s.limits.slots_found:,}"
        known = "found" if s.limits.slots_found < s.limits.max_in_flight else "allowed"
        yield in_use, "job slots in use", f"on average, of {found} {known}"
    if calls := sum(s.calls.values()):
        yield f"{sum(s.refused.values()):,}", "calls refused", f"of {calls:,}"
    if s.cost and s.cost.amount:
        cost = s.cost
        yield (
            f"{cost.currency} {cost.amount:,.2f}",
            "cost, about",
            f"at prices of {cost.prices_date}",
        )
    if heard.confidence is not None:
        yield f"{heard.confidence:.2f}", "mean confidence", f"over {heard.rated:,} with speech"


def _alike(examples: Sequence[Failure]) -> Iterator[tuple[str, list[Failure]]]:
    """Examples of one message together."""
    for message, alike in groupby(examples, key=lambda each: each.message):
        yield message, list(alike)


def _settings(record: RunRecord) -> dict[str, str]:
    s, settings = record.facts, record.past.settings
    return {
        "Source": s.source,
        "Tasks": f"{s.files.output} ({count_of(s.counts.tasks, 'line')})",
        "State": s.files.state,
        "Transcripts": settings.results or "kept by the service",
        "Language": settings.language,
        "Kind of tasks": settings.kind,
        "Jobs in flight, at most": f"{s.limits.max_in_flight:,}",
        "Starts per second, at most": f"{s.limits.start_rate:g}",
        "Skipped": tally_skipped(s.counts.skipped, s.counts.not_audio) or "nothing",
    }


def _calls(s: RunFacts) -> Iterator[tuple[str, str, str, str]]:
    """Each operation, and how long its rate was waited for; of slots only refused starts."""
    for name in dict.fromkeys([*s.calls, "slots", *s.waits]):
        refused = s.refused.get(_NO_SLOT if name == "slots" else name, 0)
        waited = s.waits.get(name, 0.0)
        yield (
            "a free job slot" if name == "slots" else name,
            f"{s.calls[name]:,}" if name in s.calls else "",
            f"{refused:,}",
            duration(waited) if waited >= 1 else "",
        )


def _runs(record: RunRecord) -> Iterator[tuple[str, str, str, str]]:
    """The last runs of the same state file, the latest first."""
    for past in record.runs[-_MOST_RUNS:][::-1]:
        s, name = earlier_run(past), f"{past.number}: {moment_words(past.begun)}"
        if s:
            yield name, f"{s.counts.written:,}", f"{s.counts.failed:,}", duration(s.seconds)
        else:
            yield name, "-", "-", "-"


def _shortened(text: str, most: int) -> str:
    """The two ends of a text."""
    if len(text) <= most:
        return text
    return f"{text[: most // 3]}…{text[-(most - most // 3 - 1) :]}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
