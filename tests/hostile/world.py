"""One account with recordings, one folder to work in, and the commands, all in this process.

The services are real and over the wire, in a thread of their own; `tests.support.interceptor`
stands before them. A command is the whole of `main`, with its exit code and what it printed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
import wave
from collections import Counter
from contextlib import AsyncExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pipeline.local import CloudOptions, local_cloud
from pipeline.state.schema import Status
from tests.conftest import COMMAND, Outcome, clean_environment, endpoint
from tests.support.in_process import called
from tests.support.interceptor import LABELS, OUTPUT, Interceptor
from tests.support.scripted_cloud import Scripted
from tests.support.signing import KEYS
from tests.support.small_label_studio import PROJECT, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDINGS = ("calls/a.wav", "calls/b.wav", "calls/c.wav")
SOURCE = "s3://audio/calls/"
RESULTS = ("--results", "s3://audio/t/")
FAST = {f"TRANSCRIBE_PIPELINE_{name}_RATE": "1000" for name in ("START", "GET", "LIST", "DELETE")}
SOON_TIRED = {"TRANSCRIBE_PIPELINE_RETRY_SECONDS": "0.4"}
IMPATIENT = SOON_TIRED | {"TRANSCRIBE_PIPELINE_ANSWER_SECONDS": "0.8"}
_MEASURED = (
    "import resource, subprocess, sys; "
    "code = subprocess.call(sys.argv[1:]); "
    "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
    "print(peak, end='', file=sys.stderr); sys.exit(code)"
)
"""Between this process and the command, whose figure would be this one's until it has begun."""


class World:
    """The account and the folder; `interceptor` says what is asked, and answers it."""

    def __init__(self, folder: Path, emulator: str) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.bucket = folder / "audio"
        self.folder = folder / "work"
        self.folder.mkdir(parents=True)
        for n, key in enumerate(RECORDINGS):
            self.put(key, n)
        self._emulator = emulator
        self._environment = clean_environment(AWS_EC2_METADATA_DISABLED="true", **FAST)
        self.decoy_asked = 0

    def put(self, key: str, number: int) -> None:
        """Put a recording into the bucket: of six tenths of a second, unlike the others."""
        path = self.bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes([number + 1, 0]) * 4800)

    @contextmanager
    def served(self) -> Iterator[World]:
        """The services, until the context is left."""
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        options = CloudOptions(
            bucket="audio",
            keys=(KEYS,),
            recogniser=lambda: Scripted(0.0),
            vocabulary_seconds=0.0,
        )
        async with AsyncExitStack() as stack:
            cloud = await stack.enter_async_context(local_cloud(self.bucket, options))
            self._counts = cloud.counts
            decoy = await self._listen(stack, self._decoy, "localhost")
            made = Interceptor(cloud.url, decoy, self._emulator)
            self.interceptor = await stack.enter_async_context(made)
            made.url = await self._listen(stack, made.handle, "127.0.0.1")
            labels = {"LABEL_STUDIO_URL": f"{made.url}{LABELS}", "LABEL_STUDIO_API_KEY": TOKEN}
            self._environment |= endpoint(made.url) | labels
            ready.set()
            await self._ended.wait()

    @staticmethod
    async def _listen(stack: AsyncExitStack, handle: Any, host: str) -> str:
        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.05)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://{host}:{runner.addresses[0][1]}"

    async def _decoy(self, _: web.BaseRequest) -> web.Response:
        """Where a redirect leads, and nobody is to be sent with what was meant for the service."""
        self.decoy_asked += 1
        return web.Response(status=404)

    def use(self, **environment: str) -> None:
        """Set environment variables for the commands that follow."""
        self._environment |= environment

    def run(self, *arguments: str, **environment: str) -> Outcome:
        """Run a command to its end."""
        return called(self._named(arguments), self.folder, self._environment | environment)

    def peak(self, *arguments: str, **environment: str) -> tuple[Outcome, float]:
        """Run a command to its end as a process of its own: the most memory that it took, in MB."""
        ended = subprocess.run(
            [sys.executable, "-c", _MEASURED, COMMAND, *self._named(arguments)],
            cwd=self.folder,
            env=self._environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        err, _, kib = ended.stderr.rpartition("\n")
        return Outcome(ended.returncode, ended.stdout, err), int(kib) * 1024 / 1e6

    def _named(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.format(name=self.name) for each in arguments)

    def lines(self, name: str = "tasks.jsonl") -> list[bytes]:
        """The lines of a file, none where there is no such file."""
        path = self.folder / name
        return path.read_bytes().splitlines() if path.exists() else []

    def tasks(self, name: str = "tasks.jsonl") -> Counter[str]:
        """How often each recording has a task."""
        return Counter(json.loads(each)["data"]["audio"] for each in self.lines(name))

    def sealed(self) -> Counter[str]:
        """How often each recording has a task in the parts of an output on S3."""
        parts = sorted((self.bucket / OUTPUT / "parts").rglob("*.jsonl"))
        lines = [line for part in parts for line in part.read_bytes().splitlines()]
        return Counter(json.loads(each)["data"]["audio"] for each in lines)

    def failed(self, output: str = "tasks.jsonl") -> int:
        """How many recordings the state file of an output says have failed."""
        path = self.folder / f"{output}.state"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(path)) as db:
            failed = "SELECT count(*) FROM recordings WHERE status = ?"
            count: int = db.execute(failed, (Status.FAILED,)).fetchone()[0]
        return count

    def objects(self) -> set[str]:
        """Every object of the bucket."""
        return {
            path.relative_to(self.bucket).as_posix()
            for path in self.bucket.rglob("*")
            if path.is_file()
        }

    def created(self) -> Counter[str]:
        """How often the service has created a job of each name."""
        return Counter(self._counts()["created"])

    def review(self, text: str) -> None:
        """Have the first task reviewed in Label Studio."""
        self.interceptor.labels.review(self.interceptor.labels.tasks[0], text)

    def remove(self) -> None:
        """Take the folders away."""
        shutil.rmtree(self.folder.parent, ignore_errors=True)


def project_flags() -> tuple[str, ...]:
    """The project of the small Label Studio."""
    return ("--project", str(PROJECT))
