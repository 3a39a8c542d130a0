"""The body of an answer within bounds: of its own, and of what a process reads at once."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Self

from pipeline.errors import AnswerTooLarge
from pipeline.net.bounds import HELD_ANSWERS, LARGEST_ANSWER, MIB

if TYPE_CHECKING:
    import aiohttp


class ByteBudget:
    """Bytes that several readers hold at once, `total` and what the oldest of them needs beyond.

    The oldest one never waits, so that readers who each hold a part can't wait for each other.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.held = 0
        self.readers: dict[Reader, None] = {}  # in the order in which they began
        self.waiting: list[asyncio.Future[None]] = []

    def reader(self) -> Reader:
        """Someone who takes bytes, and gives back all of them when the context is left."""
        return Reader(self)


class Reader:
    """One of those who share a budget, and the bytes that it holds inside its context.

    A class and no generator: every answer has one.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> Self:
        """Stand behind those who read already."""
        self._budget.readers[self] = None
        return self

    def __exit__(self, *_: object) -> None:
        """Give back all bytes, and wake who waits for room."""
        budget = self._budget
        del budget.readers[self]
        budget.held -= self._held
        waiting, budget.waiting = budget.waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def take(self, size: int) -> None:
        """Hold so many bytes more, as soon as there is room."""
        budget = self._budget
        while budget.held + size > budget.total and self is not next(iter(budget.readers)):
            room = asyncio.get_running_loop().create_future()
            budget.waiting.append(room)
            await room
        budget.held += size
        self._held += size


_BUDGET = ByteBudget(HELD_ANSWERS)


async def body_of(answer: aiohttp.ClientResponse, most: int = LARGEST_ANSWER) -> bytes:
    """The whole body, decompressed where the connection does so.

    It counts until this returns, which is enough for who parses it before it waits again.

    Raises:
        AnswerTooLarge: it has more than `most` bytes; no more than that is read.
    """
    # BytesIO gives its bytes away without a copy; closed, no error's traceback keeps them.
    with BytesIO() as body, _BUDGET.reader() as reader:
        while not answer.content.at_eof():
            chunk = await answer.content.readany()
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
