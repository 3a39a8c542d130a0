"""The state file opened for reading, beside a run or after it: reading writes nothing."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from pipeline.errors import StateUnusable
from pipeline.naming import parse_s3_uri
from pipeline.state.database import connect
from pipeline.state.facts import Facts
from pipeline.state.failures import Failures
from pipeline.state.history import History
from pipeline.state.metadata import MetadataState
from pipeline.state.recordings import Recordings
from pipeline.state.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.naming import S3Uri
    from pipeline.state.database import Database


class StateReader:
    """What a state file knows, by what it is about.

    Jobs are named with `name_prefix`; without one, as the run named them that wrote the file.
    """

    def __init__(self, database: Database, name_prefix: str = "") -> None:
        self.path = database.path
        self.facts = Facts(database)
        self.name_prefix = name_prefix or self.facts.value("name prefix") or ""
        self.recordings = Recordings(database, self.facts, self.name_prefix)
        self.failures = Failures(database, self.recordings)
        self.history = History(database, self.facts)
        self.metadata = MetadataState(database)
        self.statistics = Statistics(database, self.recordings)
        self._database = database

    def place_on_s3(self, only: str, advice: str) -> S3Uri:
        """What the run listed on S3.

        Args:
            only: what is wanted of it, which only a bucket's recordings have.
            advice: what to do where it was a folder.

        Raises:
            StateUnusable: it was a folder, or none has begun.
        """
        uri = self.facts.value("source") or ""
        if place := parse_s3_uri(uri):
            return place
        read = f"The run of {self.path} read {uri or 'nothing yet'}"
        raise StateUnusable(f"{read}: only a bucket's {only}", advice)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


@contextmanager
def read_state(path: Path) -> Iterator[StateReader]:
    """Open the state file for reading.

    Raises:
        StateOutdated: it is of an earlier version.
        StateUnusable: there is none, or it is not a state file.
    """
    if not path.is_file():
        raise StateUnusable(
            f"There is no state file at {path}",
            "Name the one of the run with --state, or the run's output with --output.",
        )
    with closing(StateReader(connect(path, read_only=True))) as state:
        yield state
