"""AWS for a bucket, or the local endpoint for a folder.

Heavy libraries are imported where they are used, so that a command that needs none is quick.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.launch.event_loop import settle_memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.naming import S3Uri
    from pipeline.net.wait_times import WaitTimes
    from pipeline.recordings.source import Source
    from pipeline.vocabulary.service import Vocabularies


@asynccontextmanager
async def services(
    config: Config, place: S3Uri | Path, waiting: WaitTimes
) -> AsyncIterator[tuple[Config, Source, Session, S3]]:
    """AWS for a bucket, or the local endpoint for a folder; the same client for both."""
    from pipeline.aws.s3 import open_s3
    from pipeline.aws.session import connect
    from pipeline.recordings.bucket import S3Source
    from pipeline.recordings.folder import FolderSource

    connections = config.limits.workers + config.limits.collectors
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        keys = None
        if isinstance(place, Path):
            from pipeline.local import CloudOptions, local_cloud

            _leave_the_account_alone()
            cloud = await enter(local_cloud(place, CloudOptions(writable=False)))
            config, keys = _for_folder(config, cloud.url, cloud.region), cloud.keys
        session = await enter(connect(config.aws, connections, keys, config.limits))
        s3 = await enter(open_s3(session, config.limits, waiting))
        source: Source = (
            FolderSource(place, cloud.bucket) if isinstance(place, Path) else S3Source(place, s3)
        )
        settle_memory()
        yield config, source, session, s3


@asynccontextmanager
async def vocabularies(config: Config, place: S3Uri) -> AsyncIterator[Vocabularies]:
    """The custom vocabularies of the account; their tables lie in the bucket of `place`."""
    from pipeline.net.wait_times import WaitTimes
    from pipeline.vocabulary.service import Vocabularies

    waiting = WaitTimes()
    async with services(config, place, waiting) as (_, _, session, s3):
        yield Vocabularies(session, s3, waiting)


def _leave_the_account_alone() -> None:
    """A folder needs no account: no profile, proxy or authority of this machine is in its way."""
    profiles, bundles = (
        ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    )
    for name in (*profiles, *bundles):
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
