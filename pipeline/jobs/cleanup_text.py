"""What `clean` says: what is to be deleted, and what was."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.text import count_of, duration, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.jobs.cleanup import Cleaned
    from pipeline.state.cleanup import Cleaning, Cleanup


class Wanted(NamedTuple):
    """Which jobs: those of the runs of `output` that are of this age, as it was asked for.

    `rate` is how many are deleted a second.
    """

    what: Cleaning
    output: str
    age: str
    rate: float


class Ended(NamedTuple):
    """What was done in how many seconds, and how it ended."""

    cleaned: Cleaned
    calls: dict[str, int]
    seconds: float
    exit_code: int = 0
    stopped: str = ""
    problem: str = ""
    advice: str = ""


def consequences(states: Sequence[Cleanup], wanted: Wanted, count: int) -> Iterator[str]:
    """What is to be deleted, how long that takes, and what can't be done any more afterwards."""
    what, age, rate = wanted.what, wanted.age, wanted.rate
    places = list(dict.fromkeys(str(p) for each in states for p in each.facts.result_places()))
    if not count:
        yield f"Nothing to delete: no job of {wanted.output} ended more than {age} ago and is left."
        return
    yield (
        f"To be deleted: the service's job records of {count_of(count, 'recording')} of "
        f"s3://{states[0].bucket}, written more than {age} ago or replaced since; that takes "
        f"{duration(count / rate)} at {rate:g} a second."
    )
    if what.results_too and places:
        yield f"And their transcripts below {', '.join(places)}."
    elif places:
        yield (
            f"Their transcripts below {', '.join(places)} stay: a lost state file can be rebuilt "
            "from them."
        )
    if any(each.loses_transcripts(what) for each in states):
        yield (
            "Transcripts that are deleted are gone for `tasks rebuild` and --rebuild-output; and "
            "should the state file be lost, the next run transcribes and pays for these "
            "recordings again. Keep a copy of it. The tasks stay."
        )


def names_of_due(states: Sequence[Cleanup], what: Cleaning) -> Iterator[str]:
    """The jobs that would be deleted, and whose they are; what the service knows is not asked."""
    for state in states:
        for due in chain.from_iterable(state.due(what)):
            of = f"s3://{state.bucket}/{due.key}" if due.key else "earlier content or settings"
            for attempt in range(1, (due.attempt or 1) + 1):
                yield f"{state.name_of(due.identity, attempt)}  {printable(of)}"


def as_facts(ended: Ended) -> dict[str, object]:
    """What was done, as JSON has it."""
    return {
        **msgspec.to_builtins(ended.cleaned),
        "calls": ended.calls,
        "seconds": round(ended.seconds, 3),
        "stopped": ended.stopped,
        "exit_code": ended.exit_code,
        "problem": ended.problem,
        "advice": ended.advice,
    }


def as_lines(ended: Ended) -> Iterator[str]:
    """What was done, in sentences."""
    done = ended.cleaned
    results = count_of(done.results, "transcript or subtitle", "transcripts and subtitles")
    yield (
        f"{'Stopped' if ended.stopped else 'Done'} in {duration(ended.seconds)}: "
        f"{count_of(done.deleted, 'job record')} deleted"
        + (f", {done.gone:,} were gone already" if done.gone else "")
        + (f"; {results} deleted" if done.results else "")
        + "."
    )
    if done.left:
        of = ", ".join(f"{count:,} {reason}" for reason, count in done.left.items())
        yield f"Left alone: {of}."
    if done.deferred:
        yield f"Left: {done.deferred:,} met faults at the service for too long."
    if ended.exit_code:
        yield "Next: the same command again; it goes on where it stopped."
