"""State files that remember runs which never were, for the tests of reports."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from pipeline.model import Cost, TranscriptStats
from pipeline.monitoring.summary import Balance, Failures
from pipeline.state.history import Sample, Settings
from tests.support.state_files import SOURCE, begun, by_hand, running
from tests.support.summaries import SUMMARY, changed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.monitoring.summary import Summary
    from pipeline.state.run_state import RunState

BEGUN = 1_800_000_000.0
"""Seconds since the epoch."""

HOUR = 3_600.0
SETTINGS = Settings(
    source=SOURCE,
    output="tasks.jsonl",
    language="en-US",
    kind="transcript",
    most_in_flight=1_000,
    start_rate=25.0,
)
FINISHED = replace(
    changed(
        SUMMARY, listed=12, skipped={"not audio": 2}, started=9, written=8, silent=1, tasks=8,
        failed=2, max_in_flight=1_000, slots_found=4,
    ),
    source=SOURCE,
    balance=Balance(listed=12, written=8, failed=2, skipped=2, pending=0),
    seconds=HOUR,
    cost=Cost(0.06, "USD", 600, "2026-10"),
    waits={"slots": 1_800.0, "StartTranscriptionJob": 60.0},
    calls={"StartTranscriptionJob": 9},
    refused={"no free slot": 3},
    stages={},
)  # fmt: skip


@contextmanager
def run_begun(path: Path, begin: float = BEGUN) -> Iterator[RunState]:
    """The state file of a run that began then."""
    with begun(path) as state:
        state.history.begin_run(SETTINGS)
        by_hand(state.path, "UPDATE runs SET begun = ? WHERE run = ?", begin, state.facts.run)
        yield state


def hear(state: RunState, heard: Mapping[str, TranscriptStats]) -> None:
    """Bring recordings to their end."""
    jobs = running(state, *heard)
    with state.output.checkpoint():
        assert all(state.output.mark_written(jobs))
        state.history.note_transcripts([(job, heard[job.recording.key]) for job in jobs])


def fail(state: RunState, failures: Mapping[str, tuple[str, str]]) -> None:
    """Have recordings fail for a reason, in these words."""
    for job in running(state, *failures):
        state.failed(job, *failures[job.recording.key])


def sampled(state: RunState, samples: Sequence[Sample]) -> None:
    """Remember samples."""
    for number, each in enumerate(samples):
        state.history.add_sample(number, each)


def end(state: RunState, **changes: Any) -> Summary:
    """End a run after an hour."""
    summary = changed(FINISHED, **changes)
    state.history.end_run(msgspec.json.encode(summary))
    ended = "UPDATE runs SET ended = begun + ? WHERE run = ?"
    by_hand(state.path, ended, summary.seconds, state.facts.run)
    return summary


def an_hour(count: int = 61, slots: int = 4) -> list[Sample]:
    """An hour in which the slots were found soon, and bound for the second half."""
    step = HOUR / (count - 1)
    return [
        Sample(
            at=BEGUN + n * step,
            listed=12,
            jobs=n,
            in_flight=min(n, slots),
            slots_found=slots if n > slots else 1_000,
            written=8 * n // (count - 1),
            failed=2 * n // (count - 1),
            waits={"slots": max(0.0, n * step - HOUR / 2)},
        )
        for n in range(count)
    ]


def a_run(path: Path) -> None:
    """A state file of one whole run, with a bit of everything."""
    heard = {f"calls/{n}.mp3": TranscriptStats(0.2 + n / 10, 60.0 * n, 10.0 + n) for n in range(7)}
    with run_begun(path) as state:
        hear(state, heard | {"calls/silent.mp3": TranscriptStats(None, 0.0, 9.0)})
        fail(state, {"calls/bad.mp3": ("not valid media", "It isn't valid."),
                     "calls/new.mp3": ("refused by the service", "Something new.")})  # fmt: skip
        sampled(state, an_hour())
        failures = Failures({"not valid media": 1, "refused by the service": 1})
        files = replace(FINISHED.files, failures="tasks.failures.jsonl")
        end(state, failures=failures, files=files, exit_code=1)
