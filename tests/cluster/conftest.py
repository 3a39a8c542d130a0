"""A Ray cluster of three nodes, each with a loopback address of its own, and runs on it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import clean_environment, endpoint, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cli, ScriptedCloud

RAY = Path(sys.executable).with_name("ray")
SHARD = "ray::run_shard"
PIECE = "ray::do_piece"
RAYLET = "raylet"

# A node that does not answer counts as dead after nine seconds and not after half a minute.
QUICK = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}


@dataclass
class Node:
    """One machine of the cluster: all processes of one session."""

    process: subprocess.Popen[bytes]
    log: Path

    def processes(self, title: str = "") -> list[int]:
        """What runs on it, or of that what is called so."""
        return [pid for pid, name in _session(self.process.pid) if title in name]

    def signal(self, number: int) -> None:
        """Send a signal to everything on it."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Take the power away."""
        while self.processes():
            self.signal(signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()

    @property
    def lives(self) -> bool:
        """Whether anything runs on it that takes shards."""
        return self.process.poll() is None and bool(self.processes(RAYLET))

    def wait_until_up(self) -> None:
        """Wait until it is part of the cluster."""
        deadline = time.monotonic() + 60
        while b"Ray runtime started" not in self.log.read_bytes():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


def _session(leader: int) -> Iterator[tuple[int, str]]:
    """The processes of a session that live, and their titles."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            state, _, _, session = (each / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                yield int(each.name), (each / "cmdline").read_bytes().decode(errors="replace")


@dataclass
class RayCluster:
    """Nodes below a folder of their own, that ask for a token; the first one is the head."""

    folder: Path
    environment: dict[str, str]
    port: int = 0
    nodes: list[Node] = field(default_factory=list)
    _started: int = 0

    @property
    def address(self) -> str:
        """Where the head listens."""
        return f"127.0.0.2:{self.port}"

    @property
    def aws_config(self) -> Path:
        """The file of AWS profiles that all nodes read."""
        return self.folder / "aws.ini"

    def restore(self) -> None:
        """Have three nodes, whatever befell those of the test before."""
        if not (self.nodes and self.nodes[0].lives):
            self.kill()
            self.port = free_port()
            temp = ("--temp-dir", str(self.folder / "r"), "--include-dashboard", "false")
            self._start("127.0.0.2", "--head", "--port", str(self.port), *temp)
        for each in [each for each in self.nodes if not each.lives]:
            each.kill()
            self.nodes.remove(each)
        while len(self.nodes) < 3:
            self._start(f"127.0.0.{self._started + 2}", "--address", self.address)

    def _start(self, address: str, *options: str) -> None:
        """Start a node, with an address and a CPU of its own."""
        self._started += 1
        log = self.folder / f"node-{self._started}.log"
        own = ("--node-ip-address", address, "--num-cpus", "1", "--object-store-memory", "80000000")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [RAY, "start", "--block", "--disable-usage-stats", *own, *options],
                env=self.environment | {"TMPDIR": str(self.folder / "tmp")},
                cwd=self.folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.nodes.append(Node(process, log))
        self.nodes[-1].wait_until_up()

    def kill(self) -> None:
        """Leave no process of it."""
        while self.nodes:
            self.nodes.pop().kill()


@dataclass
class OnRay:
    """Runs over `s3://audio/calls/` whose shards run on the cluster."""

    run: Cli
    cloud: ScriptedCloud
    cluster: RayCluster

    def add(self, count: int, seconds: int) -> Counter[str]:
        """Put so many recordings into the bucket, whose jobs take up to so many seconds.

        One task is wanted of each.
        """
        for number in range(count):
            self.cloud.put(f"calls/{number}.mp3", f"@{number % seconds} number {number}")
        return Counter(f"s3://audio/calls/{number}.mp3" for number in range(count))

    def command(self, *flags: str) -> tuple[str, ...]:
        """The command of such a run."""
        places = ("--results", "s3://audio/results/", "--output", "s3://audio/tasks/")
        engine = ("--engine", "ray", "--ray-address", self.cluster.address, "--shards", "6")
        account = ("--endpoint-url", self.cloud.url)
        return ("run", "s3://audio/calls/", *places, *engine, *account, "--json", *flags)

    def wait_for(self, process: subprocess.Popen[str], tasks: int) -> list[int]:
        """Wait until so many tasks are sealed; how many shards run on each node then."""
        self.wait_until(process, lambda: self.lines().total() >= tasks)
        return self.shards()

    def wait_until(self, process: subprocess.Popen[str], met: Callable[[], object]) -> None:
        """Wait until it is so, which must be while the command runs."""
        deadline = time.monotonic() + 60
        while not met():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, (self.lines().total(), self.shards())
            time.sleep(0.05)

    def shards(self) -> list[int]:
        """How many shards run on each node."""
        return [len(each.processes(SHARD)) for each in self.cluster.nodes]

    def pieces(self) -> list[int]:
        """The processes that do a piece of a command's work."""
        return [pid for node in self.cluster.nodes for pid in node.processes(PIECE)]

    def processes_of(self, number: int) -> list[int]:
        """The processes that run this shard, told by the files in their folders."""
        named = f"*.s{number:04}-of-*"
        pids = [pid for node in self.cluster.nodes for pid in node.processes(SHARD)]
        return [pid for pid in pids if any(Path(f"/proc/{pid}/cwd").glob(named))]

    def lines(self) -> Counter[str]:
        """How many lines all parts have of each recording."""
        parts = (self.cloud.folder / "tasks" / "parts").rglob("*.jsonl")
        tasks = [json.loads(line) for each in parts for line in each.read_bytes().splitlines()]
        return Counter(task["data"]["audio"] for task in tasks)

    def started_twice(self) -> int:
        """Jobs that were created more than once."""
        return sum(count > 1 for count in self.cloud.counts()["created"].values())


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    """The cluster of all tests, as a node takes seconds of CPU to start."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # Unix sockets have short paths
    (folder / "tmp").mkdir()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    keys = endpoint("")
    del keys["AWS_ENDPOINT_URL"]  # it comes with the settings of each run
    cluster = RayCluster(folder, clean_environment(**keys, **token, **QUICK))
    cluster.environment["AWS_CONFIG_FILE"] = str(cluster.aws_config)
    try:
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(folder)


@pytest.fixture
def on_ray(
    run: Cli, cloud: Callable[..., ScriptedCloud], ray_cluster: RayCluster
) -> Callable[..., OnRay]:
    """Starts a scripted cloud, for runs whose shards are on the cluster."""

    def start(*options: str) -> OnRay:
        scripted = cloud(*options)
        ray_cluster.restore()
        del run.env["AWS_ENDPOINT_URL"]
        token = {"RAY_AUTH_TOKEN": ray_cluster.environment["RAY_AUTH_TOKEN"]}
        run.use(**token, TRANSCRIBE_PIPELINE_SEAL_SECONDS="0.5")
        return OnRay(run, scripted, ray_cluster)

    return start
