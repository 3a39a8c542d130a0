"""The command line, clouds, recordings, and what stands between them, as fixtures."""

from __future__ import annotations

import gc
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from pipeline.net import proxies
from tests.support import service_models
from tests.support.fork_server import Forked
from tests.support.network import Authority
from tests.support.signing import KEYS, presigned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
RECORDINGS = ROOT / "pipeline" / "local" / "recordings"
SILENT = "calls/nobody-speaks.flac"  # of these the one that needs no model, a second of CPU
COMMAND = str(Path(sys.executable).with_name("transcribe-pipeline"))

# Folders whose every test needs what a target of the Makefile installs, and the mark of each.
APART = {
    **{name: name for name in ("airflow", "browser", "cluster", "dist", "prometheus", "tables")},
    "training": "training",
    "label_studio_server": "label_studio",
}

# The benchmarks hold processes to cores and read /proc.
collect_ignore = [] if sys.platform == "linux" else ["benchmarks"]

# Where there is room in memory, an fsync of one test does not wait for the disk of all.
MEMORY = Path("/dev/shm")  # pytest makes folders of its own in it
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# Who is started by nohup or in a script's background inherits that signals are ignored, and the
# command would respect that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

service_models.read_once()

# What is collected lives as long as the suite: looking through it again and again for garbage takes
# a third of the time that collecting takes.
gc.set_threshold(50_000, 50, 100)

# With CI set the examples are the same each time: what passes there passes again, and new examples
# are found by those who can look at them. `make test-long` tries the profile `full`.
hypothesis_settings.register_profile(
    "full",
    deadline=None,
    derandomize="CI" in os.environ,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.register_profile(
    "suite", hypothesis_settings.get_profile("full"), max_examples=20, stateful_step_count=25
)
hypothesis_settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Have programs forked for all test processes by one that is begun before them."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        Forked.share_server()


def left_out(config: pytest.Config) -> set[str]:
    """The marks that `-m` only leaves out, as the default does."""
    wanted = config.option.markexpr
    only = re.fullmatch(r"not \w+( and not \w+)*", wanted)
    return set(re.findall(r"not (\w+)", wanted)) if only else set()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Read no folder whose tests are left out: every test process would read it."""
    return APART.get(collection_path.name) in left_out(config) or None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Collector, name: str, obj: Any
) -> list[pytest.Item] | None:
    """Make no cases of a test that is left out: there are two thousand."""
    if not name.startswith("test"):
        return None
    marks = [*collector.iter_markers(), *getattr(obj, "pytestmark", ())]
    return [] if {mark.name for mark in marks} & left_out(collector.config) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test of such a folder, so that none forgets to."""
    if mark := APART.get(item.path.parent.name):
        item.add_marker(mark)


def pytest_collection_finish() -> None:
    """Look for garbage in what the tests make alone."""
    gc.collect()  # also has the collector expect as many objects, and look through them seldom
    gc.freeze()


def pytest_sessionfinish() -> None:
    """End what the programs of the tests were forked from."""
    Forked.end_server()


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anyone's AWS account or settings; its PATH finds the command."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TRANSCRIBE_PIPELINE_", "LABEL_STUDIO_"))
    }
    kept["PATH"] = f"{Path(COMMAND).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull} | more


@dataclass
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The summary that `--json` prints."""
        assert self.out, f"ended with {self.code} and no summary: {self.err}"
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def counts(self) -> dict[str, Any]:
        """The counts of a run's summary."""
        found: dict[str, Any] = self.summary["counts"]
        return found


@dataclass
class Cli:
    """The installed command, run in a folder of its own with an environment of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=clean_environment)
    here: bool = False

    def __call__(self, *arguments: str | Path, **how: Any) -> Outcome:
        """Run the command to its end; `how` as of `start`, for which it needs a process."""
        from tests.support.in_process import called

        if self.here and not how:
            return called(tuple(map(str, arguments)), self.folder, self.env)
        with self.start(*arguments, **how) as process:
            out, err = process.communicate(timeout=120)
        return Outcome(process.returncode, out, err)

    def start(
        self,
        *arguments: str | Path,
        through: str = "",
        before: tuple[str, ...] = (),
        **streams: int,
    ) -> subprocess.Popen[str]:
        """Start the command without waiting for it, if need be through a Python program.

        The program gets the words `before` as its first arguments, then the whole command.
        `streams` are stdin, stdout and stderr, where they are not this process's and two pipes.
        """
        command = [COMMAND, *map(str, arguments)]
        if through:
            command = [sys.executable, "-c", through, *before, *command]
        how: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        return Forked(command, cwd=self.folder, env=self.env, text=True, **how)

    def use(self, **environment: str) -> None:
        """Set environment variables for the commands that follow."""
        self.env |= environment

    def tasks(self, name: str = "tasks.jsonl") -> list[dict[str, Any]]:
        """The tasks written so far."""
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]

    def failures(self) -> list[dict[str, Any]]:
        """The lines of the failures file."""
        return self.tasks("tasks.failures.jsonl")

    def texts(self, name: str = "tasks.jsonl") -> dict[str, str]:
        """The text of each task by its audio."""
        return {
            task["data"]["audio"]: task["predictions"][0]["result"][0]["value"]["text"][0]
            for task in self.tasks(name)
        }


SMALL_DISK = """
import resource, sys
from pipeline.cli import main

size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
sys.argv = sys.argv[2:]
main()
"""
"""The command where no file can grow beyond so many bytes."""


@pytest.fixture
def run(tmp_path: Path) -> Cli:
    """The command line, in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Cli(folder)


@pytest.fixture
def in_this_process(run: Cli) -> None:
    """Commands that are waited for are called here, in a module where no process is the point."""
    run.here = True


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A copy of the bundled recordings."""
    folder = tmp_path / "recordings"
    shutil.copytree(RECORDINGS, folder, ignore=shutil.ignore_patterns("*.py", "*.md", "*.json"))
    return folder


@dataclass
class ScriptedCloud:
    """A local cloud in its own process; its bucket is `s3://audio/`, its content the folder."""

    folder: Path
    url: str

    def add(self, **texts: str) -> None:
        """Put recordings into the bucket: `name="what is spoken"` becomes `name.mp3`."""
        for name, text in texts.items():
            self.put(f"{name}.mp3", text)

    def put(self, key: str, text: str) -> None:
        """Put one recording at any key that a folder can hold."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")

    def counts(self) -> dict[str, Any]:
        """What the endpoint counted: calls and refusals by operation, jobs by name."""
        with urllib.request.urlopen(presigned(f"{self.url}/_local/counts")) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@pytest.fixture
def cloud(tmp_path: Path, run: Cli) -> Iterator[Callable[..., ScriptedCloud]]:
    """Starts a scripted cloud (options as of `tests.support.scripted_cloud`) for `run`."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str) -> ScriptedCloud:
        process, service = start_cloud(tmp_path / "audio", *options)
        processes.append(process)
        run.use(**endpoint(service.url))
        return service

    yield start
    for process in processes:
        end(process)


def start_cloud(folder: Path, *options: str) -> tuple[subprocess.Popen[str], ScriptedCloud]:
    """Start a scripted cloud over a folder; whoever does must `end` it."""
    folder.mkdir(exist_ok=True)
    process = Forked(
        [sys.executable, "-m", "tests.support.scripted_cloud", str(folder), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, ScriptedCloud(folder, process.stdout.readline().strip())


def endpoint(url: str) -> dict[str, str]:
    """The environment of a command that talks to the AWS services at `url`."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEYS.access_key,
        "AWS_SECRET_ACCESS_KEY": KEYS.secret_key,
    }


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a MiniStack on a free loopback port, or of `TEST_AWS_ENDPOINT_URL`."""
    if elsewhere := os.environ.get("TEST_AWS_ENDPOINT_URL"):
        yield elsewhere
        return
    with emulator(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@contextmanager
def emulator(folder: Path, **environment: str) -> Iterator[str]:
    """A MiniStack of its own on a free loopback port: its URL. `AUTH="true"` enforces policies."""
    port = free_port()
    process = subprocess.Popen(
        [ROOT / ".venv-ministack" / "bin" / "ministack"],
        cwd=folder,
        env=clean_environment(
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(port),
            MINISTACK_HOST="127.0.0.1",
            S3_DATA_DIR=str(folder / "s3"),
            TMPDIR=str(folder),
        )
        | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/_ministack/health")
        yield url
    finally:
        process.kill()  # its account is not needed any more, and it would take its time
        process.wait()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that only those trust who are told to."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy is in the environment, and none is remembered of it."""
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    proxies._proxy.cache_clear()
    yield
    proxies._proxy.cache_clear()


def free_port() -> int:
    """A port of the loopback interface where nobody listens, and that no client is given."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_for(url: str, seconds: float = 30) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"No answer at {url} after {seconds} s.")


def end(process: subprocess.Popen[Any]) -> None:
    """End a server, politely at first."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
