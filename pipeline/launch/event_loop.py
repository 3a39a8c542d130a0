"""The event loop of a command: the quick one, undisturbed by the collector, ended by signals."""

from __future__ import annotations

import gc
import signal
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

_GRACE_SECONDS = 1.0
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def in_event_loop(work: Coroutine[None, None, T]) -> T:
    """Do the work in an event loop of its own, the quick one."""
    try:
        import asyncio  # a command that only reads files is done before this is imported

        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    finally:
        work.close()  # Ctrl-C may have come before it began, of which Python would complain


def settle_memory() -> None:
    """Spare the garbage collector what was loaded so far: it lives as long as the command.

    Otherwise each full collection walks botocore's models, 80 ms in which nothing else happens.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def interruptible(work: Callable[[], Coroutine[None, None, None]]) -> int:
    """Do the work; the first SIGINT, SIGTERM or SIGHUP cancels it and is returned, else 0.

    What follows it changes nothing: `timeout`, shells and wrappers send a signal to the child and
    to its group. But a person who presses Ctrl-C again, after a second, ends the process at once.
    One that was ignored before (nohup) still is.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    task = loop.create_task(work())
    received: list[int] = []
    heeded = [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]

    def stop(number: int) -> None:
        received.append(number)
        for each in heeded:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_IGN)
        if signal.SIGINT in heeded:
            again = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
            loop.call_later(_GRACE_SECONDS, again)
        task.cancel()

    for number in heeded:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
    return received[0] if received else 0
