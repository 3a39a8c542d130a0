"""The facts of a run as text for people. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.failures import advice
from pipeline.monitoring.snapshot import STARTS
from pipeline.monitoring.summary import OVER_BUDGET
from pipeline.naming import parse_s3_uri
from pipeline.recordings.selection import tally_skipped
from pipeline.terminal import program
from pipeline.text import count_of, duration, printable, tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.monitoring.summary import Balance, Failures, RunFacts, Summary

HOLDS_STARTS = ("slots", STARTS)
"""The limits that hold starts back: where one does, waiting for another call costs nothing."""

_WORTH_TELLING = 0.1
_WORTH_TELLING_SECONDS = 5


def as_text(summary: Summary) -> str:
    """The summary as lines of text."""
    return "\n".join(_lines(summary))


def _lines(s: Summary) -> Iterator[str]:
    counts, cost = s.counts, s.cost
    yield _first_line(s)
    if counts.deferred:
        yield (
            f"Left:    {counts.deferred:,} met faults at the service for too long; the next run "
            "goes on with them."
        )
    if counts.skipped:
        yield f"Skipped: {tally_skipped(counts.skipped, counts.not_audio)}"
    if s.failures:
        yield from _failure_lines(s.failures, counts.failed)
        yield f"         all of them: {s.files.failures}"
    if limit := limit_sentence(s):
        yield f"Limit:   {limit}"
    for note in s.notes:
        yield f"Note:    {printable(note)}"
    if cost and cost.amount:
        yield (
            f"Cost:    about {cost.currency} {cost.amount:,.2f} for "
            f"{cost.billed_seconds / 60:,.1f} billed minutes, at the prices of {cost.prices_date}."
        )
    yield _balance_line(s.balance)
    yield f"Tasks:   {s.files.output} ({count_of(counts.tasks, 'line')})"
    yield f"State:   {s.files.state}"
    yield f"Next:    {_next_step(s)}"


def _first_line(s: Summary) -> str:
    head = {0: "Done", 1: "Done", 130: "Interrupted", 143: "Interrupted"}
    counts = s.counts
    before = counts.tasks - counts.written
    return (
        f"{head.get(s.exit_code, 'Stopped')} in {duration(s.seconds)}: {counts.written:,} written"
        + (f" ({counts.silent:,} without speech)" if counts.silent else "")
        + (f", {before:,} written before" if before else "")
        + f", {counts.failed:,} failed, {sum(counts.skipped.values()):,} skipped "
        f"of {counts.listed:,} listed."
    )


def _failure_lines(failures: Failures, failed: int) -> Iterator[str]:
    yield f"Failed:  {tally(failures.reasons)}"
    for each in failures.examples:
        yield f"  {printable(each.key)}: {printable(each.message)}"
    if failed > len(failures.examples):
        yield f"  and {failed - len(failures.examples):,} more"
    for reason in failures.reasons:
        if step := advice(reason):
            yield f"  {reason}: {step}"


def _balance_line(b: Balance) -> str:
    parts = (
        f"{b.written:,} written + {b.failed:,} failed + {b.skipped:,} skipped "
        f"+ {b.pending:,} pending"
        + (f" + {b.duplicates:,} named more than once" if b.duplicates else "")
    )
    if b.adds_up:
        return f"Balance: {b.listed:,} listed = {parts}"
    tasks = f", and {count_of(b.tasks, 'task')} for {b.contents:,} written"
    lines = tasks if b.tasks != b.contents else ""
    return (
        f"Balance: {b.listed:,} listed, but {parts}{lines}: something was lost. Please report "
        "this, with the state file."
    )


def limit_sentence(s: RunFacts) -> str:
    """Which limit held the run back and what raising it would buy; "" where none did."""
    worth_telling = max(_WORTH_TELLING_SECONDS, _WORTH_TELLING * s.seconds)
    long = {name: seconds for name, seconds in s.waits.items() if seconds >= worth_telling}
    if not long:
        return ""
    of_starts = {name: seconds for name, seconds in long.items() if name in HOLDS_STARTS}
    limit, seconds = max((of_starts or long).items(), key=lambda each: each[1])
    held = f"held the run back for {duration(seconds)} of {duration(s.seconds)}"
    limits = s.limits
    if limit == "slots" and limits.slots_found < limits.max_in_flight:
        return (
            f"the account's job slots ({limits.slots_found} found) {held}; "
            "a higher quota (L-6F7AB1C9) would shorten it in proportion."
        )
    if limit == "slots":
        return (
            f"--max-in-flight {limits.max_in_flight} {held}; "
            "where the account has more slots, a higher value shortens it in proportion."
        )
    if limit != STARTS:
        return f"the rate of {limit} {held}."
    if limit in s.refused:
        return f"the account's start rate {held}; a higher quota would shorten it."
    return (
        f"--start-rate {limits.start_rate:g} {held}; "
        "a higher one helps where the account's quota allows it."
    )


def _next_step(s: Summary) -> str:
    if s.exit_code == OVER_BUDGET:
        pending = s.balance.pending
        listed = count_of(pending, "of those listed is", "of those listed are")
        left = f" {listed} left." if pending else ""
        return f"run the same command again for the rest ({s.stopped} is over).{left}"
    if s.stopped:
        return "run the same command again; it goes on where it stopped."
    if s.counts.failed and not s.counts.tasks:
        return "fix what is said above, then put the recordings back with " + _command("retry", s)
    if not s.counts.tasks:
        return "check SOURCE, --include and --exclude: there is nothing to review yet."
    return f"{_command('export', s)} makes the file that Label Studio's Import button takes."


def _command(verb: str, s: Summary) -> str:
    """A command on the files of this run, as a shell takes it."""
    words = [verb, "--output", s.files.output]
    on_s3 = parse_s3_uri(s.files.output) is not None  # whose state files are there as well
    if not on_s3 and s.files.state != f"{s.files.output}.state":
        words += ["--state", s.files.state]
    return f"{program()} {shlex.join(words)}"
