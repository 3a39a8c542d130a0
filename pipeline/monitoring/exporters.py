"""What others watch a run by: metrics over HTTP and in a file, and a heartbeat.

All of it is read off the run in its own event loop, a few milliseconds at a time, and written by a
thread. What can't be served or written is told before anything is started; once the run goes on,
nothing that fails here stops it.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import BadSettings, OutputUnusable
from pipeline.files import replacing
from pipeline.logs import RUN_ID, event, moment
from pipeline.state.history import past_runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry

    from pipeline.config.schema import Monitoring
    from pipeline.run import Run
    from pipeline.state.reader import StateReader

    Tell = Callable[[str], None]
    Content = Callable[[], bytes]

_METRICS_SECONDS = 10.0
_HEARTBEAT_SECONDS = 5.0
_READABLE = 0o644  # node_exporter is another user; nothing in these files is private
_GRACE_SECONDS = 0.5
_SETTLED = (0, 1)
_BROKEN = 2


class Heartbeat(msgspec.Struct, frozen=True):
    """What the heartbeat file holds: counts are of recordings, but for `listed`, of objects.

    `time` is UTC; `exit_code` is null while the run goes on.
    """

    time: str
    run_id: str
    pid: int
    listed: int
    in_flight: int
    written: int
    failed: int
    exit_code: int | None


class RunStatus:
    """The life of a run: moments in seconds since the epoch.

    `last_success` is when the last run ended that settled all it listed, 0 where there was none;
    `exit_code` is None while the run goes on.
    """

    def __init__(self, run: Run, last_success: float) -> None:
        self.run = run
        self.begun = time.time()
        self.last_success = last_success
        self.exit_code: int | None = None

    def end(self, exit_code: int) -> None:
        """The run has ended."""
        self.exit_code = exit_code
        if exit_code in _SETTLED:
            self.last_success = time.time()

    def heartbeat(self) -> bytes:
        """The heartbeat at this moment, as one line of JSON."""
        figures = self.run.tracker.figures
        beat = Heartbeat(
            time=moment(datetime.now(UTC)),
            run_id=RUN_ID,
            pid=os.getpid(),
            listed=figures.listed,
            in_flight=len(self.run.tracker.waiting),
            written=figures.written,
            failed=figures.failed,
            exit_code=self.exit_code,
        )
        return msgspec.json.encode(beat) + b"\n"


def last_success(state: StateReader) -> float:
    """When the last run ended that settled all it listed, seconds since the epoch; 0 for never."""
    settled = (run.ended for run in past_runs(state) if run.exit_code in _SETTLED)
    return max(filter(None, settled), default=0.0)


@asynccontextmanager
async def watched(
    run: Run, settings: Monitoring, last_success: float, tell: Tell
) -> AsyncIterator[RunStatus]:
    """Let others watch the run while the body goes on; the body tells how it ended.

    Args:
        run: the run.
        settings: where it is watched.
        last_success: when the last run ended that settled all it listed, 0 for never.
        tell: says to people that a file can't be written any more.

    Raises:
        BadSettings: the port can't be listened at.
        OutputUnusable: a file can't be written.
    """
    watch = RunStatus(run, last_success)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        if settings.metrics_port or settings.metrics_file:
            from pipeline.monitoring.prometheus import as_text, registry_of

            registry = registry_of(watch)
            if settings.metrics_port:
                await enter(_served(registry, settings.metrics_host, settings.metrics_port))
            if settings.metrics_file:
                path, content = Path(settings.metrics_file), partial(as_text, registry)
                await enter(kept(path, content, _METRICS_SECONDS, tell))
        if settings.heartbeat_file:
            path = Path(settings.heartbeat_file)
            await enter(kept(path, watch.heartbeat, _HEARTBEAT_SECONDS, tell))
        try:
            yield watch
        finally:
            if watch.exit_code is None:
                watch.end(_BROKEN)


@asynccontextmanager
async def _served(registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[None]:
    """Answer `GET /metrics` while the body goes on."""
    from aiohttp import web
    from prometheus_client.aiohttp import make_aiohttp_handler

    application = web.Application()
    application.router.add_get("/metrics", make_aiohttp_handler(registry))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise BadSettings(
                f"metrics_port = {port}: {host}:{port} can't be listened at: "
                f"{os.strerror(error.errno or 0)}. Name another port, or --metrics-file, which "
                "each run may have of its own."
            ) from error
        event("metrics.served", host=host, port=port)
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def kept(path: Path, content: Content, seconds: float, tell: Tell) -> AsyncIterator[None]:
    """Write the file now, every so many seconds, and once more at the end."""
    await asyncio.to_thread(_write, path, content())
    ended = asyncio.Event()
    task = asyncio.create_task(_refresh(path, content, seconds, ended, tell))
    try:
        yield
    finally:
        ended.set()
        await task


async def _refresh(
    path: Path, content: Content, seconds: float, ended: asyncio.Event, tell: Tell
) -> None:
    told = last = False
    while not last:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
        last = ended.is_set()  # seen before the content is made, so that the last one is
        try:
            await asyncio.to_thread(_write, path, content())
        except OutputUnusable as error:
            if not told:
                tell(f"{error} The run goes on without it.")
            told = True


def _write(path: Path, content: bytes) -> None:
    with replacing(path, _READABLE) as file:
        file.write(content)
