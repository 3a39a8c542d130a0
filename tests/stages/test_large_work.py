"""Work on large transcripts, beside the event loop."""

from __future__ import annotations

import asyncio
import threading

from pipeline.stages.large_work import LargeWork


async def test_large_work_holds_up_nobody_and_is_done_one_piece_at_a_time():
    """The loop goes on while the first piece waits for it, and the second for the first."""
    go = threading.Event()
    order: list[str] = []
    work = LargeWork()

    def first():
        order.append("first" if go.wait(timeout=5) else "nobody")
        return "first"

    def second():
        order.append("second")
        return "second"

    both = asyncio.gather(work.do(first, large=True), work.do(second, large=True))
    await asyncio.sleep(0.01)
    order.append("the loop")
    go.set()

    assert list(await both) == ["first", "second"]
    assert order == ["the loop", "first", "second"]


async def test_small_work_is_done_at_once():
    """A thread would cost more than it."""
    here = await LargeWork().do(threading.get_ident, large=False)

    assert here == threading.get_ident()
