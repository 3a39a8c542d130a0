"""The sentences of a report; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.report.run_record import BANDS, Outcome
from pipeline.text import count_of, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.report.run_record import Durations, RunRecord
    from pipeline.report.timeline import Bound

LIMITS = {"slots": "no free job slot", "StartTranscriptionJob": "the start rate"}
"""What limits are called in a legend."""

_UNSURE = 0.8
_MINUTE, _HOUR = 60, 3_600


def headline(record: RunRecord) -> str:
    """What happened, in one sentence."""
    s = record.facts
    took = duration(s.seconds)
    head = {
        Outcome.CANNOT_RUN: f"The run could not go on after {took}: ",
        Outcome.UNDER_WAY: f"Under way for {duration(record.moment - record.past.begun)}: ",
        Outcome.KILLED: f"The run ended after {took} without a word: ",
    }.get(record.outcome, "")
    within = "" if head else f" in {took}"
    if not s.counts.written and record.outcome in (Outcome.COMPLETE, Outcome.SOME_FAILED):
        return _nothing_new(record)
    parts = [
        f"{count_of(s.counts.written, 'recording was', 'recordings were')} transcribed{within}"
    ]
    if s.counts.failed:
        parts.append(f"{s.counts.failed:,} failed")
    if record.outcome is Outcome.UNDER_WAY:
        parts.append(
            f"{count_of(s.counts.in_flight, 'is', 'are')} in flight and "
            f"{count_of(s.counts.pending, 'waits', 'wait')}"
        )
    elif left := s.counts.pending + s.counts.in_flight:
        parts.append(f"{count_of(left, 'is', 'are')} left for the next run")
    return f"{head}{_joined(parts)}."


def _nothing_new(record: RunRecord) -> str:
    s = record.facts
    if s.counts.failed:
        return f"Nothing was transcribed, and {s.counts.failed:,} failed."
    if not s.counts.listed:
        return "There was nothing to transcribe."
    before = f"all that is in the source had been transcribed before ({s.counts.tasks:,})"
    return f"Nothing was new: {before}."


def _joined(parts: list[str]) -> str:
    """A list as a sentence has it."""
    if len(parts) == 1:
        return parts[0]
    return f"{'; '.join(parts[:1])}; {' and '.join(parts[1:])}"


def reason_to_stop(record: RunRecord) -> str:
    """Why it ended early, and what to do; "" where it did not."""
    stopped = record.facts.stopped
    if record.outcome is Outcome.CANNOT_RUN:
        return stopped
    again = "Run the same command again; it goes on where this one stopped."
    if record.outcome is Outcome.OVER_BUDGET:
        return f"Its budget ({stopped}) was used up. {again}"
    if record.outcome is Outcome.INTERRUPTED:
        return f"It was told to stop. {again}"
    if record.outcome is Outcome.KILLED:
        return f"The process was killed, or the machine went down; nothing is lost. {again}"
    return ""


def limit_shares(bounds: list[Bound]) -> Iterator[tuple[str, str]]:
    """Each limit that bound the run, and for how long; the longest first."""
    seconds: dict[str, float] = {}
    for each in bounds:
        seconds[each.limit] = seconds.get(each.limit, 0.0) + each.end - each.begin
    for limit, total in sorted(seconds.items(), key=lambda each: -each[1]):
        yield limit, duration(total)


def throughput(record: RunRecord) -> str:
    """How fast the run was on the whole."""
    s = record.facts
    if not s.counts.written or not s.seconds:
        return ""
    return f"On the whole {rounded(_HOUR * s.counts.written / s.seconds)} recordings an hour."


def a_minute(record: RunRecord) -> str:
    """The same for a tile."""
    s = record.facts
    return f"{rounded(_MINUTE * s.counts.written / s.seconds)} a minute" if s.seconds else ""


def hours(seconds: float) -> str:
    """An amount of audio, in hours where it is one."""
    return f"{seconds / _HOUR:,.1f} h" if seconds >= _HOUR else duration(seconds)


def rounded(figure: float) -> str:
    """A figure in as many digits as are worth reading."""
    return f"{figure:,.0f}" if figure >= 10 else f"{figure:,.1f}"  # noqa: PLR2004 # two digits


def job_lengths(durations: Durations) -> str:
    """How long jobs took."""
    if not durations.quantiles:
        return "No job of this run has ended yet."
    half, most, nearly_all = durations.quantiles.values()
    return (
        f"Half ended within {short(half)}, nine in ten within {short(most)}, 99 in a hundred "
        f"within {short(nearly_all)}; the longest took {short(durations.longest)}, from its start "
        "until its transcript was here."
    )


def short(seconds: float) -> str:
    """A duration; a short one with a decimal."""
    if seconds < 10:  # noqa: PLR2004 # two digits are enough
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return duration(seconds)


def clock_parts(longest: float) -> tuple[str, int]:
    """In which two parts durations up to `longest` are told on an axis, and what one is worth."""
    return ("minutes:seconds", 1) if longest < _HOUR else ("hours:minutes", _MINUTE)


def on_axis(seconds: float, longest: float) -> str:
    """A duration as short as an axis needs it."""
    if longest < _MINUTE:
        return f"{seconds:g} s"
    _, worth = clock_parts(longest)
    larger, smaller = divmod(round(seconds / worth), _MINUTE)
    return f"{larger}:{smaller:02}"


def confidence(record: RunRecord) -> str:
    """How sure the service was."""
    rated = record.totals.rated
    if not rated:
        return "The service has given no confidence for any recording of this run."
    unsure = sum(record.confidences[: round(BANDS * _UNSURE)])
    share = _percent(unsure, rated)
    return (
        f"On average {record.totals.confidence:.2f} over {count_of(rated, 'recording')} with "
        f"speech; {count_of(unsure, f'({share}) is', f'({share}) are')} below {_UNSURE}. It is "
        "the mean of the service's confidence in each word, and the prediction's score in Label "
        "Studio."
    )


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 1 or not part else "under 1 %"
