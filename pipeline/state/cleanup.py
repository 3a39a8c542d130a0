"""What `clean` has done at the service, in the state file: nothing is asked for twice.

`cleaned` holds a row for each job whose record is gone; `results` tells that its transcript in a
bucket of ours is gone too. An attempt of 0 is a job of earlier content or settings, of which the
state file keeps the identity alone.
"""

from __future__ import annotations

import math
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import OutputUnusable, StateOutdated
from pipeline.naming import job_name
from pipeline.state.database import connect
from pipeline.state.lock import hold
from pipeline.state.output import MENDING, checked_end
from pipeline.state.reader import StateReader, read_state
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state.database import Database

_WRITTEN = f"""
FROM recordings AS r WHERE status = {Status.WRITTEN:d} AND changed <= ? AND NOT EXISTS (
    SELECT 1 FROM cleaned AS c
    WHERE c.identity = r.identity AND c.attempt = r.attempt AND c.results >= ?)
"""
_EARLIER = """
FROM previous_identities AS s WHERE NOT EXISTS (
    SELECT 1 FROM cleaned AS c WHERE c.identity = s.identity AND c.attempt = 0 AND c.results >= ?)
"""
_FORGOTTEN = """
EXISTS (SELECT 1 FROM cleaned AS c WHERE c.identity = {0}.identity AND c.attempt = {1})
"""
_ROWS = 2_000  # looked through at a time, 20 ms


class Due(NamedTuple):
    """Jobs to be cleaned up after, of one identity.

    `key` is the recording's; "" for content or settings that it no longer has, of which it is not
    known how many attempts there were either (0). `forgotten` tells that the service's records
    are gone already, and only our own results are left. `written` is when (epoch seconds), where it
    is known.
    """

    identity: bytes
    attempt: int
    forgotten: bool
    key: str = ""
    written: float = math.inf


class Cleaning(NamedTuple):
    """Which jobs: written before this moment (seconds since the epoch); with their transcripts."""

    before: float
    results_too: bool


class Cleanup:
    """The state file of runs that have ended, open for cleaning and locked against a run.

    `shard` is the number of the shard whose it is.
    """

    def __init__(self, database: Database, shard: int = 0) -> None:
        self._state = StateReader(database)
        self.path = database.path
        self.facts = self._state.facts
        self.shard = shard
        self._database = database

    def name_of(self, identity: bytes, attempt: int) -> str:
        """The name of a job at the service, as the run named it."""
        return job_name(self._state.name_prefix, identity, attempt)

    @property
    def bucket(self) -> str:
        """The bucket that the run listed.

        Raises:
            StateUnusable: it was a folder, or none has begun.
        """
        only = "jobs have records at the service"
        return self._state.place_on_s3(only, "There is nothing to clean.").bucket

    def check_source(self) -> None:
        """Refuse a run whose jobs have no records; raises as `bucket` does."""
        _ = self.bucket

    def loses_transcripts(self, what: Cleaning) -> bool:
        """Whether transcripts go: those in our buckets, or those that the service keeps itself."""
        kept_by_service = self.facts.value("results at ") is not None
        return what.results_too or kept_by_service or not self.facts.result_places()

    def check_output(self) -> None:
        """Refuse to part with transcripts unless the task of each is in the output.

        Raises:
            OutputUnusable: the output is not there, or is not what was written.
        """
        if not self.facts.output_size:
            return
        path = self.path.parent / (self.facts.value("output") or "")
        try:
            file = path.open("rb")
        except OSError as error:
            raise OutputUnusable(
                f"The tasks {path} can't be read ({error.strerror}), so the transcripts that would "
                "be deleted are all there is",
                MENDING,
            ) from error
        with file:
            checked_end(file.fileno(), path, self.facts)

    def count_due(self, what: Cleaning) -> int:
        """How many recordings and earlier contents there are to clean up after."""
        written = self._database.rows(f"SELECT count(*) {_WRITTEN}", what.before, what.results_too)
        earlier = self._database.rows(f"SELECT count(*) {_EARLIER}", what.results_too)
        return int(written[0][0] + earlier[0][0])

    def due(self, what: Cleaning) -> Iterator[list[Due]]:
        """They, by the page; a page may be empty. Those of earlier contents come first.

        With other settings that is each recording of the bucket once more.
        """
        query = (
            f"SELECT identity, 0, {_FORGOTTEN.format('s', 0)} {_EARLIER} "
            "AND identity > ? ORDER BY identity LIMIT ?"
        )
        done = b""
        while earlier := self._database.rows(query, what.results_too, done, _ROWS):
            yield [Due(*row) for row in earlier]
            done = earlier[-1][0]
        last = self._database.rows("SELECT max(row) FROM recordings")[0][0] or 0
        for after in range(0, last, _ROWS):
            rows = self._database.rows(
                f"SELECT identity, attempt, {_FORGOTTEN.format('r', 'r.attempt')}, key, changed "
                f"{_WRITTEN} AND row > ? AND row <= ? ORDER BY row",
                what.before,
                what.results_too,
                after,
                after + _ROWS,
            )
            yield [Due(*row) for row in rows]

    def note_cleaned(self, due: Due, *, results_too: bool) -> None:
        """Remember that the service and, if so, our bucket hold nothing of it any more."""
        self._database.change(
            "INSERT INTO cleaned VALUES (?, ?, ?) ON CONFLICT (identity, attempt) "
            "DO UPDATE SET results = max(results, excluded.results)",
            *(due.identity, due.attempt, results_too),
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()


@contextmanager
def open_for_cleaning(path: Path, shard: int = 0) -> Iterator[Cleanup]:
    """Open the state file of a run that has ended; the jobs are named as that run named them.

    Raises:
        StateUnusable: there is none, a run holds it, or it is not a state file.
    """
    with suppress(StateOutdated), read_state(path):
        pass  # a file must be there, and ours, before it is locked
    with hold(path), closing(Cleanup(connect(path), shard)) as state:
        yield state
