"""No answer is read without end, and all of them together hold a bounded part of the memory."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from pipeline.errors import AnswerTooLarge, Unavailable
from pipeline.net.body import ByteBudget
from pipeline.net.http import open_http, request
from tests.support.endless import BOMB, CHUNK, endless

MB = 10**6


@pytest.mark.parametrize(
    ("chunk", "encoding"), [(CHUNK, "identity"), (BOMB, "gzip")], ids=["plain", "packed"]
)
async def test_answers_without_end_are_refused_within_the_memory_of_two(chunk, encoding):
    """Five at once end with an error that names the server, and hold under 200 MB together."""
    tracemalloc.start()
    try:
        async with endless(chunk, encoding) as url, open_http(5) as http:
            asked = (request(http, f"{url}/key?X-Amz-Signature=1") for _ in range(5))
            found = await asyncio.gather(*asked, return_exceptions=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert [type(each) for each in found] == [AnswerTooLarge] * 5
    assert "127.0.0.1" in str(found[0])
    assert "Signature" not in str(found[0])
    assert peak < 200 * MB


async def test_readers_who_each_hold_a_part_never_wait_for_each_other():
    """Where the budget is spent the oldest goes on, and the others when it is done."""
    budget, done = ByteBudget(10), []

    async def read(name: int) -> None:
        with budget.reader() as reader:
            for _ in range(5):
                await reader.take(4)
                await asyncio.sleep(0)
            assert budget.held <= 10 + 5 * 4
        done.append(name)

    await asyncio.gather(*map(read, range(4)))

    assert done[0] == 0
    assert sorted(done) == [0, 1, 2, 3]
    assert budget.held == 0


async def test_who_gives_up_gives_back_what_it_held():
    """A reader that is cancelled leaves room for the others."""
    budget = ByteBudget(10)
    with budget.reader() as first:
        await first.take(10)
        with budget.reader() as second, pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await second.take(1)

    assert budget.held == 0
    with budget.reader() as third:
        await third.take(10)
        assert budget.held == 10


async def test_an_answer_that_drips_has_its_time_as_a_whole():
    """A byte now and then keeps no call waiting for ever."""
    async with endless(b" ", pause=0.01) as url, open_http(1, answer_seconds=0.2) as http:
        with pytest.raises(Unavailable, match="took too long"):
            await request(http, url)
