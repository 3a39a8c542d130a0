"""How others watch a run: metrics over HTTP and in a file, and a heartbeat file.

Snapshots are taken in the run's own event loop, and files are written by a thread. What can't be
served or written is an error before anything is started; once the run goes on, nothing that fails
here stops it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import BadSettings, OutputUnusable
from pipeline.files import replacing
from pipeline.logs import event
from pipeline.monitoring.heartbeat import HEARTBEAT_BEGINS, heartbeat
from pipeline.monitoring.snapshot import SETTLED, RunStatus
from pipeline.net.hosts import is_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry

    from pipeline.config.schema import Monitoring
    from pipeline.monitoring.snapshot import Take
    from pipeline.state.reader import StateReader

    Warn = Callable[[str], None]

_METRICS_SECONDS = 10.0
_HEARTBEAT_SECONDS = 5.0
_READABLE = 0o644  # node_exporter is another user; nothing in these files is private
_GRACE_SECONDS = 0.5
_BROKEN = 2


def last_success(state: StateReader) -> float:
    """When the last run ended that settled all it listed, seconds since the epoch; 0 for never."""
    settled = (run.ended for run in state.history.past_runs() if run.exit_code in SETTLED)
    return max(filter(None, settled), default=0.0)


@asynccontextmanager
async def exported(
    take: Take, settings: Monitoring, last_success: float, warn: Warn
) -> AsyncIterator[RunStatus]:
    """Export the run while the body goes on; the body says how it ended.

    `last_success` is as of the function of that name; `warn` says that a file can't be written any
    more.

    Raises:
        BadSettings: the port can't be listened at.
        OutputUnusable: a file can't be written.
    """
    status = RunStatus(take, last_success)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        if settings.metrics_port or settings.metrics_file:
            from pipeline.monitoring.prometheus import METRICS_BEGIN, as_text, registry_of

            registry = registry_of(status)
            if settings.metrics_port:
                await enter(_served(registry, settings.metrics_host, settings.metrics_port))
            if settings.metrics_file:
                path, content = Path(settings.metrics_file), partial(as_text, registry)
                metrics = ExportedFile(path, METRICS_BEGIN, content)
                await enter(refreshed(metrics, _METRICS_SECONDS, warn))
        if settings.heartbeat_file:
            path, content = Path(settings.heartbeat_file), partial(heartbeat, status)
            beats = ExportedFile(path, HEARTBEAT_BEGINS, content)
            await enter(refreshed(beats, _HEARTBEAT_SECONDS, warn))
        try:
            yield status
        finally:
            if status.exit_code is None:
                status.end(_BROKEN)


@asynccontextmanager
async def _served(registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[None]:
    """Answer `GET /metrics` while the body goes on."""
    from aiohttp import web
    from prometheus_client.aiohttp import make_aiohttp_handler

    @web.middleware
    async def under_own_name(request: web.Request, handler: Any) -> web.StreamResponse:
        """Refuse a web page that reaches the port under a name of its own."""
        if not is_own(request.host, host):
            raise web.HTTPForbidden
        answer: web.StreamResponse = await handler(request)
        return answer

    application = web.Application(middlewares=[under_own_name])
    application.router.add_get("/metrics", make_aiohttp_handler(registry))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise BadSettings(
                f"metrics_port = {port}: {host}:{port} can't be listened at: "
                f"{os.strerror(error.errno or 0)}",
                "Name another port, or --metrics-file, which each run may have of its own.",
            ) from error
        event("metrics.served", host=host, port=port)
        yield
    finally:
        await runner.cleanup()


class ExportedFile(NamedTuple):
    """A file that is written again and again: where, how each begins, and what makes its content.

    The content is made in the event loop, and written by a thread.
    """

    path: Path
    begins: bytes
    content: Callable[[], bytes]

    async def write(self) -> None:
        """Write it once.

        Raises:
            OutputUnusable: it can't be written, or something else is there.
        """
        await asyncio.to_thread(self._write, self.content())

    def _write(self, content: bytes) -> None:
        with replacing(self.path, self.begins, _READABLE) as file:
            file.write(content)


@asynccontextmanager
async def refreshed(exported: ExportedFile, seconds: float, warn: Warn) -> AsyncIterator[None]:
    """Write the file now, every so many seconds, and once more at the end."""
    await exported.write()
    ended = asyncio.Event()
    task = asyncio.create_task(_refresh(exported, seconds, ended, warn))
    try:
        yield
    finally:
        ended.set()
        await task


async def _refresh(
    exported: ExportedFile, seconds: float, ended: asyncio.Event, warn: Warn
) -> None:
    warned = last = False
    while not last:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended.wait()
        last = ended.is_set()  # seen before the content is made, so that the last one is
        try:
            await exported.write()
        except OutputUnusable as error:
            if not warned:
                warn(f"{error} The run goes on without it.")
            warned = True
