"""The state file of a run: the queue between producer and starters, and the checkpoint."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING

from pipeline.failures import KEPT_JOBS, NO_SPEECH
from pipeline.state.database import connect
from pipeline.state.in_flight import keep
from pipeline.state.listing import Listing
from pipeline.state.lock import hold
from pipeline.state.output import OutputState
from pipeline.state.parts import Parts
from pipeline.state.reader import StateReader
from pipeline.state.recordings import JOB_COLUMNS
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.model import Job, Recording
    from pipeline.state.database import Database
    from pipeline.state.in_flight import InFlight
    from pipeline.state.listing import Noted
    from pipeline.state.lock import StateLock

# A key seen before is touched only when there is something to do: its content or the settings
# changed (start again), or it is not written (it belongs to this selection; one in flight too,
# as the service may have forgotten its job). A written one costs a look-up and no write, which is
# what the usual night consists of. Content or settings that a written line has had before are
# written: going back to them is no new task. A statement for many rows takes half of what one for
# each takes, as SQLite goes on from where it put the last row. (`WHERE TRUE` is SQLite's syntax.)
_ADD = f"""
INSERT INTO recordings (key, etag, size, identity, existing_attempt, last_run, changed, status)
SELECT
    column1, column2, column3, column4,
    coalesce((SELECT attempt FROM results WHERE identity = column4), 0), ?1, ?2,
    iif(EXISTS (SELECT 1 FROM previous_identities WHERE identity = column4),
        {Status.WRITTEN:d}, {Status.PENDING:d})
FROM (VALUES {{rows}}) WHERE TRUE
ON CONFLICT (key) DO UPDATE SET
    status = CASE
        WHEN identity = excluded.identity THEN status
        WHEN EXISTS (
            SELECT 1 FROM previous_identities AS p WHERE p.identity = excluded.identity
        ) THEN {Status.WRITTEN:d}
        ELSE {Status.PENDING:d} END,
    attempt = iif(identity = excluded.identity, attempt, 1),
    existing_attempt = iif(
        identity = excluded.identity, existing_attempt, excluded.existing_attempt),
    reason = iif(identity = excluded.identity, reason, NULL),
    message = iif(identity = excluded.identity, message, NULL),
    changed = iif(identity = excluded.identity, changed, excluded.changed),
    etag = excluded.etag, size = excluded.size, identity = excluded.identity,
    last_run = excluded.last_run
WHERE last_run < excluded.last_run
    AND (identity != excluded.identity OR status != {Status.WRITTEN:d})
"""
_ADDED_AT_ONCE = 100
_CLAIM = f"""
UPDATE recordings SET status = {Status.STARTING:d}, attempt = max(attempt, existing_attempt)
WHERE row IN (
    SELECT row FROM recordings WHERE status = {Status.PENDING:d} AND {{which}}
    ORDER BY row LIMIT ?)
RETURNING {JOB_COLUMNS}
"""
_CLAIM_EXISTING = _CLAIM.format(which="existing_attempt > 0")
_CLAIM_SELECTED = _CLAIM.format(which="last_run = ?")
_STARTED = f"""
UPDATE recordings SET status = {Status.STARTED:d}, changed = ?
WHERE row = ? AND identity = ? AND status = {Status.STARTING:d}
"""
_PENDING_AGAIN = f"status = {Status.PENDING:d}"


class RunState:
    """The state file open for a run, locked against another one.

    What it knows is told by the same objects as a reader's; `output` is the writer's part.
    """

    def __init__(self, database: Database, name_prefix: str) -> None:
        self.reader = reader = StateReader(database, name_prefix)
        self.path = database.path
        self.facts = reader.facts
        self.recordings = reader.recordings
        self.failures = reader.failures
        self.history = reader.history
        self.metadata = reader.metadata
        self.statistics = reader.statistics
        self.output = OutputState(database)
        self.parts = Parts(database)
        self._name_prefix = name_prefix
        self._database = database
        self._listing = Listing(database)
        self._run = self.facts.run

    # The run's beginning

    def begin(self, source: str, *results: str) -> None:
        """Begin a run over `source`: put aborted starts back and count the run.

        `results` are the places where its transcripts are, "" where the service keeps them.

        Raises:
            StateUnusable: the file holds recordings of another source.
        """
        database = self._database
        with database.transaction():
            self.facts.check_belongs(source, self._name_prefix)
            database.set_fact("name prefix", self._name_prefix)
            database.set_fact("source", source)
            for place in results:
                database.set_fact(f"results at {place}", 1)
            database.set_fact("run", self.facts.run + 1)
            database.set_fact("begun", time.time())
            database.change(
                f"UPDATE recordings SET {_PENDING_AGAIN} WHERE status = {Status.STARTING:d}"
            )
        self._run = self.facts.run
        self._listing = Listing(database)

    # The producer only inserts

    def add(self, page: Iterable[tuple[Recording, bytes]]) -> int:
        """Insert a page of recordings with their identities; return how many rows it touched.

        Touched are all but those that are written and have not changed, or were seen before.
        """
        now, touched = time.time(), 0
        rows = ((each.key, each.etag, each.size, identity) for each, identity in page)
        with self._database.transaction():
            while some := list(islice(rows, _ADDED_AT_ONCE)):
                statement = _ADD.format(rows=", ".join(["(?, ?, ?, ?)"] * len(some)))
                values = chain.from_iterable(some)
                touched += self._database.change(statement, self._run, now, *values)
        return touched

    def note_listed(self, keys: Sequence[str]) -> Noted:
        """Count a page that was just added; it is of rows in a run that has begun."""
        return self._listing.note(keys, self._run)

    def note_results(self, results: Iterable[tuple[bytes, int]]) -> None:
        """Remember identities and attempts whose results exist, for recordings yet to be added."""
        self._database.change_each(
            "INSERT INTO results VALUES (?, ?) ON CONFLICT (identity) "
            "DO UPDATE SET attempt = max(attempt, excluded.attempt)",
            results,
        )

    def take_over(self, written: Sequence[Job]) -> int:
        """Insert recordings that an earlier state has written, to be written from their results.

        What failed is tried again, as that costs nothing. Returns how many rows were touched, as
        `add` does.
        """
        with self._database.transaction():
            self._database.change_each(
                f"UPDATE recordings SET {_PENDING_AGAIN}, attempt = ?, existing_attempt = 0, "
                f"reason = NULL, message = NULL WHERE status = {Status.FAILED:d} AND identity = ?",
                ((job.attempt, job.identity) for job in written),
            )
            self.note_results((job.identity, job.attempt) for job in written)
            touched = self.add((job.recording, job.identity) for job in written)
            self._database.change(
                "UPDATE recordings SET existing_attempt = r.attempt FROM results AS r "
                f"WHERE status = {Status.PENDING:d} AND existing_attempt = 0 "
                "AND r.identity = recordings.identity"
            )
            self._database.change_each(
                f"UPDATE recordings SET reason = '{NO_SPEECH}', message = ? "
                f"WHERE identity = ? AND status = {Status.PENDING:d}",
                ((job.language, job.identity) for job in written if job.language),
            )
        return touched

    def retry(self, reasons: Sequence[str], *, new_jobs: bool = False) -> tuple[int, int]:
        """Put failed recordings back; return how many get a new job and how many keep theirs.

        Whose job may have a transcript yet keeps it: its result is read, or asked for, again.

        Args:
            reasons: only those that failed for one of these classes of reason; all when empty.
            new_jobs: give each a new job.
        """
        chosen = f"AND reason IN ({', '.join('?' * len(reasons))})" if reasons else ""
        keep = () if new_jobs else sorted(KEPT_JOBS)
        kept = f"reason IN ({', '.join('?' * len(keep))})"
        put_back = (
            "UPDATE recordings SET last_run = 0, reason = NULL, message = NULL, {} "
            f"WHERE status = {Status.FAILED:d} {chosen} AND {{}}"
        )
        again = put_back.format(f"status = {Status.STARTED:d}", kept)
        renewed = put_back.format(
            f"{_PENDING_AGAIN}, attempt = attempt + 1, existing_attempt = 0", "TRUE"
        )
        with self._database.transaction():
            same = self._database.change(again, *reasons, *keep)
            return self._database.change(renewed, *reasons), same

    # The starters only claim

    def claim(self, most: int) -> list[Job]:
        """Up to `most` pending recordings of this run's selection; first existing ones of any."""
        claim = self._database.change_returning
        with self._database.transaction():
            rows = claim(_CLAIM_EXISTING, most) or claim(_CLAIM_SELECTED, self._run, most)
        return [self.recordings.job(row) for row in rows]

    def started(self, job: Job) -> None:
        """The job runs at the service.

        It is written with the next transaction or reading: should the process be killed before,
        the next run finds the job at the service.
        """
        self._database.later(_STARTED, time.time(), job.row, job.identity)

    def note_started(self) -> None:
        """Write down the jobs that were started since the last transaction."""
        self._database.flush()

    def release(self, job: Job) -> None:
        """The service does not know the job: it is pending again."""
        self._change(job, _PENDING_AGAIN)

    def try_again(self, job: Job, *, language: str = "") -> None:
        """The job failed for no fault of the recording: it is pending under a new name.

        With a `language` that job and those after it are given it instead of having it identified.
        """
        renewed = f"{_PENDING_AGAIN}, attempt = attempt + 1, existing_attempt = 0"
        if language:
            self._change(job, f"{renewed}, reason = ?, message = ?", NO_SPEECH, language)
        else:
            self._change(job, renewed)

    def failed(self, job: Job, reason: str, message: str) -> None:
        """The recording ends without a task, for this class of reason, in the service's words."""
        failed = f"status = {Status.FAILED:d}, reason = ?, message = ?"
        self._change(job, failed, reason, message)

    def _change(self, job: Job, what: str, *values: object) -> None:
        statement = (
            f"UPDATE recordings SET {what}, changed = ? "
            f"WHERE row = ? AND identity = ? AND status != {Status.WRITTEN:d}"
        )
        self._database.change(statement, *values, time.time(), job.row, job.identity)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


@contextmanager
def open_state(path: Path, name_prefix: str) -> Iterator[RunState]:
    """Open or make the state file for a run, alone.

    `name_prefix` is what job names begin with, from `naming`.

    Raises:
        StateUnusable: another run holds it, it is not a state file, or it can't be written.
    """
    with hold(path) as lock, open_held(lock, name_prefix) as state:
        yield state


@contextmanager
def open_held(
    lock: StateLock, name_prefix: str, kept: InFlight | None = None
) -> Iterator[RunState]:
    """Open or make the state file that is held; it becomes private once it is known to be ours.

    `kept` is what a new one is to know of the one before.

    Raises:
        StateUnusable: it is not a state file, or it can't be written.
    """
    lock.create()
    database = connect(lock.path, may_create=True)
    with closing(RunState(database, name_prefix)) as state:
        lock.make_private()
        if kept:
            keep(kept, database, state.facts)
        yield state
