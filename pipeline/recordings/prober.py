"""Probe recordings, several at once, without the event loop waiting for a demuxer.

Each probe is a thread that asks the loop for the parts of the file that the container's reader
wants; as many are under way as there are threads.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from pipeline.errors import Denied
from pipeline.failures import GONE, MEDIA_NOT_ACCESSIBLE
from pipeline.recordings.probe import AudioInfo, Unreadable, read_audio
from pipeline.recordings.range_reader import RangeReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.model import Recording
    from pipeline.recordings.source import Source


class MediaProber:
    """Probes the recordings of a source."""

    def __init__(self, source: Source, at_once: int) -> None:
        self._source = source
        self._pool = ThreadPoolExecutor(at_once, "probe")
        self._fetching: set[Future[bytes]] = set()
        self._closed = False

    async def probe(self, recording: Recording) -> AudioInfo:
        """What the recording's container says of it.

        Raises:
            Unreadable: it is no media, or can't be read.
            Deferred: the service gave no usable answer for too long.
            CannotRun: no call can succeed.
        """
        loop = asyncio.get_running_loop()
        fetch = partial(self._fetch, loop, recording.key)
        file = RangeReader(recording.size, fetch)
        return await loop.run_in_executor(self._pool, read_audio, file)

    def _fetch(self, loop: asyncio.AbstractEventLoop, key: str, first: int, last: int) -> bytes:
        """A part of a recording, for the thread that waits for it."""
        if self._closed:
            raise InterruptedError
        fetching = asyncio.run_coroutine_threadsafe(self._part(key, first, last), loop)
        self._fetching.add(fetching)
        try:
            return fetching.result()
        finally:
            self._fetching.discard(fetching)

    async def _part(self, key: str, first: int, last: int) -> bytes:
        try:
            part = await self._source.read_part(key, first, last)
        except Denied as error:
            raise Unreadable(MEDIA_NOT_ACCESSIBLE) from error
        if part is None:
            raise Unreadable(GONE)
        return part

    async def close(self) -> None:
        """End the threads: what they wait for is cancelled."""
        self._closed = True
        for each in list(self._fetching):
            each.cancel()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


@asynccontextmanager
async def open_prober(source: Source, at_once: int) -> AsyncIterator[MediaProber]:
    """Probe recordings of a source, `at_once` at the same time."""
    prober = MediaProber(source, at_once)
    try:
        yield prober
    finally:
        await prober.close()
