"""What the state file remembers of each run: how it went, minute by minute, and what was heard.

Three tables beside the recordings. None is needed to go on, and a file of an earlier version has
none of them until the next run opens it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.errors import CannotRun
from pipeline.model import Cost  # noqa: TC001 # msgspec reads the annotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline.model import Job, TranscriptStats
    from pipeline.state.database import Database
    from pipeline.state.facts import Facts

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
        except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
            return None


class _Ended(msgspec.Struct):
    exit_code: int


class History:
    """The runs of the file; what is written is of the newest."""

    def __init__(self, database: Database, facts: Facts) -> None:
        self._database = database
        self._facts = facts

    def begin_run(self, settings: Settings) -> None:
        """Remember that this run has begun; forget the samples of runs long ago."""
        run = self._facts.run
        with self._database.transaction():
            self._database.change(
                "INSERT OR REPLACE INTO runs (run, begun, settings) VALUES (?, ?, ?)",
                *(run, time.time(), msgspec.json.encode(settings).decode()),
            )
            self._database.change("DELETE FROM samples WHERE run <= ?", run - RUNS_WITH_SAMPLES)

    def end_run(self, summary: bytes) -> None:
        """Remember how this run ended, which is said once; `summary` is JSON."""
        self._database.change(
            "UPDATE runs SET ended = ?, summary = ? WHERE run = ? AND summary IS NULL",
            *(time.time(), summary.decode(), self._facts.run),
        )

    @contextmanager
    def ending(self, exit_code: int) -> Iterator[None]:
        """Remember of a run that can't even begin why, or it would seem to have been killed."""
        try:
            yield
        except CannotRun as error:
            with suppress(CannotRun):  # it may be that the disk is full
                said = {"exit_code": exit_code, "stopped": str(error)}
                self.end_run(msgspec.json.encode(said))
            raise

    def add_sample(self, number: int, sample: Sample) -> None:
        """Remember how this run stands; another sample of the same number is replaced."""
        self._database.change(
            "INSERT OR REPLACE INTO samples VALUES (?, ?, ?)",
            *(self._facts.run, number, msgspec.json.encode(sample).decode()),
        )

    def thin_samples(self, step: int) -> None:
        """Forget this run's samples but those whose number is a multiple of `step`."""
        self._database.change(
            "DELETE FROM samples WHERE run = ? AND number % ?", self._facts.run, step
        )

    def note_transcripts(self, transcripts: Iterable[tuple[Job, TranscriptStats]]) -> None:
        """Remember what was heard of recordings that are written, in the same checkpoint."""
        run = self._facts.run
        self._database.change_each(
            "INSERT OR REPLACE INTO transcripts VALUES (?, ?, ?, ?, ?)",
            ((run, job.row, *stats) for job, stats in transcripts),
        )

    def past_runs(self) -> list[PastRun]:
        """The runs of this state file that can be read, the first one first."""
        query = "SELECT run, begun, ended, settings, summary FROM runs ORDER BY run"
        found = (_past_run(row) for row in history_rows(self._database, query))
        return [each for each in found if each]

    def samples(self, run: int) -> list[Sample]:
        """How the run stood over time; a thousand samples at most."""
        query = "SELECT facts FROM samples WHERE run = ? ORDER BY number"
        with suppress(Exception):  # whatever foreign text does to its reader
            rows = history_rows(self._database, query, run)
            return [msgspec.json.decode(facts, type=Sample) for (facts,) in rows]
        return []


def _past_run(row: Sequence[Any]) -> PastRun | None:
    run, begun, ended, settings, summary = row
    with suppress(Exception):  # whatever foreign text does to its reader
        said = summary and summary.encode()
        known = msgspec.json.decode(settings, type=Settings)
        return msgspec.convert((run, begun, ended, known, said), PastRun, builtin_types=(bytes,))
    return None


def history_rows(database: Database, query: str, *values: object) -> Sequence[Any]:
    """The rows, none where no run has kept a history in the file yet."""
    if not database.rows("SELECT 1 FROM sqlite_master WHERE name = 'samples'"):
        return []
    return database.rows(query, *values)
