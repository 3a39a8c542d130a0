"""State files with recordings in them, for the tests of what stands on the state file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.model import Recording
from pipeline.naming import identity
from pipeline.state.run_state import State, open_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.model import Job

TAG = "calls-0a1b2c3d-"
SOURCE = "s3://calls/"


@contextmanager
def begun(path: Path) -> Iterator[State]:
    """The state file of a run that has begun."""
    with open_state(path, TAG) as state:
        state.begin(SOURCE)
        yield state


def listed(state: State, *keys: str, etag: str = "1", settings: str = "") -> int:
    """Insert a page of recordings; return how many rows that touched."""
    recordings = [Recording(key, etag, 7) for key in keys]
    return state.add([(each, identity("calls", each, settings)) for each in recordings])


def running(state: State, *keys: str) -> list[Job]:
    """Insert recordings and start a job for each."""
    listed(state, *keys)
    jobs = state.claim(len(keys))
    for job in jobs:
        state.started(job)
    return jobs


def written(state: State, *keys: str) -> None:
    """Insert recordings and bring them to their end."""
    jobs = running(state, *keys)
    with state.checkpoint():
        assert all(state.mark_written(jobs))


def keys_of(jobs: list[Job]) -> list[str]:
    """The keys of the jobs' recordings."""
    return [job.recording.key for job in jobs]
