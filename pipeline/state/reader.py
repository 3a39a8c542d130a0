"""Reading the state file: where recordings stand, for a run, beside it and after it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import StateUnusable
from pipeline.model import Job, Recording
from pipeline.naming import job_name, parse_s3_uri
from pipeline.state.database import connect, translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.naming import S3Uri

JOB_COLUMNS = "row, identity, attempt, found, key, etag, size"
_PAGE = 1000

# Those of the last selection, and whatever else failed in the last run. A recording that failed
# and has left the source since is nobody's concern any more.
_FAILED = (
    "status = 4 AND (seen = (SELECT value FROM meta WHERE name = 'generation') "
    "OR changed >= (SELECT value FROM meta WHERE name = 'begun'))"
)


class Status(IntEnum):
    """Where a recording stands."""

    PENDING = 0
    STARTING = 1
    STARTED = 2
    WRITTEN = 3
    FAILED = 4


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


class StateReader:
    """The state file of one source and one output."""

    def __init__(self, path: Path, connection: sqlite3.Connection, tag: str = "") -> None:
        self.path = path
        self._db = connection
        self.generation = int(self.fact("generation") or 0)
        self._tag = tag or self.fact("names") or ""

    def fact(self, name: str) -> str | None:
        """A fact about the file as a whole, or None."""
        rows = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return rows[0][0] if rows else None

    def check_belongs(self, source: str, tag: str) -> None:
        """Refuse a file that holds recordings of another source, or jobs of other names.

        Jobs under way have names: another prefix would start and pay for them again.

        Raises:
            StateUnusable: so it is.
        """
        known, names = self.fact("source"), self.fact("names")
        if not self.rows("SELECT 1 FROM recordings LIMIT 1"):
            return
        if known not in (None, source):
            raise StateUnusable(
                f"The state file {self.path} belongs to {known}, not to {source}. Name "
                "another one with --state, or another --output."
            )
        if names not in (None, tag):
            raise StateUnusable(
                f"The jobs of the state file {self.path} are named {names}..., not {tag}... "
                "Put job_prefix back, or name another state file with --state."
            )

    @property
    def output_size(self) -> int:
        """Bytes of the output that are committed."""
        return int(self.fact("output size") or 0)

    @property
    def output_lines(self) -> int:
        """Lines of the output that are committed; a changed recording has one for each content."""
        return int(self.fact("output lines") or 0)

    def standings(self, page: Sequence[tuple[Recording, bytes]]) -> list[Standing]:
        """What a run would do with each of these recordings, given with their identities."""
        marks = ", ".join("?" * len(page))
        query = f"SELECT key, identity, status, found FROM recordings WHERE key IN ({marks})"
        rows = {key: rest for key, *rest in self.rows(query, *(each.key for each, _ in page))}
        written, found = (
            {identity for (identity,) in self.rows(query, *(identity for _, identity in page))}
            for query in (
                f"SELECT identity FROM {table} WHERE identity IN ({marks})"
                for table in ("superseded", "results")
            )
        )

        def standing(recording: Recording, identity: bytes) -> Standing:
            known, status, result = rows.get(recording.key, (None, Status.PENDING, 0))
            if known == identity and status > Status.STARTING:
                return Standing(status)
            if known == identity:
                return Standing.FOUND if result else Standing.TO_START
            if known and identity in written:
                return Standing.WRITTEN
            return Standing.FOUND if identity in found else Standing.TO_START

        return [standing(*each) for each in page]

    def counts(self) -> Counts:
        """How many recordings stand where, over the whole file."""
        return self._counts("")

    def _counts(self, where: str, *values: object) -> Counts:
        query = f"SELECT status, count(*) FROM recordings {where} GROUP BY status"
        found = dict(self.rows(query, *values))
        return Counts(
            pending=found.get(Status.PENDING, 0) + found.get(Status.STARTING, 0),
            in_flight=found.get(Status.STARTED, 0),
            written=found.get(Status.WRITTEN, 0),
            failed=found.get(Status.FAILED, 0),
        )

    def pending(self) -> int:
        """How many recordings of this run's selection wait to be started."""
        query = "SELECT count(*) FROM recordings WHERE status = 0 AND (seen = ? OR found > 0)"
        return int(self.rows(query, self.generation)[0][0])

    def skipped(self) -> dict[str, int]:
        """How many objects the last run skipped, by reason."""
        rows = self.rows("SELECT name, value FROM meta WHERE name LIKE 'skipped: %'")
        return {name.removeprefix("skipped: "): count for name, count in rows}

    def failures(self) -> dict[str, int]:
        """How many recordings failed, by reason, the most frequent first."""
        return dict(
            self.rows(
                f"SELECT reason, count(*) FROM recordings WHERE {_FAILED} "
                "GROUP BY reason ORDER BY count(*) DESC, reason"
            )
        )

    def failure_examples(self, most: int) -> list[tuple[str, str, str]]:
        """Reason, key and the service's words of some recordings that failed, of each reason."""
        return self.rows(
            "SELECT reason, key, words FROM (SELECT row, reason, key, words, row_number() OVER "
            f"(PARTITION BY reason ORDER BY row) AS place FROM recordings WHERE {_FAILED}) "
            "WHERE place <= ? ORDER BY row",
            most,
        )

    def reasons(self) -> list[str]:
        """Every reason for which a recording failed, in whichever run."""
        rows = self.rows("SELECT DISTINCT reason FROM recordings WHERE status = 4 ORDER BY reason")
        return [reason for (reason,) in rows]

    def failed_recordings(self, *, ever: bool = False) -> Iterator[tuple[Job, str, str]]:
        """The recordings that failed: job, reason, the service's words.

        Without `ever` those that have left the source since are passed over.
        """
        after = 0
        which = "status = 4" if ever else _FAILED
        while rows := self.rows(
            f"SELECT {JOB_COLUMNS}, reason, words FROM recordings "
            f"WHERE {which} AND row > ? ORDER BY row LIMIT ?",
            after,
            _PAGE,
        ):
            yield from ((self.job(row), reason, words) for *row, reason, words in rows)
            after = rows[-1][0]

    def in_flight(self) -> list[tuple[Job, float]]:
        """The jobs an earlier run left in flight, and when each was started (epoch seconds)."""
        rows = self.rows(f"SELECT {JOB_COLUMNS}, changed FROM recordings WHERE status = 2")
        return [(self.job(row), changed) for *row, changed in rows]

    def results_are_known(self, *, redacted: bool = False) -> bool:
        """Whether the results that existed before this state file did were looked for."""
        return self.fact("redacted results known" if redacted else "results known") is not None

    def result_places(self) -> list[S3Uri]:
        """Below which places the jobs of this and earlier runs were told to write."""
        names = self.rows("SELECT substr(name, 12) FROM meta WHERE name LIKE 'results at s3:%'")
        return [place for (uri,) in names if (place := parse_s3_uri(uri))]

    def earlier_fingerprints(self) -> list[str]:
        """The fingerprints of settings that jobs of this and earlier runs were named after."""
        rows = self.rows("SELECT substr(name, 8) FROM meta WHERE name LIKE 'asked: %'")
        return [fingerprint for (fingerprint,) in rows]

    def written(self) -> Iterator[list[Job]]:
        """The recordings that are written, by the page; of each the content written last."""
        after = 0
        while rows := self.rows(
            f"SELECT {JOB_COLUMNS} FROM recordings "
            "WHERE status = 3 AND row > ? ORDER BY row LIMIT ?",
            after,
            _PAGE,
        ):
            yield [self.job(row) for row in rows]
            after = rows[-1][0]

    def selected(self) -> Counts:
        """Where the recordings stand that this run's listing touched."""
        return self._counts("WHERE seen = ?", self.generation)

    def oldest_in_flight(self) -> float | None:
        """When the oldest job in flight was started, in seconds since the epoch."""
        query = "SELECT min(changed) FROM recordings WHERE status = 2"
        found: float | None = self.rows(query)[0][0]
        return found

    def written_since(self, moment: float) -> int:
        """How many recordings were written after `moment`, in seconds since the epoch."""
        query = "SELECT count(*) FROM recordings WHERE status = 3 AND changed > ?"
        return int(self.rows(query, moment)[0][0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def job(self, row: Sequence[Any]) -> Job:
        """The job that the JOB_COLUMNS of a row are of."""
        number, identity, attempt, found, key, etag, size = row
        name = job_name(self._tag, identity, attempt)
        recording = Recording(key, etag, size)
        return Job(number, identity, name, recording, attempt, found=bool(found))

    def rows(self, query: str, *values: object) -> list[Any]:
        """The rows that a query finds."""
        with translated(self.path):
            return self._db.execute(query, values).fetchall()


@contextmanager
def read_state(path: Path) -> Iterator[StateReader]:
    """Open the state file for reading, beside a run or after it.

    Raises:
        StateUnusable: there is none, or it is not a state file.
    """
    if not path.is_file():
        raise StateUnusable(
            f"There is no state file at {path}. Name the one of the run with --state, or the "
            "run's output with --output."
        )
    with closing(StateReader(path, connect(path, read_only=True))) as state:
        yield state
