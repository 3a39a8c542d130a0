"""State files with recordings in them, for the tests of what stands on the state file."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.model import Recording
from pipeline.naming import identity
from pipeline.stages.output_file import Output, OutputFile
from pipeline.state.run_state import RunState, open_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.model import Job

TAG = "calls-0a1b2c3d-"
SOURCE = "s3://calls/"


@contextmanager
def begun(path: Path) -> Iterator[RunState]:
    """The state file of a run that has begun."""
    with open_state(path, TAG) as state:
        state.begin(SOURCE)
        yield state


def output_at(path: Path, state: RunState) -> Output:
    """The output of a state, open for a run that writes to it."""
    return Output(OutputFile(path), state)


def listed(state: RunState, *keys: str, etag: str = "1", settings: str = "") -> int:
    """Insert a page of recordings; return how many rows that touched."""
    recordings = [Recording(key, etag, 7) for key in keys]
    return state.add([(each, identity("calls", each, settings)) for each in recordings])


def running(state: RunState, *keys: str) -> list[Job]:
    """Insert recordings and start a job for each."""
    listed(state, *keys)
    jobs = state.claim(len(keys))
    for job in jobs:
        state.started(job)
    return jobs


def written(state: RunState, *keys: str) -> None:
    """Insert recordings and bring them to their end."""
    jobs = running(state, *keys)
    with state.output.checkpoint():
        assert all(state.output.mark_written(jobs))


def keys_of(jobs: list[Job]) -> list[str]:
    """The keys of the jobs' recordings."""
    return [job.recording.key for job in jobs]


def by_hand(path: Path, statement: str, *values: object) -> list[Any]:
    """Execute a statement on the file, as somebody with SQLite at hand could; return its rows."""
    with closing(sqlite3.connect(path)) as db, db:
        rows: list[Any] = db.execute(statement, values).fetchall()
    return rows
