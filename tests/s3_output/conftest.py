"""A run whose output is on S3, and a look at what lies there."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli, ScriptedCloud

# The time is in the local bucket's ETags, and an ETag decides a recording's shard: with the time of
# the test, one in many would find a shard without recordings.
_MODIFIED = 1_700_000_000

FLAGS = ("--results", "s3://audio/results/", "--output", "s3://audio/tasks/")


@dataclass
class OnS3:
    """Runs over `s3://audio/calls/` with their tasks below `s3://audio/tasks/`."""

    run: Cli
    cloud: ScriptedCloud

    def add(self, count: int, begin: int = 0) -> dict[str, str]:
        """Put so many recordings into the bucket; what is spoken in each, by its audio."""
        said = {f"s3://audio/calls/{n}.mp3": f"number {n}" for n in range(begin, begin + count)}
        for modified, (uri, text) in enumerate(said.items(), _MODIFIED + begin):
            key = uri.removeprefix("s3://audio/")
            self.cloud.put(key, text)
            os.utime(self.cloud.folder / key, (modified, modified))
        return said

    def command(self, *flags: str) -> tuple[str, ...]:
        """The command of such a run."""
        return ("run", "s3://audio/calls/", *FLAGS, "--quiet", *flags)

    def __call__(self, *flags: str) -> Any:
        """Run it to its end; its summary."""
        outcome = self.run(*self.command("--json", *flags))
        assert outcome.code in (0, 1, 3), outcome.err
        return outcome.summary

    def wait_for(self, met: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def lose_the_disk(self) -> None:
        """Another machine goes on: nothing of the local files is left."""
        for path in self.run.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def parts(self) -> dict[str, bytes]:
        """The content of each part, by its name."""
        folder = self.cloud.folder / "tasks" / "parts"
        return {
            str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*.jsonl")
        }

    def lines(self) -> Counter[str]:
        """How many lines all parts have of each recording."""
        tasks = [json.loads(line) for each in self.parts().values() for line in each.splitlines()]
        return Counter(task["data"]["audio"] for task in tasks)

    def jobs_started_twice(self) -> int:
        """Jobs that were created more than once."""
        return sum(count > 1 for count in self.cloud.counts()["created"].values())


@pytest.fixture
def on_s3(run: Cli, cloud: Callable[..., ScriptedCloud]) -> Callable[..., OnS3]:
    """Starts a scripted cloud, for runs whose output is in its bucket."""
    return lambda *options: OnS3(run, cloud(*options))
