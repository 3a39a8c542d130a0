"""A call that keeps to a rate and is made again after a throttle or fault: the one retry layer."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import tenacity

from pipeline.errors import (
    Deferred,
    Expired,
    PipelineError,
    ServiceUnreachable,
    Throttled,
    Unavailable,
)
from pipeline.net.rate_limit import RateLimiter
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

T = TypeVar("T")

_TRIES = 8
_FIRST_TRIES = 5  # an endpoint that never answered is more likely wrong than ill
_SECONDS = 600.0  # the default of retry_seconds
_NEVER = float("-inf")
_RETRYING = tenacity.AsyncRetrying(  # full jitter, so that 250 callers do not come back together
    wait=tenacity.wait_random_exponential(multiplier=0.5, max=30.0)
)


class RateLimitedCall:
    """One operation of a service: its own rate, its own retries, its own count of calls.

    `renew` takes up newer credentials when the service says that a token has expired; it is told
    when the call was signed (seconds, monotonic). With `slots` each call holds a slot, which the
    job keeps when the call was accepted. A slot is taken when the call's turn has come, one call at
    a time: after a refusal the calls that wait have no slot of the same wrong belief.
    `retry_seconds` is how long after its first failure a call is made again.
    """

    def __init__(
        self,
        name: str,
        rate: float,
        waiting: WaitTimes,
        renew: Callable[[float], Awaitable[None]] | None = None,
        slots: JobSlots | None = None,
    ) -> None:
        self.name = name
        self._renew = renew
        self._slots = slots
        self.calls = 0
        self.refused = 0
        self.retry_seconds = _SECONDS
        self._answered_at = _NEVER
        self._most = rate
        self._rate = RateLimiter(rate)
        self._waiting = waiting
        self._queue = asyncio.Lock()

    def on_share(self, runs: int) -> None:
        """So many runs share the rate that the user allows."""
        self._rate.on_ceiling(self._most / runs)

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make the call when its turn has come, again after a throttle or a fault.

        It is given up `retry_seconds` after its first failure, or after 8 calls without a usable
        answer (5 while no call of this operation ever had one; a throttled call does not count).

        Raises:
            Deferred: given up, while other calls of this operation were answered.
            ServiceUnreachable: given up, and so was every other one.
        """
        begun = asyncio.get_running_loop().time()
        patience = _Patience(begun, self.retry_seconds)
        while True:
            try:
                await self._turn(patience)
                if self._slots is None:
                    return await self._answer(attempt)
                with self._slots.slot():
                    return await self._answer(attempt)
            except (Throttled, Unavailable) as error:
                tries = _FIRST_TRIES if self._answered_at == _NEVER else _TRIES
                if patience.ends_with(error, asyncio.get_running_loop().time(), tries):
                    raise self._given_up(error, patience) from error
            await asyncio.sleep(patience.pause(asyncio.get_running_loop().time()))

    def _given_up(self, error: PipelineError, patience: _Patience) -> PipelineError:
        facts = {"action": error.action, "message": error.message}
        if self._answered_at > patience.begun:
            return Deferred(error.problem, error.advice, **facts)
        return ServiceUnreachable(
            f"{error.sentence} That was so {count_of(patience.tries, 'time')}",
            _before_the_next_run(error),
            **facts,
        )

    async def _answer(self, attempt: Callable[[], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        self.calls += 1
        signed = time.monotonic()
        try:
            answer = await attempt()
        except Throttled:
            self.refused += 1
            self._rate.throttled(clock())
            raise
        except Expired as error:
            if self._renew is None:
                raise
            try:
                await self._renew(signed)
            except Expired:  # the service's own words tell more
                raise error from None
            facts = {"action": error.action, "message": error.message}
            raise Unavailable(error.problem, error.advice, **facts) from error
        except Unavailable:
            raise
        except PipelineError:
            self._rate.accepted(clock())  # a refusal is an answer too, and came not too soon
            self._answered_at = clock()
            raise
        self._rate.accepted(clock())
        self._answered_at = clock()
        return answer

    async def _turn(self, patience: _Patience) -> None:
        """Wait for this call's turn; one at a time, so that a slower pace holds for the next."""
        clock = asyncio.get_running_loop().time
        async with self._queue:
            if delay := self._rate.delay(clock()):
                full = self._slots is not None and self._slots.limit.full(clock())
                # Where no slot is free a quicker pace would buy nothing.
                with self._waiting.on("slots" if full else self.name):
                    await asyncio.sleep(delay)
            if self._slots is not None:
                asked = clock()
                await self._slots.take()
                patience.held_back += clock() - asked
            self._rate.take(clock())


class _Patience:
    """When one call is given up, and how long it pauses before that.

    A throttled call is no failure, and waiting for a slot takes none of the time. Moments are of
    the loop's clock; `seconds` are from the first failure on, `tries` are how often it was made.
    """

    def __init__(self, begun: float, seconds: float) -> None:
        self.begun = begun
        self._seconds = seconds
        self.held_back = 0.0
        self._failed_at: float | None = None
        self._failures = 0
        self.tries = 1

    def ends_with(self, error: Throttled | Unavailable, now: float, failures: int) -> bool:
        """Whether this failure was the last one that is borne, of so many."""
        if self._failed_at is None:  # a call may have waited long for its turn before that
            self._failed_at, self.held_back = now, 0.0
        self._failures += not isinstance(error, Throttled)
        return self._failures >= failures or self._time_left(now) <= 0

    def pause(self, now: float) -> float:
        """Seconds until the next try, which this one is counted before; the last is in time."""
        state = tenacity.RetryCallState(_RETRYING, None, (), {})
        state.attempt_number = self.tries
        self.tries += 1
        seconds: float = _RETRYING.wait(state)
        return min(seconds, self._time_left(now))

    def _time_left(self, now: float) -> float:
        failed_at = now if self._failed_at is None else self._failed_at
        return self._seconds - (now - failed_at - self.held_back)


@contextmanager
def never_deferred(doing: str) -> Iterator[None]:
    """No recording is behind the calls inside, which could be left to the next run as one may.

    Raises:
        ServiceUnreachable: one of them was given up, while `doing`.
    """
    try:
        yield
    except Deferred as error:
        raise ServiceUnreachable(
            f"{error.problem}, while {doing}",
            _before_the_next_run(error),
            action=error.action,
            message=error.message,
        ) from error


def _before_the_next_run(error: PipelineError) -> str:
    advice = error.advice or "Wait a while."
    return f"{advice} Then run the same command again, it goes on where it stopped."
