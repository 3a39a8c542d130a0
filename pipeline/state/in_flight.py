"""What a new state file takes over of the one that is set aside: the jobs that may still run.

Nothing else tells which account has them: until the new file came to their recordings again,
another account would start them once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import StateUnusable
from pipeline.failures import NO_SPEECH
from pipeline.state.facts import accounts_in
from pipeline.state.reader import read_state
from pipeline.state.schema import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.model import Job
    from pipeline.naming import S3Uri
    from pipeline.state.database import Database
    from pipeline.state.facts import Facts

_KEEP = f"""
INSERT INTO recordings (
    key, etag, size, identity, attempt, existing_attempt,
    status, last_run, changed, reason, message)
VALUES (?, ?, ?, ?, ?, ?, {Status.STARTED:d}, 0, ?, iif(?8 = '', NULL, '{NO_SPEECH}'), ?8)
"""


class InFlight(NamedTuple):
    """The jobs, when each was started (epoch seconds), and what their names do not tell."""

    jobs: Sequence[tuple[Job, float]] = ()
    results: Sequence[str] = ()
    fingerprints: Sequence[str] = ()
    accounts: Sequence[str] = ("",)


def in_flight_of(path: Path, name_prefix: str, place: S3Uri) -> InFlight:
    """What the state file there knows of the recordings of `place`.

    Where it can't be read, or names jobs otherwise, that is only that there may be some.
    """
    try:
        with read_state(path) as state:
            if state.name_prefix != name_prefix:
                return InFlight()
            facts, begun = state.facts, state.recordings.in_flight()
            jobs = [each for each in begun if each[0].recording.key.startswith(place.key)]
            told = facts.told_results(), facts.earlier_fingerprints()
            return InFlight(jobs, *told, accounts_in(facts) or ("",))
    except StateUnusable:
        return InFlight()


def keep(known: InFlight, database: Database, facts: Facts) -> None:
    """Have a new file, which has no recordings yet, know that in one commit."""
    rows = (
        (of.key, of.etag, of.size, job.identity, job.attempt, existing, moment, job.language)
        for job, moment in known.jobs
        for of, existing in [(job.recording, job.attempt * job.result_exists)]
    )
    with database.transaction():
        database.change_each(_KEEP, rows)
        for place in known.results:
            database.set_fact(f"results at {place}", 1)
        facts.remember_fingerprints(known.fingerprints)
        facts.note_accounts(known.accounts)
