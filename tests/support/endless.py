"""A server whose answers have no end."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHUNK = b" " * 2**20
BOMB = gzip.compress(bytes(2**20), mtime=0) * 16
"""Sixteen megabytes of zeros in a few kilobytes, and as many more with each copy of it."""


@asynccontextmanager
async def endless(
    chunk: bytes = CHUNK, encoding: str = "identity", pause: float = 0.0
) -> AsyncIterator[str]:
    """Answers every request with `chunk` again and again, after a pause each (seconds): its URL."""
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        with suppress(OSError, EOFError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            while True:
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(pause)
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for each in answering:
            each.cancel()
        await asyncio.gather(*answering)
