"""What the state file remembers of each run: how it went, minute by minute, and what was heard.

Three tables beside the recordings. None is needed to go on, and a file of an earlier version has
none of them until the next run opens it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from pipeline.errors import CannotRun
from pipeline.model import Cost  # noqa: TC001 # msgspec reads the annotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.model import Job, TranscriptStats
    from pipeline.state.reader import StateReader
    from pipeline.state.transaction import StateWriter

T = TypeVar("T")

RUNS_WITH_SAMPLES = 60
"""Of earlier runs only their summaries are kept: 600 samples take 0.1 MB."""


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """With what a run began; what a later version adds has a default."""

    source: str = ""
    output: str = ""
    language: str = ""
    kind: str = ""
    results: str = ""
    most_in_flight: int = 0
    start_rate: float = 0.0


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run at one moment: `at` is in seconds since the epoch, counts are of recordings.

    All but `in_flight` and `slots_found` only grow. `jobs` were started, found existing or taken
    over from an earlier run, `slots_found` is how many may run at once as far as was found by then,
    `refused_calls` were throttled or found no free slot, `waits` are seconds by the limit that was
    waited for. `cost` is None where nothing is paid, as for a folder.
    """

    at: float = 0.0
    listed: int = 0
    jobs: int = 0
    in_flight: int = 0
    slots_found: int = 0
    written: int = 0
    silent: int = 0
    failed: int = 0
    refused_calls: int = 0
    waits: dict[str, float] = {}
    cost: Cost | None = None


class PastRun(NamedTuple):
    """One run: moments in seconds since the epoch.

    `summary` is JSON, as the run gave it at its end. It and `ended` are None while the run goes on,
    and for ever where it was killed.
    """

    number: int
    begun: float
    ended: float | None
    settings: Settings
    summary: bytes | None

    @property
    def exit_code(self) -> int | None:
        """With which exit code it ended; None where its summary tells none."""
        try:
            return msgspec.json.decode(self.summary or b"", type=_Ended).exit_code
        except msgspec.DecodeError:
            return None


class _Ended(msgspec.Struct):
    exit_code: int


# Written by the run


def begin_run(state: StateWriter, settings: Settings) -> None:
    """Remember that this run has begun; forget the samples of runs long ago."""
    run = state.generation
    with state.checkpoint():
        state.change(
            "INSERT OR REPLACE INTO runs (run, begun, settings) VALUES (?, ?, ?)",
            (run, time.time(), msgspec.json.encode(settings).decode()),
        )
        state.change("DELETE FROM samples WHERE run <= ?", (run - RUNS_WITH_SAMPLES,))


def end_run(state: StateWriter, summary: bytes) -> None:
    """Remember how this run ended, which is said once; `summary` is JSON."""
    state.change(
        "UPDATE runs SET ended = ?, summary = ? WHERE run = ? AND summary IS NULL",
        (time.time(), summary.decode(), state.generation),
    )


@contextmanager
def ending(state: StateWriter, exit_code: int) -> Iterator[None]:
    """Remember of a run that can't even begin why, or it would seem to have been killed."""
    try:
        yield
    except CannotRun as error:
        with suppress(CannotRun):  # it may be that the disk is full
            end_run(state, msgspec.json.encode({"exit_code": exit_code, "stopped": str(error)}))
        raise


def add_sample(state: StateWriter, number: int, sample: Sample) -> None:
    """Remember how this run stands; another sample of the same number is replaced."""
    state.change(
        "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
        (state.generation, number, msgspec.json.encode(sample).decode()),
    )


def thin_samples(state: StateWriter, step: int) -> None:
    """Forget this run's samples but those whose number is a multiple of `step`."""
    state.change("DELETE FROM samples WHERE run = ? AND number % ?", (state.generation, step))


def note_heard(state: StateWriter, heard: Iterable[tuple[Job, TranscriptStats]]) -> None:
    """Remember what was heard of recordings that are written, in the same checkpoint."""
    run = state.generation
    state.change(
        "INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?, ?)",
        *((run, job.row, *facts) for job, facts in heard),
    )


# Read by reports


def past_runs(state: StateReader) -> list[PastRun]:
    """The runs of this state file, the first one first; none of a file that knew no history."""
    return [
        PastRun(run, begun, ended, _decoded(settings, Settings), summary and summary.encode())
        for run, begun, ended, settings, summary in history_rows(
            state, "SELECT run, begun, ended, settings, summary FROM runs ORDER BY run"
        )
    ]


def samples(state: StateReader, run: int) -> list[Sample]:
    """How the run stood over time; a thousand samples at most, none of an earlier version's."""
    query = "SELECT facts FROM samples WHERE run = ? ORDER BY number"
    with suppress(msgspec.ValidationError):
        return [_decoded(facts, Sample) for (facts,) in history_rows(state, query, run)]
    return []


def _decoded(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(text, type=kind)


def history_rows(state: StateReader, query: str, *values: object) -> Sequence[Any]:
    """The rows, none where the file is of a version that kept no history."""
    if not state.rows("SELECT 1 FROM sqlite_master WHERE name = 'samples'"):
        return []
    return state.rows(query, *values)
