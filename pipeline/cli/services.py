"""What a command works with: AWS or the local endpoint, and the signals that stop it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.naming import S3Uri
    from pipeline.net.wait_times import WaitTimes
    from pipeline.recordings.source import Source


@asynccontextmanager
async def services(
    config: Config, place: S3Uri | Path, waiting: WaitTimes
) -> AsyncIterator[tuple[Config, Source, Session, S3]]:
    """AWS for a bucket, or the local endpoint for a folder; the same client for both."""
    from pipeline.aws.s3 import open_s3
    from pipeline.aws.session import connect
    from pipeline.recordings.source import FolderSource, S3Source

    connections = config.limits.workers + config.limits.collectors
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        keys = None
        if isinstance(place, Path):
            from pipeline.local import local_cloud

            _leave_the_account_alone()
            cloud = await enter(local_cloud(place))
            config, keys = _for_folder(config, cloud.url, cloud.region), ("local", "local")
        session = await enter(connect(config.aws, connections, keys))
        s3 = await enter(open_s3(session, config.limits, waiting))
        source: Source = (
            FolderSource(place, cloud.bucket) if isinstance(place, Path) else S3Source(place, s3)
        )
        settle_memory()
        yield config, source, session, s3


def settle_memory() -> None:
    """Spare the garbage collector what was loaded so far: it lives as long as the command.

    Otherwise each full collection walks botocore's models, 80 ms in which nothing else happens.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _leave_the_account_alone() -> None:
    """A folder needs no account: no profile or proxy of this machine gets in its way."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(name, None)
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"


def _for_folder(config: Config, url: str, region: str) -> Config:
    """The settings with the local endpoint in AWS's place, and predictions named after it."""
    replace = msgspec.structs.replace
    model = config.tasks.model_version or f"pocketsphinx/{config.transcribe.language}"
    return replace(
        config,
        aws=replace(config.aws, endpoint_url=url, region=region, profile=""),
        tasks=replace(config.tasks, model_version=model),
    )


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def interruptible(work: Callable[[], Coroutine[None, None, None]]) -> int:
    """Do the work; the first SIGINT, SIGTERM or SIGHUP cancels it and is returned, else 0.

    A second signal has its ordinary effect, and one that was ignored before (nohup) still is.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work())
    received: list[int] = []
    heeded = [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]

    def stop(number: int) -> None:
        received.append(number)
        for each in heeded:
            loop.remove_signal_handler(each)
        task.cancel()

    for number in heeded:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received else 0
