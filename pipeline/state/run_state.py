"""The state of every recording: the queue between producer and starters, and the checkpoint."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pipeline.state.database import connect, hold, touch_private, translated
from pipeline.state.reader import JOB_COLUMNS
from pipeline.state.transaction import StateWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipeline.model import Job, Recording

# A key seen before is touched only when there is something to do: its content or the settings
# changed (start anew), or it is not written (it belongs to this run's selection; one in flight too,
# as the service may have forgotten its job). A written one costs a look-up and no write, which is
# what the usual night consists of. Content or settings that a written line has had before are
# written: going back to them is no new task.
_ADD = """
INSERT INTO recordings (key, etag, size, identity, found, seen, changed)
VALUES (?, ?, ?, ?, coalesce((SELECT attempt FROM results WHERE identity = ?), 0), ?, ?)
ON CONFLICT (key) DO UPDATE SET
    status = CASE
        WHEN identity = excluded.identity THEN status
        WHEN EXISTS (SELECT 1 FROM superseded AS s WHERE s.identity = excluded.identity) THEN 3
        ELSE 0 END,
    attempt = iif(identity = excluded.identity, attempt, 1),
    found = iif(identity = excluded.identity, found, excluded.found),
    reason = iif(identity = excluded.identity, reason, NULL),
    words = iif(identity = excluded.identity, words, NULL),
    changed = iif(identity = excluded.identity, changed, excluded.changed),
    etag = excluded.etag, size = excluded.size, identity = excluded.identity, seen = excluded.seen
WHERE seen < excluded.seen AND (identity != excluded.identity OR status != 3)
"""


class State(StateWriter):
    """The state file open for a run, locked against another one."""

    # The run's beginning

    def begin(self, source: str, *results: str) -> None:
        """Begin a run over `source`: put aborted starts back and count the run.

        `results` are the places where its transcripts are, "" where the service keeps them.

        Raises:
            StateUnusable: the file holds recordings of another source.
        """
        with self._writing():
            self.check_belongs(source, self._tag)
            self._set("names", self._tag)
            self._set("source", source)
            for place in results:
                self._set(f"results at {place}", 1)
            self.generation = int(self.fact("generation") or 0) + 1
            self._set("generation", self.generation)
            self._set("begun", time.time())
            self._db.execute("UPDATE recordings SET status = 0 WHERE status = 1")

    # The producer only inserts

    def add(self, page: Iterable[tuple[Recording, bytes]]) -> int:
        """Insert a page of recordings with their identities; return how many rows it touched.

        Touched are all but those that are written and have not changed, or were seen before.
        """
        now = time.time()
        rows = [
            (each.key, each.etag, each.size, identity, identity, self.generation, now)
            for each, identity in page
        ]
        with self._writing():
            return self._db.executemany(_ADD, rows).rowcount

    def note_skipped(self, skipped: dict[str, int]) -> None:
        """Remember how many objects this run skipped, by reason."""
        with self._writing():
            self._db.execute("DELETE FROM meta WHERE name LIKE 'skipped: %'")
            for reason, count in skipped.items():
                self._set(f"skipped: {reason}", count)

    def note_results(self, results: Iterable[tuple[bytes, int]]) -> None:
        """Remember identities and attempts whose results exist, for recordings yet to be added."""
        with self._writing():
            self._db.executemany(
                "INSERT INTO results VALUES (?, ?) ON CONFLICT (identity) "
                "DO UPDATE SET attempt = max(attempt, excluded.attempt)",
                results,
            )

    def remember_fingerprints(self, fingerprints: Iterable[str]) -> None:
        """Remember the settings that jobs are named after, which their names do not tell."""
        with self._writing():
            for each in fingerprints:
                self._set(f"asked: {each}", 1)

    def know_results(self, *, redacted: bool = False) -> None:
        """The results that exist have been looked for; new ones are this state's own."""
        with self._writing():
            self._set("redacted results known" if redacted else "results known", 1)

    def take_over(self, written: Sequence[Job]) -> int:
        """Insert recordings that an earlier state has written, to be written from their results.

        Returns how many rows that touched, as `add` does.
        """
        with self._writing():
            self.note_results((job.identity, job.attempt) for job in written)
            touched = self.add((job.recording, job.identity) for job in written)
            self._db.execute(
                "UPDATE recordings SET found = r.attempt FROM results AS r "
                "WHERE status = 0 AND found = 0 AND r.identity = recordings.identity"
            )
        return touched

    def retry(self, reasons: Sequence[str]) -> int:
        """Put failed recordings back under a new attempt; return how many there were.

        Args:
            reasons: only those that failed for one of these classes of reason; all when empty.
        """
        chosen = f"AND reason IN ({', '.join('?' * len(reasons))})" if reasons else ""
        with self._writing():
            return self._db.execute(
                "UPDATE recordings SET status = 0, attempt = attempt + 1, found = 0, seen = 0, "
                f"reason = NULL, words = NULL WHERE status = 4 {chosen}",
                tuple(reasons),
            ).rowcount

    def forget_output(self, *, results_exist: bool) -> None:
        """Every task is to be written anew, from the results where they still exist."""
        found = "attempt" if results_exist else "0"
        with self._writing():
            self._db.execute(f"UPDATE recordings SET status = 0, found = {found} WHERE status = 3")
            self._db.execute("DELETE FROM meta WHERE name LIKE 'output%'")
            self._db.execute("DELETE FROM superseded")

    # The starters only claim

    def claim(self, most: int) -> list[Job]:
        """Up to `most` pending recordings of this run's selection; first found ones of any."""
        with self._writing():
            return self._claim("found > 0", most) or self._claim("seen = ?", most)

    def _claim(self, which: str, most: int) -> list[Job]:
        generation = (self.generation,) if "?" in which else ()
        rows = self._db.execute(
            "UPDATE recordings SET status = 1, attempt = max(attempt, found) "
            f"WHERE row IN (SELECT row FROM recordings WHERE status = 0 AND {which} "
            f"ORDER BY row LIMIT ?) RETURNING {JOB_COLUMNS}",
            (*generation, most),
        ).fetchall()
        return [self.job(row) for row in rows]

    def release(self, job: Job) -> None:
        """The service does not know the job: it is pending again."""
        self._put_back(job, "")

    def failed(self, job: Job, reason: str, words: str) -> None:
        """The recording ends without a task, for this class of reason, in the service's words."""
        with self._writing():
            self._db.execute(
                "UPDATE recordings SET status = 4, changed = ?, reason = ?, words = ? "
                "WHERE row = ? AND identity = ?",
                (time.time(), reason, words, job.row, job.identity),
            )

    def try_again(self, job: Job) -> None:
        """The job failed for no fault of the recording: it is pending under a new name."""
        self._put_back(job, "attempt = attempt + 1, found = 0, ")

    def _put_back(self, job: Job, more: str) -> None:
        with self._writing():
            self._db.execute(
                f"UPDATE recordings SET status = 0, {more}changed = ? "
                "WHERE row = ? AND identity = ?",
                (time.time(), job.row, job.identity),
            )

    # The writer's checkpoint

    def bind_output(self, name: str) -> None:
        """Remember which file the tasks are written to, as a path relative to the state file."""
        with self._writing():
            self._set("output", name)

    def describe_output(self, kind: str, model_version: str) -> None:
        """Remember what the output's tasks are."""
        with self._writing():
            self._set("output kind", kind)
            self._set("output model version", model_version)

    def begin_output(self) -> None:
        """The output is about to grow beyond what is committed, durably so."""
        self._db.execute("PRAGMA synchronous = FULL")
        with self._writing():
            self._set("output whole", 0)
        self._db.execute("PRAGMA synchronous = NORMAL")

    def end_output(self) -> None:
        """The output holds just what is committed, and nobody of ours will touch it."""
        with self._writing():
            self._set("output whole", 1)

    def commit_output(self, size: int, lines: int, digest: str) -> None:
        """Set the output's size, lines and end, with the rows marked in this checkpoint."""
        self._set("output size", size)
        self._set("output lines", lines)
        self._set("output digest", digest)

    def mark_written(self, jobs: Sequence[Job]) -> list[bool]:
        """Mark rows as written; False where a row is no longer waiting for this job."""
        update = (
            "UPDATE recordings SET status = 3, changed = ? "
            "WHERE row = ? AND identity = ? AND status = 2"
        )
        now = time.time()
        with self._writing():
            done = (self._db.execute(update, (now, job.row, job.identity)) for job in jobs)
            return [each.rowcount == 1 for each in done]


@contextmanager
def open_state(path: Path, tag: str) -> Iterator[State]:
    """Open or make the state file for a run, alone.

    `tag` is what job names begin with, from `naming.group_tag`.

    Raises:
        StateUnusable: another run holds it, it is not a state file, or it can't be written.
    """
    with hold(path):
        with translated(path):
            touch_private(path)
        with closing(State(path, connect(path), tag)) as state:
            yield state
