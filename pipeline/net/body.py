"""The body of an answer within bounds: of its own, and of what a process reads at once."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from pipeline.errors import AnswerTooLarge
from pipeline.net.bounds import HELD_ANSWERS, LARGEST_ANSWER, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp


class ByteBudget:
    """Bytes that several readers hold at once, `total` and what the oldest of them needs beyond.

    The oldest one never waits, so that readers who each hold a part can't wait for each other.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self.held = 0
        self._readers: dict[Reader, None] = {}  # in the order in which they began
        self._waiting: list[asyncio.Future[None]] = []

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Someone who takes bytes, and gives back all of them when the context is left."""
        reader = Reader(self)
        self._readers[reader] = None
        try:
            yield reader
        finally:
            del self._readers[reader]
            self.held -= reader.held
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                if not each.done():
                    each.set_result(None)

    async def take(self, reader: Reader, size: int) -> None:
        """Hold so many bytes more, as soon as there is room."""
        while self.held + size > self._total and reader is not next(iter(self._readers)):
            room = asyncio.get_running_loop().create_future()
            self._waiting.append(room)
            await room
        self.held += size
        reader.held += size


class Reader:
    """One of those who share a budget, and the bytes that it holds."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.held = 0

    async def take(self, size: int) -> None:
        """Hold so many bytes more, as soon as there is room."""
        await self._budget.take(self, size)


_BUDGET = ByteBudget(HELD_ANSWERS)


async def body_of(answer: aiohttp.ClientResponse, most: int = LARGEST_ANSWER) -> bytes:
    """The whole body, decompressed where the connection does so.

    It counts until this returns, which is enough for who parses it before it waits again.

    Raises:
        AnswerTooLarge: it has more than `most` bytes; no more than that is read.
    """
    # BytesIO gives its bytes away without a copy; closed, no error's traceback keeps them.
    with BytesIO() as body, _BUDGET.reader() as reader:
        async for chunk in answer.content.iter_any():
            await reader.take(len(chunk))
            body.write(chunk)
            if body.tell() > most:
                answer.close()
                raise AnswerTooLarge(
                    f"{answer.url.host}:{answer.url.port} answers with more than {most / MIB:g} "
                    "MiB, which no service does",
                    "Check the address, and the proxy in between.",
                )
        return body.getvalue()
