"""A plan as text for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.filesize import decimal

from pipeline.failures import advice
from pipeline.recordings.selection import tally_skipped
from pipeline.text import count_of, duration, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.plan.forecast import CountEstimate, Plan
    from pipeline.plan.job_duration import JobDuration
    from pipeline.plan.sampling import Estimate

_MANY_HOURS = 24


def as_text(plan: Plan) -> str:
    """The plan as lines of text."""
    return "\n".join(_lines(plan))


def _lines(p: Plan) -> Iterator[str]:
    where = ", as if it were a bucket" if p.source.startswith("file:") else ""
    yield f"Plan of {p.source}{where}; nothing was started."
    yield (
        f"Recordings:   {p.recordings:,} ({decimal(p.bytes)}) of {count_of(p.listed, 'object')}"
        + (f"; skipped: {tally_skipped(p.skipped, p.not_audio)}" if p.skipped else "")
    )
    if done := _done(p):
        yield f"Done:         {done}"
    yield f"To start:     {count_of(p.to_start, 'job')} ({decimal(p.bytes_to_start)})"
    if p.to_start:
        yield from _to_start(p)
    if p.calls:
        yield f"Calls:        {tally(p.calls)}"
    if p.tasks.count:
        yield (
            f"Label Studio: {count_of(p.tasks.count, 'task')}, about {decimal(p.tasks.bytes)}, in "
            f"{count_of(p.tasks.export_files, 'file')} of `export`"
        )


def _to_start(p: Plan) -> Iterator[str]:
    probed = "each was probed" if p.exact else f"{count_of(p.probed, 'was', 'were')} probed"
    sure = (
        "" if p.probed == p.to_start else f"; the errors are those of {p.certainty:.0%} certainty"
    )
    yield f"Audio:        {_length(p.hours)} ({probed}{sure})"
    for reason, count in p.refused.items():
        said = f"Refused:      {_count(count, p)} {reason}"
        yield f"{said}. {step}" if (step := advice(reason)) else said
    if p.over_four_hours.seen:
        yield (
            f"Doubtful:     {_count(p.over_four_hours, p)} longer than four hours, which some "
            "Regions refuse; they are in the cost"
        )
    yield f"Cost:         {_cost(p)}"
    time = p.run_time
    slots = count_of(time.slots, "slot")
    yield (
        f"Time:         about {duration(time.seconds.value)} with {slots} and "
        f"{time.start_rate:g} starts a second, {_job(time.job)}"
    )


def _job(job: JobDuration) -> str:
    takes = f"{round(job.fixed, 1):g} s and {round(job.per_second, 3):g} s for each second of audio"
    if job.jobs:
        return f"as the last {count_of(job.jobs, 'job')} took {takes}"
    return f"if a job takes {takes}"


def _cost(p: Plan) -> str:
    minutes = p.billed_minutes["transcription"]
    more = [
        f"{item} {_number(each.value)}"
        for item, each in p.billed_minutes.items()
        if item != "transcription"
    ]
    unknown = [f"without {item}, whose price is not set" for item in p.unknown_prices]
    said = f"{p.currency} {_with_error(p.cost, ',.2f')} for {_number(minutes.value)} billed minutes"
    details = "; ".join([*more, *unknown, f"prices of {p.prices_date}"])
    return f"{said} ({details})"


def _done(p: Plan) -> str:
    parts = (
        (p.written, "written"),
        (p.in_flight, "in flight"),
        (p.found, "transcribed before, to be written"),
        (p.failed_before, "failed before, left alone until `retry`"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def _count(count: CountEstimate, p: Plan) -> str:
    return (
        f"{count.seen:,}"
        if p.probed == p.to_start
        else f"about {count.about:,} ({count.seen:,} seen)"
    )


def _length(hours: Estimate) -> str:
    if hours.value > _MANY_HOURS:
        return f"{_with_error(hours, ',.1f')} h"
    error = f" ± {duration(3600 * hours.error)}" if hours.error else ""
    return f"{duration(3600 * hours.value)}{error}"


def _with_error(estimate: Estimate, form: str) -> str:
    if not estimate.error:
        return format(estimate.value, form)
    return f"{estimate.value:{form}} ± {estimate.error:{form}}"


def _number(value: float) -> str:
    return f"{value:,.1f}"
