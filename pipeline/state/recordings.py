"""Where the recordings of the state file stand; reading alone."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from pipeline.failures import NO_SPEECH
from pipeline.model import Job, Recording
from pipeline.naming import job_name
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.state.database import Database
    from pipeline.state.facts import Facts

JOB_COLUMNS = (
    "row, identity, attempt, existing_attempt, key, etag, size, "
    f"iif(reason = '{NO_SPEECH}' AND status != {Status.FAILED:d}, message, '')"
)
PAGE = 1000


class Standing(IntEnum):
    """What a run would do with an object: leave it alone, collect it, or start a job."""

    TO_START = 0
    FOUND = 1
    IN_FLIGHT = 2
    WRITTEN = 3
    FAILED = 4


class Counts(NamedTuple):
    """How many recordings of the state file stand where."""

    pending: int
    in_flight: int
    written: int
    failed: int


class Recordings:
    """The recordings of the file; jobs are named with `name_prefix`."""

    def __init__(self, database: Database, facts: Facts, name_prefix: str) -> None:
        self._database = database
        self._facts = facts
        self._name_prefix = name_prefix

    def standings(self, page: Sequence[tuple[Recording, bytes]]) -> list[Standing]:
        """What a run would do with each of these recordings, given with their identities."""
        marks = ", ".join("?" * len(page))
        query = (
            f"SELECT key, identity, status, existing_attempt FROM recordings WHERE key IN ({marks})"
        )
        rows = {
            key: rest for key, *rest in self._database.rows(query, *(each.key for each, _ in page))
        }
        written, found = (
            {
                identity
                for (identity,) in self._database.rows(query, *(identity for _, identity in page))
            }
            for query in (
                f"SELECT identity FROM {table} WHERE identity IN ({marks})"
                for table in ("previous_identities", "results")
            )
        )

        def standing(recording: Recording, identity: bytes) -> Standing:
            known, status, result = rows.get(recording.key, (None, Status.PENDING, 0))
            if known == identity and status > Status.STARTING:
                return Standing(status)
            if known == identity:
                return Standing.FOUND if result else Standing.TO_START
            if identity in written:
                return Standing.WRITTEN
            return Standing.FOUND if identity in found else Standing.TO_START

        return [standing(*each) for each in page]

    def counts(self) -> Counts:
        """How many recordings stand where, over the whole file."""
        return self._counts("")

    def _counts(self, where: str, *values: object) -> Counts:
        query = f"SELECT status, count(*) FROM recordings {where} GROUP BY status"
        found = dict(self._database.rows(query, *values))
        return Counts(
            pending=found.get(Status.PENDING, 0) + found.get(Status.STARTING, 0),
            in_flight=found.get(Status.STARTED, 0),
            written=found.get(Status.WRITTEN, 0),
            failed=found.get(Status.FAILED, 0),
        )

    def pending(self) -> int:
        """How many recordings of this run's selection wait to be started."""
        query = (
            f"SELECT count(*) FROM recordings WHERE status = {Status.PENDING:d} "
            "AND (last_run = ? OR existing_attempt > 0)"
        )
        return int(self._database.rows(query, self._facts.run)[0][0])

    def in_flight(self) -> list[tuple[Job, float]]:
        """The jobs an earlier run left in flight, and when each was started (epoch seconds)."""
        rows = self._database.rows(
            f"SELECT {JOB_COLUMNS}, changed FROM recordings WHERE status = {Status.STARTED:d}"
        )
        return [(self.job(row), changed) for *row, changed in rows]

    def written(self) -> Iterator[list[Job]]:
        """The recordings that are written, by the page; of each the content written last.

        Their results were there.
        """
        after = 0
        while rows := self._database.rows(
            f"SELECT {JOB_COLUMNS} FROM recordings "
            f"WHERE status = {Status.WRITTEN:d} AND row > ? ORDER BY row LIMIT ?",
            after,
            PAGE,
        ):
            yield [replace(self.job(row), result_exists=True) for row in rows]
            after = rows[-1][0]

    def moments(self, jobs: Sequence[Job]) -> dict[int, float]:
        """When each of these recordings was written, in seconds since the epoch, by its row."""
        marks = ", ".join("?" * len(jobs))
        query = f"SELECT row, changed FROM recordings WHERE row IN ({marks})"
        return dict(self._database.rows(query, *(job.row for job in jobs)))

    def written_mark(self) -> str:
        """Another text whenever other recordings are written, or one of them once more."""
        [row] = self._database.rows(
            "SELECT count(*), total(changed), max(changed), total(row * attempt) FROM recordings "
            f"WHERE status = {Status.WRITTEN:d}"
        )
        return " ".join(map(str, row))

    def contents(self, keys: Sequence[str]) -> dict[str, tuple[bytes, int]]:
        """The identity and attempt of each of these recordings that is known, by its key."""
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, identity, attempt FROM recordings WHERE key IN ({marks})"
        return {
            key: (identity, attempt) for key, identity, attempt in self._database.rows(query, *keys)
        }

    def last_written(self) -> Job | None:
        """The written recording that was listed last; None where nothing is written."""
        rows = self._database.rows(
            f"SELECT {JOB_COLUMNS} FROM recordings WHERE status = {Status.WRITTEN:d} "
            "ORDER BY row DESC LIMIT 1"
        )
        return self.job(rows[0]) if rows else None

    def selected(self) -> Counts:
        """Where the recordings stand that this run's listing touched."""
        return self._counts("WHERE last_run = ?", self._facts.run)

    def contents_written(self) -> int:
        """How many contents of recordings are written, of which each has its line in the output.

        That is those of today and earlier ones; going back to an earlier one is no new line.
        """
        written = self.counts().written
        earlier = self._database.rows("SELECT count(*) FROM previous_identities")[0][0]
        if not earlier:
            return written
        query = (
            f"SELECT count(*) FROM recordings WHERE status = {Status.WRITTEN:d} "
            "AND identity IN (SELECT identity FROM previous_identities)"
        )
        return int(written + earlier - self._database.rows(query)[0][0])

    def oldest_in_flight(self) -> float | None:
        """When the oldest job in flight was started, in seconds since the epoch."""
        query = f"SELECT min(changed) FROM recordings WHERE status = {Status.STARTED:d}"
        found: float | None = self._database.rows(query)[0][0]
        return found

    def written_since(self, moment: float) -> int:
        """How many recordings were written after `moment`, in seconds since the epoch."""
        query = f"SELECT count(*) FROM recordings WHERE status = {Status.WRITTEN:d} AND changed > ?"
        return int(self._database.rows(query, moment)[0][0])

    def job(self, row: Sequence[Any]) -> Job:
        """The job that the JOB_COLUMNS of a row are of."""
        number, identity, attempt, existing, key, etag, size, language = row
        name = job_name(self._name_prefix, identity, attempt)
        recording = Recording(key, etag, size)
        return Job(number, identity, name, recording, attempt, bool(existing), language or "")
