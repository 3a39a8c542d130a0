"""One run as the state file remembers it, read once, beside the run or after it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import BadSettings, StateUnusable
from pipeline.monitoring.run_facts import read_now, run_facts, said_by
from pipeline.monitoring.summary import OVER_BUDGET, Counts, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.monitoring.summary import RunFacts
    from pipeline.state.history import PastRun, Sample
    from pipeline.state.reader import StateReader
    from pipeline.state.statistics import (
        Totals,
        Worst,
    )

BANDS = 50
"""Bands of confidence, each 0.02 wide."""

MOST_WORST = 20
_EXAMPLES = 3
_WIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200)
_MOST_BARS = 30
_SILENCE_SECONDS = 90.0
"""A run has a sample a minute at least, until its eighth hour; then it gets more patience."""


class Outcome(StrEnum):
    """How a run ended, or that it has not."""

    COMPLETE = "Complete"
    SOME_FAILED = "Some failed"
    OVER_BUDGET = "Budget used up"
    INTERRUPTED = "Interrupted"
    CANNOT_RUN = "Could not go on"
    UNDER_WAY = "Under way"
    KILLED = "Ended without a word"


class Durations(msgspec.Struct, frozen=True):
    """How long jobs took: `counts` in bands of `width` seconds, the last one with all longer ones.

    `quantiles` are seconds by the share of jobs that had ended within them.
    """

    width: float
    counts: list[int]
    quantiles: Mapping[float, float]
    longest: float


class EarlierRun(msgspec.Struct, frozen=True):
    """Of a run's summary what stands in the list of runs."""

    counts: Counts = Counts()
    seconds: float = 0.0


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report shows. `moment` is when it was read (seconds since the epoch)."""

    past: PastRun
    outcome: Outcome
    facts: RunFacts
    samples: Sequence[Sample]
    totals: Totals
    confidences: Sequence[int]
    durations: Durations
    worst: Sequence[Worst]
    examples: Sequence[Failure]
    runs: Sequence[PastRun]
    moment: float


def read_record(state: StateReader, number: int | None, moment: float) -> RunRecord:
    """What is known of a run by its number, or of the last one.

    Raises:
        StateUnusable: the state file knows of no run.
        BadSettings: it knows of others.
    """
    runs = state.history.past_runs()
    past = _chosen(runs, number, state)
    kept, last = state.history.samples(past.number), past is runs[-1]
    facts = run_facts(state, past, kept, read_now(state) if last else None)
    summed = state.statistics.totals(past.number)
    return RunRecord(
        past=past,
        outcome=outcome_of(past, kept, moment, last=last),
        facts=facts,
        samples=kept,
        totals=summed,
        confidences=state.statistics.confidences(past.number, BANDS),
        durations=_durations(state, past.number, summed.longest),
        worst=state.statistics.worst(past.number, MOST_WORST),
        examples=_examples(state, facts, last=last),
        runs=runs,
        moment=moment,
    )


def _chosen(runs: Sequence[PastRun], number: int | None, state: StateReader) -> PastRun:
    if not runs:
        raise StateUnusable(
            f"The state file {state.path} remembers no run: it was written by an earlier version",
            "The next run is remembered.",
        )
    found = runs[-1:] if number is None else [each for each in runs if each.number == number]
    if not found:
        raise BadSettings(
            f"The state file {state.path} remembers the runs {runs[0].number} to "
            f"{runs[-1].number}, and none of the number {number}"
        )
    return found[0]


def earlier_run(past: PastRun) -> EarlierRun | None:
    """What the list of runs shows of a run; None of one without a summary that can be read."""
    said = said_by(past)
    with suppress(msgspec.ValidationError):
        return msgspec.convert(said, EarlierRun) if said else None
    return None


def outcome_of(past: PastRun, kept: Sequence[Sample], moment: float, *, last: bool) -> Outcome:
    """How the run ended; one that has said nothing for long was killed."""
    if past.exit_code is None:
        patience = _SILENCE_SECONDS
        if len(kept) > 1:
            patience += 2 * (kept[-1].at - kept[-2].at)
        last_sign = kept[-1].at if kept else past.begun
        alive = last and past.ended is None and moment - last_sign < patience
        return Outcome.UNDER_WAY if alive else Outcome.KILLED
    return {
        0: Outcome.COMPLETE,
        1: Outcome.SOME_FAILED,
        2: Outcome.CANNOT_RUN,
        OVER_BUDGET: Outcome.OVER_BUDGET,
    }.get(past.exit_code, Outcome.INTERRUPTED)


def _durations(state: StateReader, run: int, longest: float) -> Durations:
    quantiles = state.statistics.job_quantiles(run, longest)
    most = quantiles.get(0.99, 0.0)
    width = next((each for each in _WIDTHS if most / each < _MOST_BARS), _WIDTHS[-1])
    return Durations(
        width, state.statistics.job_seconds(run, width, _MOST_BARS), quantiles, longest
    )


def _examples(state: StateReader, facts: RunFacts, *, last: bool) -> Sequence[Failure]:
    """Some failed recordings: of each reason, or those that the run named at its end."""
    if not last:
        return facts.failures.examples if facts.failures else ()
    found = state.failures.examples(_EXAMPLES)
    return [Failure(key, reason, message) for reason, key, message in found]
