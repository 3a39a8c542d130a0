"""PocketSphinx in processes of its own: as many as there are cores, begun when needed.

A process that crashes on a file is replaced; the file gets one more try in a fresh one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import pipeline
from pipeline.extras import require
from pipeline.local import messages
from pipeline.local.recogniser import Answer, MediaRefused, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.local.recogniser import MediaSettings, Speech

PROGRAM = (
    sys.executable,
    "-P",  # the folder the program was started in is no place to import from
    "-m",
    "pipeline.local.speech",
)
_TRIES = 2
_LONGEST_ANSWER = 64 * 1024 * 1024


class WorkerCrashed(Exception):
    """The process ended instead of answering."""


class Worker:
    """One recognising process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, program: Sequence[str] = PROGRAM) -> Worker:
        """Begin a process; it loads the model with its first file."""
        process = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            limit=_LONGEST_ANSWER,
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers itself
        )
        return cls(process)

    async def ask(self, task: Task) -> Answer:
        """The process's answer about one file.

        Raises:
            WorkerCrashed: it ended instead.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(msgspec.json.encode(task) + b"\n")
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        except (ConnectionError, ValueError):
            raise WorkerCrashed from None
        if not line.endswith(b"\n"):
            raise WorkerCrashed
        return msgspec.json.decode(line, type=Answer)

    async def end(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        assert self._process.stdin
        self._process.stdin.close()
        with suppress(ConnectionError):
            await self._process.stdin.wait_closed()


class PocketSphinx(AbstractAsyncContextManager["PocketSphinx"]):
    """The recogniser of the local cloud; US English, with the model its wheel carries."""

    def __init__(self, processes: int = 0, program: Sequence[str] = PROGRAM) -> None:
        """At most `processes` at once; 0 for one a core this program may use.

        Raises:
            MissingExtra: PocketSphinx is not installed.
        """
        if program is PROGRAM:  # a process of another kind needs no PocketSphinx
            require("local")
        self._program = program
        self._free = asyncio.Semaphore(processes or usable_cores())
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()

    async def __aexit__(self, *_: object) -> None:
        """End every process, busy or not."""
        await asyncio.gather(*(worker.end() for worker in list(self._all)))
        self._all.clear()
        self._idle.clear()

    async def recognise(self, path: Path, settings: MediaSettings) -> Speech:
        """Recognise the file in a free process.

        Raises:
            MediaRefused: the file is at fault, or has brought two processes down.
        """
        answer = Answer(None, messages.INTERNAL_FAILURE)
        async with self._free:
            for _ in range(_TRIES):
                with suppress(WorkerCrashed):
                    answer = await self._ask(Task(os.fsencode(path), settings))
                    break
        if answer.speech is None:
            raise MediaRefused(answer.refused)
        return answer.speech

    async def _ask(self, task: Task) -> Answer:
        worker = self._idle.pop() if self._idle else await self._start()
        try:
            answer = await worker.ask(task)
        except BaseException:
            # Crashed, or left in the middle of an answer: no one can use it again.
            self._all.discard(worker)
            await worker.end()
            raise
        self._idle.append(worker)
        return answer

    async def _start(self) -> Worker:
        worker = await Worker.start(self._program)
        self._all.add(worker)
        return worker


def usable_cores() -> int:
    """How many cores this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _environment() -> dict[str, str]:
    """This process's environment, with the place `pipeline` was imported from."""
    here = os.fspath(Path(pipeline.__path__[0]).resolve().parent)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, known)))}
