"""The brakes as asyncio sees them, and the one retry layer.

Two kinds of brakes are kept apart because they have different signals: the pace of each operation,
and the slots for jobs in flight. `WaitTimes` measures how long each of them held the run back.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import tenacity
from tenacity.stop import stop_base

from pipeline.errors import (
    Deferred,
    Expired,
    NoFreeSlot,
    PipelineError,
    ServiceUnreachable,
    Throttled,
    Unavailable,
)
from pipeline.net.rate_limit import ConcurrencyLimit, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")

_TRIES = 8
_FIRST_TRIES = 5  # an endpoint that never answered is more likely wrong than ill
_SECONDS = 600.0
_NEVER = float("-inf")
_LONGEST_WAIT = 30.0


class WaitTimes:
    """Seconds during which at least one task waited, by brake."""

    def __init__(self) -> None:
        self._waiters: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._total: dict[str, float] = {}

    @contextmanager
    def on(self, brake: str) -> Iterator[None]:
        """Count the time inside as time in which `brake` held something back."""
        now = asyncio.get_running_loop().time
        if not self._waiters.get(brake):
            self._since[brake] = now()
        self._waiters[brake] = self._waiters.get(brake, 0) + 1
        try:
            yield
        finally:
            self._waiters[brake] -= 1
            if not self._waiters[brake]:
                self._total[brake] = self._total.get(brake, 0.0) + now() - self._since[brake]

    def seconds(self) -> dict[str, float]:
        """The totals so far, those still waiting included."""
        now = asyncio.get_running_loop().time()
        still = {brake: now - self._since[brake] for brake, n in self._waiters.items() if n}
        return {
            brake: self._total.get(brake, 0.0) + still.get(brake, 0.0) for brake in self._waiters
        }


class RateLimitedCall:
    """One operation of a service: its own pace, its own retries, its own count of calls.

    `renew` takes up newer credentials when the service says that a token has expired; it is told
    when the call was signed (seconds, monotonic). With a `gate` each call holds a slot, which the
    job keeps when the call was accepted. A slot is taken when the call's turn has come, one call at
    a time: after a refusal the calls that wait have no slot of the same wrong belief.
    """

    def __init__(
        self,
        name: str,
        rate: float,
        waiting: WaitTimes,
        renew: Callable[[float], Awaitable[None]] | None = None,
        gate: SlotGate | None = None,
    ) -> None:
        self.name = name
        self._renew = renew
        self._gate = gate
        self.calls = 0
        self.refused = 0
        self._answered_at = _NEVER
        self._pace = RateLimiter(rate)
        self._waiting = waiting
        self._queue = asyncio.Lock()

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make the call at its pace, again after a throttle or a fault, with full jitter.

        It is given up after 10 minutes, or after 8 calls without a usable answer (5 when there
        never was one; a throttled call does not count).

        Raises:
            Deferred: given up, while other calls of this operation were answered.
            ServiceUnreachable: given up, and so was every other one.
        """
        begun = asyncio.get_running_loop().time()
        patience = _Patience(_FIRST_TRIES if self._answered_at == _NEVER else _TRIES)
        try:
            return await self._once(attempt, patience)  # most need no more: retrying costs 25 µs
        except (Throttled, Unavailable) as error:
            failures = [error]

        async def following() -> T:
            if failures:
                raise failures.pop()  # the first try counts, and is waited for
            return await self._once(attempt, patience)

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type((Throttled, Unavailable)),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT),
            stop=patience,
            reraise=True,
        )
        try:
            return await retrying(following)
        except (Throttled, Unavailable) as error:
            if self._answered_at > begun:
                raise Deferred(error.problem, action=error.action, message=error.message) from error
            raise ServiceUnreachable(
                f"{error.sentence} That was so {patience.tries} times",
                "Run the same command again later, it goes on where it stopped.",
                action=error.action,
                message=error.message,
            ) from error

    async def _once(self, attempt: Callable[[], Awaitable[T]], patience: _Patience) -> T:
        await self._turn(patience)
        if self._gate is None:
            return await self._answer(attempt)
        with self._gate.slot():
            return await self._answer(attempt)

    async def _answer(self, attempt: Callable[[], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        self.calls += 1
        signed = time.monotonic()
        try:
            answer = await attempt()
        except Throttled:
            self.refused += 1
            self._pace.throttled(clock())
            raise
        except Expired as error:
            if self._renew is None:
                raise
            await self._renew(signed)
            raise Unavailable(str(error)) from error
        except Unavailable:
            raise
        except PipelineError:
            self._pace.accepted(clock())  # a refusal is an answer too, and came not too soon
            self._answered_at = clock()
            raise
        self._pace.accepted(clock())
        self._answered_at = clock()
        return answer

    async def _turn(self, patience: _Patience) -> None:
        """Wait for this call's turn; one at a time, so that a slower pace holds for the next."""
        clock = asyncio.get_running_loop().time
        async with self._queue:
            if delay := self._pace.delay(clock()):
                full = self._gate is not None and self._gate.slots.full(clock())
                # Where no slot is free a quicker pace would buy nothing.
                with self._waiting.on("slots" if full else self.name):
                    await asyncio.sleep(delay)
            if self._gate is not None:
                asked = clock()
                await self._gate.take()
                patience.held_back += clock() - asked
            self._pace.take(clock())


class _Patience(stop_base):
    """When one call is given up: after so many failures, or after ten minutes.

    A throttled call is no failure, and waiting for a slot takes none of the time.
    """

    def __init__(self, failures: int) -> None:
        self._left = failures
        self.tries = 0
        self.held_back = 0.0

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        self.tries += 1
        self._left -= not isinstance(error, Throttled)
        seconds = (retry_state.seconds_since_start or 0.0) - self.held_back
        return self._left <= 0 or seconds > _SECONDS


class SlotGate:
    """The slots for jobs in flight; `take` waits until one is free, `slot` follows it."""

    def __init__(self, ceiling: int, waiting: WaitTimes) -> None:
        self.slots = ConcurrencyLimit(ceiling)
        self.refused_starts = 0
        self._waiting = waiting
        self._freed = asyncio.Event()

    async def take(self) -> None:
        """Hold a slot, after waiting for one if need be."""
        clock = asyncio.get_running_loop().time
        while not self.slots.take(clock()):
            self._freed.clear()
            with self._waiting.on("slots"):
                await _wait(self._freed, self.slots.patience(clock()))

    def adopt(self) -> None:
        """Count a job that already runs."""
        self.slots.take_anyway()

    def looked(self, begun: float, ended: int, *, uncollected: int) -> None:
        """A look at the jobs, begun then by the loop's clock, has shown that so many have ended.

        `uncollected` are all that looks have shown to have ended and that still hold their slots.
        """
        self.slots.looked(begun, ended, uncollected)
        self._freed.set()

    def told(self) -> None:
        """Events tell when jobs end: how many have ended unseen is guessed no longer."""
        self.slots.told()

    def give_back(self) -> None:
        """A job has ended."""
        self.slots.ended()
        self._freed.set()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """What becomes of a slot that was taken: the job keeps it unless its start fails."""
        try:
            yield
        except NoFreeSlot:
            self.refused_starts += 1
            self.slots.refused(asyncio.get_running_loop().time())
            self._freed.set()  # who waits has another time to wait now
            raise
        except BaseException:
            self.slots.not_started()
            self._freed.set()
            raise
        self.slots.accepted()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds if seconds < float("inf") else None):
            await event.wait()
    except TimeoutError:
        pass
