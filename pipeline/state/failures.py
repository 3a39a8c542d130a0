"""The recordings that failed, and why; reading alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.state.recordings import JOB_COLUMNS, PAGE
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.model import Job
    from pipeline.state.database import Database
    from pipeline.state.recordings import Recordings

# Those of the last selection, and whatever else failed in the last run. A recording that failed
# and has left the source since is nobody's concern any more.
_FAILED = (
    f"status = {Status.FAILED:d} "
    "AND (last_run = (SELECT value FROM meta WHERE name = 'run') "
    "OR changed >= (SELECT value FROM meta WHERE name = 'begun'))"
)


class Failures:
    """The failed recordings of the file."""

    def __init__(self, database: Database, recordings: Recordings) -> None:
        self._database = database
        self._recordings = recordings

    def by_reason(self) -> dict[str, int]:
        """How many recordings failed, by reason, the most frequent first."""
        return dict(
            self._database.rows(
                f"SELECT reason, count(*) FROM recordings WHERE {_FAILED} "
                "GROUP BY reason ORDER BY count(*) DESC, reason"
            )
        )

    def examples(self, most: int) -> list[tuple[str, str, str]]:
        """Reason, key and message of some recordings that failed, of each reason."""
        return self._database.rows(
            "SELECT reason, key, message FROM (SELECT row, reason, key, message, row_number() OVER "
            f"(PARTITION BY reason ORDER BY row) AS place FROM recordings WHERE {_FAILED}) "
            "WHERE place <= ? ORDER BY row",
            most,
        )

    def reasons(self) -> list[str]:
        """Every reason for which a recording failed, in whichever run."""
        rows = self._database.rows(
            f"SELECT DISTINCT reason FROM recordings WHERE status = {Status.FAILED:d} "
            "ORDER BY reason"
        )
        return [reason for (reason,) in rows]

    def recordings(self, *, ever: bool = False) -> Iterator[tuple[Job, str, str]]:
        """The recordings that failed: job, reason, the service's message.

        Without `ever` those that have left the source since are left out.
        """
        after = 0
        which = f"status = {Status.FAILED:d}" if ever else _FAILED
        while rows := self._database.rows(
            f"SELECT {JOB_COLUMNS}, reason, message FROM recordings "
            f"WHERE {which} AND row > ? ORDER BY row LIMIT ?",
            after,
            PAGE,
        ):
            yield from (
                (self._recordings.job(row), reason, message) for *row, reason, message in rows
            )
            after = rows[-1][0]
