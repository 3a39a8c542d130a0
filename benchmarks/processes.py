"""Programs under measurement: the cloud, the command, the scripts that stand for alternatives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.figures import Figure
from tests.conftest import ROOT, clean_environment, end, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RESULTS = ("--results", "s3://audio/transcripts/", "--quiet", "--json")
CORES = sorted(os.sched_getaffinity(0))
"""What this machine lets us use; the client is held to the first, the cloud to the last."""


class Ran(NamedTuple):
    """What a watched command did: its summary, and the facts of its process.

    `cpu` and the longest blocks of the event loop are seconds, `peak` is bytes. What needs no event
    loop blocks none.
    """

    summary: dict[str, Any]
    cpu: float
    peak: int
    block: float = 0.0
    block_waiting_too: float = 0.0

    def longest_block(self, meanwhile: str) -> Figure:
        """How long the event loop was blocked at most."""
        more = f"{1000 * self.block_waiting_too:.0f} ms with waiting for a core"
        what = f"event loop never blocked longer than ({meanwhile})"
        return Figure(what, 1000 * self.block, "ms", 50, more=more)


@dataclass
class Place:
    """A folder with a cloud to work against."""

    folder: Path
    url: str

    def counts(self) -> dict[str, Any]:
        """What the cloud counted; `cpu` is the seconds it has worked."""
        with urllib.request.urlopen(f"{self.url}/_local/counts") as answer:  # noqa: S310 # ours
            found: dict[str, Any] = json.load(answer)
            return found

    def start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a module of this package on the client's core."""
        process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            cwd=self.folder,
            env=_environment(self.url),
            stdout=subprocess.PIPE,
            text=True,
        )
        os.sched_setaffinity(process.pid, CORES[:1])
        return process

    def printed(self, module: str, *arguments: str) -> Any:
        """What a module of this package prints as JSON."""
        out, _ = self.start(module, *arguments).communicate()
        return json.loads(out)

    def begin(self, *options: str) -> subprocess.Popen[str]:
        """Start a watched run over the whole bucket, without waiting for it."""
        return self.start("watched", "facts.json", "run", "s3://audio/", *_RESULTS, *options)

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for a run that was begun."""
        out, _ = process.communicate()
        facts = json.loads((self.folder / "facts.json").read_bytes())
        return Ran(json.loads(out), **facts)

    def watch(self, *command: str) -> Ran:
        """A watched command of another kind."""
        return self.finish(self.start("watched", "facts.json", *command, "--quiet", "--json"))

    def run(self, *options: str) -> Ran:
        """A watched run over the whole bucket."""
        return self.finish(self.begin(*options))


@contextmanager
def cloud(folder: Path, *options: str) -> Iterator[Place]:
    """A cloud on a core of its own; options as of cloud.py. The clients work in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cloud", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(process.pid, CORES[-1:])
    assert process.stdout is not None
    try:
        yield Place(folder, process.stdout.readline().strip())
    finally:
        end(process)


def _environment(url: str) -> dict[str, str]:
    region = {"AWS_DEFAULT_REGION": "us-east-1"}  # the name that boto3 itself knows
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return clean_environment(PYTHONPATH=path, **endpoint(url), **region)
