"""Opens and closes a local cloud: the socket, the recogniser, the endpoint."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from pipeline.local.account import Account
from pipeline.local.bucket import Bucket, bucket_name
from pipeline.local.endpoint import Endpoint
from pipeline.local.job_operations import JobOperations
from pipeline.local.options import Cloud, CloudOptions
from pipeline.local.pocketsphinx_pool import PocketSphinx
from pipeline.local.runner import Runner
from pipeline.local.s3_wire import S3Wire
from pipeline.local.signatures import REGION
from pipeline.local.store import open_store
from pipeline.local.transcribe_wire import TranscribeWire
from pipeline.local.vocabulary_operations import VocabularyOperations
from pipeline.net.hosts import reachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def open_cloud(folder: Path, options: CloudOptions) -> AsyncIterator[Cloud]:
    """A local cloud over `folder`, until the context is left.

    Raises:
        OSError: the folder can't be read, or the port is taken.
    """
    bucket = Bucket(options.bucket or bucket_name(folder), folder)
    recogniser = options.recogniser() if options.recogniser else PocketSphinx(options.processes)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.create_server((options.host, options.port), family=family) as listener:
        url = f"http://{reachable(options.host)}:{listener.getsockname()[1]}"
        with open_store() as store:
            account = Account(options, bucket, store, url)
            async with recogniser:
                runner = Runner(account, recogniser)
                async with _serving(listener, _endpoint(account, runner)):
                    try:
                        yield Cloud(
                            url, bucket.name, REGION, options.keys[0], account.counts.as_dict
                        )
                    finally:
                        await runner.close()


def _endpoint(account: Account, runner: Runner) -> Endpoint:
    jobs, vocabularies = JobOperations(account, runner), VocabularyOperations(account)
    return Endpoint(account, TranscribeWire(account, jobs, vocabularies), S3Wire(account))


@asynccontextmanager
async def _serving(listener: socket.socket, endpoint: Endpoint) -> AsyncIterator[None]:
    server = web.Server(endpoint.handle, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
