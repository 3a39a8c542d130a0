"""A night ─► the page; pure. Every text from outside is escaped where it is put in."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.failures import advice
from pipeline.html.page import document, paragraphs, table, table_of, text
from pipeline.monitoring.summary_text import limit_sentence
from pipeline.report import sentences
from pipeline.report.plots import (
    confidence_figure,
    durations_figure,
    slots_figure,
    throughput_figure,
)
from pipeline.report.run_record import Outcome, earlier_run
from pipeline.report.style import STYLE
from pipeline.report.timeline import mean_in_flight, span_words
from pipeline.text import duration, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.monitoring.summary import Failure, RunFacts
    from pipeline.report.run_record import RunRecord

_TONES = {
    Outcome.COMPLETE: "good",
    Outcome.UNDER_WAY: "calm",
    Outcome.OVER_BUDGET: "calm",
    Outcome.CANNOT_RUN: "bad",
    Outcome.KILLED: "bad",
}
_LONGEST_KEY = 120
_LONGEST_WORDS = 300
_MOST_RUNS = 10
_COMMAND = re.compile("`([^`]+)`")
_NO_SLOT = "no free slot"


def page(night: RunRecord, tasks: Mapping[str, str], project: str = "") -> str:
    """The whole page.

    Args:
        night: the run.
        tasks: addresses of tasks in Label Studio, by job names.
        project: the address of their project, "" where they were not pushed.
    """
    title = f"Run {night.past.number}: {sentences.headline(night)}"
    return document(title, STYLE, _body(night, tasks, project))


def _body(night: RunRecord, tasks: Mapping[str, str], project: str) -> Iterator[str]:
    yield from _header(night)
    yield '<main><ul class="tiles">'
    yield from (_tile(*each) for each in _tiles(night))
    yield "</ul>"
    if len(night.samples) > 1:
        yield from _section("Job slots", [_capital(limit_sentence(night.facts))])
        yield slots_figure(night)
        yield "</section>"
    yield from _failures(night)
    yield '<div class="pair">'
    if len(night.samples) > 1:
        yield from _section("Throughput", [sentences.throughput(night)])
        yield throughput_figure(night)
        yield "</section>"
    if night.durations.counts:
        yield from _section("How long jobs took", [sentences.job_lengths(night.durations)])
        yield durations_figure(night)
        yield "</section>"
    yield "</div>"
    if night.totals.written:
        yield from _confidence(night, tasks, project)
    yield from _details(night)
    yield from _runs(night)
    yield f"</main>{_footer(night)}"


def _header(night: RunRecord) -> Iterator[str]:
    past, s = night.past, night.facts
    end = past.ended or (night.samples[-1].at if night.samples else past.begun)
    tone = _TONES.get(night.outcome, "warn")
    yield (
        f'<header><p class="over"><span class="pill {tone}">{night.outcome}</span> '
        f"Run {past.number} over <b>{escape(printable(s.source))}</b></p>"
        f"<h1>{text(sentences.headline(night))}</h1>"
        f'<p class="when">{escape(span_words(past.begun, end))}</p>'
    )
    if reason := sentences.reason_to_stop(night):
        yield f'<p class="callout">{escape(printable(reason))}</p>'
    yield "</header>"


def _tiles(night: RunRecord) -> Iterator[tuple[str, str, str]]:
    """What each tile says: a figure, its name, and more about it."""
    s, heard = night.facts, night.totals
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
    yield duration(s.seconds), "from begin to end", sentences.a_minute(night)
    if night.samples:
        in_use = f"{mean_in_flight(night.samples):,.1f}"
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


def _tile(figure: str, name: str, more: str) -> str:
    return f"<li><b>{text(figure)}</b><span>{escape(name)}</span><small>{escape(more)}</small></li>"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<section><h2>{escape(title)}</h2>"
    yield from paragraphs(line for line in lines if line)


def _failures(night: RunRecord) -> Iterator[str]:
    s = night.facts
    if not s.failures:
        return
    yield from _section("What failed, and what to do", [])
    for reason, count in s.failures.reasons.items():
        examples = [each for each in night.examples if each.reason == reason]
        yield (
            f'<h3><b class="count">{count:,}</b> {escape(printable(reason))}</h3>'
            f"<p>{_marked(advice(reason) or 'The service says what is wrong:')}</p>"
        )
        yield _examples(examples, count)
    if s.files.failures:
        yield f'<p class="note">All of them are in {escape(printable(s.files.failures))}.</p>'
    yield "</section>"


def _examples(examples: Sequence[Failure], count: int) -> str:
    items = "".join(
        f"<li>{escape(_shortened(printable(said), _LONGEST_WORDS))}"
        + "".join(f'<span class="key">{_key(each.key)}</span>' for each in alike)
        + "</li>"
        for said, alike in groupby(examples, key=lambda each: each.message)
    )
    more = f'<li class="note">and {count - len(examples):,} more</li>'
    return f'<ul class="examples">{items}{more if examples and count > len(examples) else ""}</ul>'


def _confidence(night: RunRecord, tasks: Mapping[str, str], project: str) -> Iterator[str]:
    yield from _section("Confidence", [sentences.confidence_words(night)])
    if night.totals.rated:
        yield confidence_figure(night)
    if night.worst:
        yield "<h3>The least certain first</h3>"
        if project:
            yield (
                f'<p class="note">They were pushed to <a rel="noreferrer" '
                f'href="{escape(project)}">{escape(project)}</a>.</p>'
            )
        yield table_of(
            ("Recording", "Confidence", "Length", *(("Task",) if tasks else ())),
            (
                [
                    f'<span class="key">{_key(each.job.recording.key)}</span>',
                    f"{each.confidence:.2f}",
                    text(sentences.short(each.seconds)),
                    *((_link(tasks.get(each.job.name, "")),) if tasks else ()),
                ]
                for each in night.worst
            ),
        )
    yield "</section>"


def _link(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        return ""
    number = address.rpartition("=")[2]
    return f'<a rel="noreferrer" href="{escape(address)}">{escape(number)}</a>'


def _details(night: RunRecord) -> Iterator[str]:
    s, settings = night.facts, night.past.settings
    yield from _section("Calls and settings", [])
    if s.calls:
        yield table(("Calls", "made", "refused", "waited for"), _calls(s))
    facts = {
        "Source": s.source,
        "Tasks": f"{s.files.output} ({s.counts.tasks:,} lines)",
        "State": s.files.state,
        "Transcripts": settings.results or "kept by the service",
        "Language": settings.language,
        "Kind of tasks": settings.kind,
        "Jobs in flight, at most": f"{s.limits.max_in_flight:,}",
        "Starts per second, at most": f"{s.limits.start_rate:g}",
        "Skipped": ", ".join(f"{n:,} {why}" for why, n in s.counts.skipped.items()) or "nothing",
    }
    yield '<dl class="facts">'
    for name, value in facts.items():
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(printable(value))}</dd></div>"
    yield "</dl></section>"


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


def _runs(night: RunRecord) -> Iterator[str]:
    """The last runs of the same state file, the latest first."""
    shown = night.runs[-_MOST_RUNS:][::-1]
    if len(shown) < 2:  # noqa: PLR2004 # this one alone
        return
    yield from _section("Runs of late", [])
    rows = []
    for past in shown:
        s = earlier_run(past)
        begun = span_words(past.begun, past.begun).partition(" to ")[0]
        figures = (
            (f"{s.counts.written:,}", f"{s.counts.failed:,}", duration(s.seconds))
            if s
            else ("-", "-", "-")
        )
        rows.append((f"{past.number}: {begun}", *figures))
    yield table(("Run", "transcribed", "failed", "took"), rows)
    yield "</section>"


def _footer(night: RunRecord) -> str:
    made = span_words(night.moment, night.moment).partition(" to ")[0]
    return (
        f"<footer>Made {escape(made)} by transcribe-pipeline {escape(__version__)}. This page "
        "holds names of recordings and no word of what was said in them.</footer>"
    )


def _key(key: str) -> str:
    """A key that fits, whole for who points at it."""
    shown = printable(key)
    short = _shortened(shown, _LONGEST_KEY)
    return (
        escape(short) if short == shown else f'<abbr title="{escape(shown)}">{escape(short)}</abbr>'
    )


def _marked(sentence: str) -> str:
    """A sentence of our own, whose commands stand between backticks."""
    return _COMMAND.sub(r"<code>\1</code>", escape(sentence))


def _shortened(text: str, most: int) -> str:
    """The two ends of a text."""
    if len(text) <= most:
        return text
    return f"{text[: most // 3]}…{text[-(most - most // 3 - 1) :]}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
