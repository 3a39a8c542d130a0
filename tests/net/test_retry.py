"""The brakes as asyncio sees them, in an event loop whose time the test owns."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import (
    Deferred,
    Expired,
    JobExists,
    NoFreeSlot,
    PipelineError,
    RecordingFailed,
    ServiceUnreachable,
    Throttled,
    Unavailable,
)
from pipeline.net import retry
from pipeline.net.concurrency import ConcurrencyLimit, JobSlots
from pipeline.net.retry import RateLimitedCall, never_deferred
from pipeline.net.wait_times import WaitTimes
from tests.support.owned_time import in_owned_time, now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Service:
    """Answers a call with the next of its answers, the last one again and again."""

    def __init__(self, *answers: str | PipelineError) -> None:
        self.answers = list(answers)
        self.called_at: list[float] = []

    async def __call__(self) -> str:
        """One call."""
        self.called_at.append(now())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, PipelineError):
            raise answer
        return answer


def answer_of(service: Callable[[], Awaitable[str]], rate: float = 10) -> str:
    """What one call through an operation returns."""

    async def calling() -> str:
        return await RateLimitedCall("Get", rate, WaitTimes()).call(service)

    return in_owned_time(calling())


def test_a_good_answer_is_returned_at_once():
    """A call that succeeds is made once and without a wait."""
    service = Service("yes")

    assert answer_of(service) == "yes"
    assert service.called_at == [0]


def test_calls_keep_the_pace():
    """Many callers at once make no more calls than the rate allows."""
    service = Service("yes")

    async def calling() -> None:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        await asyncio.gather(*(operation.call(service) for _ in range(21)))

    in_owned_time(calling())

    assert service.called_at == pytest.approx([n / 10 for n in range(21)])


def test_runs_that_share_a_rate_have_an_even_part_of_it():
    """Five of them: each makes a fifth of the calls in a second, and all once it is alone."""
    service = Service("yes")

    async def calling() -> None:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        for runs in (5, 1):
            operation.on_share(runs)
            for _ in range(5):
                await operation.call(service)

    in_owned_time(calling())

    assert service.called_at == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 2.6, 2.7, 2.8, 2.9])


def test_a_throttled_call_is_made_again_and_counted():
    """A throttle is retried, and the operation tells how many calls were refused."""
    service = Service(Throttled(), Throttled(), "yes")

    async def calling() -> Any:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        return await operation.call(service), operation.calls, operation.refused

    assert in_owned_time(calling()) == ("yes", 3, 2)


def test_a_throttle_slows_the_calls_that_follow():
    """After a throttle calls are further apart than the rate allows at most."""
    service = Service(Throttled(), "yes")

    async def calling() -> None:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        await operation.call(service)
        await asyncio.gather(*(operation.call(service) for _ in range(3)))

    in_owned_time(calling())

    first, second, third = service.called_at[-3:]
    assert second - first > 0.1
    assert third - second > 0.1


def test_throttles_use_up_no_tries():
    """A call that is throttled more often than a fault would be borne still succeeds."""
    service = Service(*[Throttled()] * 30, "yes")

    assert answer_of(service) == "yes"


def test_a_long_wait_for_the_turn_is_no_failure():
    """The ten minutes begin with the first failure: who waited for longer is tried again too."""
    service = Service("yes", Throttled(), "yes")

    async def calling() -> str:
        operation = RateLimitedCall("Start", 1 / 700, WaitTimes())
        await operation.call(service)
        return await operation.call(service)

    assert in_owned_time(calling()) == "yes"


def test_the_last_try_is_at_the_end_of_the_time():
    """A call is made again for as long as the settings say, and not a pause longer."""
    service = Service(Throttled("Rate exceeded"))

    async def calling() -> None:
        operation = RateLimitedCall("Get", 1_000, WaitTimes())
        operation.retry_seconds = 20.0
        await operation.call(service)

    with pytest.raises(ServiceUnreachable):
        in_owned_time(calling())

    assert service.called_at[0] == 0
    assert service.called_at[-1] == pytest.approx(20, abs=0.5)
    assert len(service.called_at) > 4


def test_throttles_are_given_up_after_a_time(monkeypatch):
    """Time bounds what the number of tries does not: a call that is throttled for too long."""
    monkeypatch.setattr(retry, "_SECONDS", 0.0)  # tenacity measures it by a clock of its own
    service = Service(Throttled("Rate exceeded"))

    with pytest.raises(ServiceUnreachable, match="Rate exceeded"):
        answer_of(service)


def test_a_service_that_never_answered_is_given_up_after_five_tries():
    """An address where nobody ever answered is more likely wrong than ill: five calls."""
    service = Service(Unavailable("No answer."))

    with pytest.raises(ServiceUnreachable, match=r"^No answer\. That was so 5 times\."):
        answer_of(service)

    assert len(service.called_at) == 5


def test_a_service_that_falls_silent_is_given_up_after_eight_tries():
    """A service that has answered before is called eight times, and then the run stops."""
    service = Service("yes", Unavailable("No answer."))

    async def calling() -> None:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        await operation.call(service)
        await asyncio.sleep(1)
        await operation.call(service)

    with pytest.raises(ServiceUnreachable):
        in_owned_time(calling())

    assert len(service.called_at) == 1 + 8


def test_a_call_whose_service_answers_others_meanwhile_is_made_eight_times():
    """A call begun before the first answer counts as one begun after it: it gets eight tries."""
    broken = Service(*[Unavailable("No answer.")] * 7, "yes")

    async def calling() -> str:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        ours, _ = await asyncio.gather(operation.call(broken), operation.call(Service("others")))
        return ours

    assert in_owned_time(calling()) == "yes"


@pytest.mark.parametrize("answer", ["yes", JobExists(), NoFreeSlot(), RecordingFailed("x", "no")])
def test_a_fault_of_one_call_while_others_are_answered_is_deferred(answer):
    """Where other calls of the operation get answers, refusals too, only this one is given up."""
    broken = Service(Unavailable("No answer."))

    async def calling() -> None:
        operation = RateLimitedCall("Get", 10, WaitTimes())

        async def others() -> None:
            await asyncio.sleep(0.2)
            with suppress(PipelineError):
                await operation.call(Service(answer))

        await asyncio.gather(operation.call(broken), others())

    with pytest.raises(Deferred, match="No answer"):
        in_owned_time(calling())


@pytest.mark.parametrize(
    ("known", "said"), [("Set HTTPS_PROXY.", "Set HTTPS_PROXY. Then"), ("", "Wait a while. Then")]
)
def test_what_no_later_run_can_do_is_given_up_with_what_helps(known, said):
    """The advice about the fault stands before that to run the command again."""
    with pytest.raises(ServiceUnreachable) as raised, never_deferred("tasks were written"):
        raise Deferred("A web page answers", known)

    assert raised.value.problem == "A web page answers, while tasks were written"
    assert raised.value.advice.startswith(f"{said} run the same command again")


def test_waits_between_faults_are_spread():
    """Full jitter: two callers that failed at one moment do not come back at one moment."""
    services = [Service(*[Unavailable()] * 4, "yes") for _ in range(2)]

    for service in services:
        answer_of(service, rate=10_000)

    assert services[0].called_at != services[1].called_at
    assert max(services[0].called_at[-1], services[1].called_at[-1]) < 5 * 30


@pytest.mark.parametrize("error", [NoFreeSlot(), JobExists(), RecordingFailed("refused", "no")])
def test_other_answers_are_not_tried_again(error):
    """A full account, a taken name and a refusal are the caller's to handle, after one call."""
    service = Service(error, "yes")

    with pytest.raises(type(error)):
        answer_of(service)

    assert len(service.called_at) == 1


def test_waiting_is_counted_once_however_many_wait():
    """The time of a brake is that in which at least one task waited."""

    async def waiting_for(waiting: WaitTimes, delay: float, seconds: float) -> None:
        await asyncio.sleep(delay)
        with waiting.on("slots"):
            await asyncio.sleep(seconds)

    async def both() -> dict[str, float]:
        waiting = WaitTimes()
        await asyncio.gather(waiting_for(waiting, 0, 3), waiting_for(waiting, 2, 4))
        await asyncio.sleep(10)
        return waiting.seconds()

    assert in_owned_time(both()) == {"slots": pytest.approx(6)}


def test_who_still_waits_is_counted():
    """A look at the totals holds the time of a wait that has not ended."""

    async def looking() -> dict[str, float]:
        waiting = WaitTimes()
        with waiting.on("slots"):
            await asyncio.sleep(2)
            return waiting.seconds()

    assert in_owned_time(looking()) == {"slots": pytest.approx(2)}


def test_a_pace_is_no_brake_where_nobody_waits():
    """An operation whose calls come slowly held the run back for no second."""

    async def calling() -> dict[str, float]:
        waiting = WaitTimes()
        operation = RateLimitedCall("Get", 10, waiting)
        for _ in range(3):
            await operation.call(Service("yes"))
            await asyncio.sleep(1)
        return waiting.seconds()

    assert in_owned_time(calling()) == {}


# A token that expires


class Credentials:
    """Counts how often they are taken up anew, which fails after so many times."""

    def __init__(self, good_for: int) -> None:
        self.renewed = 0
        self._good_for = good_for

    async def renew(self, signed: float) -> None:
        """Take up newer ones."""
        self.signed = signed
        self.renewed += 1
        if self.renewed > self._good_for:
            raise Expired("The session token has expired.")


def answer_with(credentials: Credentials, service: Service) -> tuple[str, int]:
    """What a call returns whose token may expire, and how many calls were refused."""

    async def calling() -> tuple[str, int]:
        operation = RateLimitedCall("Get", 10, WaitTimes(), credentials.renew)
        return await operation.call(service), operation.refused

    return in_owned_time(calling())


def test_an_expired_token_is_renewed_and_the_call_made_again():
    """Newer credentials are taken up once, and nobody notices; it is no refused call."""
    begun = time.monotonic()
    credentials, service = Credentials(good_for=9), Service(Expired("Expired."), "yes")

    assert answer_with(credentials, service) == ("yes", 0)
    assert (credentials.renewed, len(service.called_at)) == (1, 2)
    assert begun <= credentials.signed <= time.monotonic()


def test_a_token_that_can_not_be_renewed_stops_the_run():
    """Where newer credentials are not to be had the run ends, without further calls."""
    service = Service(Expired("ExpiredToken: the service says so."))

    with pytest.raises(Expired, match="the service says so"):
        answer_with(Credentials(good_for=0), service)

    assert len(service.called_at) == 1


def test_tokens_that_expire_again_and_again_are_not_renewed_for_ever():
    """Renewals that never help are given up as a service without answers is."""
    service = Service(Expired("Expired."))

    with pytest.raises(ServiceUnreachable):
        answer_with(Credentials(good_for=99), service)

    assert len(service.called_at) == 5


def test_without_a_way_to_renew_an_expired_token_stops_the_run():
    """An operation that knows no other credentials hands the error on, after one call."""
    service = Service(Expired("Expired."), "yes")

    with pytest.raises(Expired):
        answer_of(service)

    assert len(service.called_at) == 1


def test_a_throttle_slows_those_who_wait_already():
    """Calls that were in the queue when another was throttled keep to the slower pace."""
    service = Service(*["yes"] * 20, Throttled(), "yes")

    async def calling() -> None:
        operation = RateLimitedCall("Get", 10, WaitTimes())
        await asyncio.gather(*(operation.call(service) for _ in range(40)))

    in_owned_time(calling())

    later = service.called_at[22:]
    assert min(b - a for a, b in pairwise(later)) > 0.1 * 1.01


def test_a_cancelled_call_leaves_the_queue_to_others():
    """Who is cancelled while waiting for its turn holds nobody up."""
    service = Service("yes")

    async def calling() -> float:
        operation = RateLimitedCall("Get", 1, WaitTimes())
        tasks = [asyncio.ensure_future(operation.call(service)) for _ in range(5)]
        await asyncio.sleep(0.5)
        for task in tasks[1:4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return now()

    assert in_owned_time(calling()) == pytest.approx(1)


# Slots


def test_no_more_jobs_than_slots_run_at_once():
    """Twenty jobs over three slots take turns, and all of them get one."""
    running, most, done = 0, 0, 0

    async def job(gate: JobSlots) -> None:
        nonlocal running, most, done
        await gate.take()
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        done += 1
        gate.give_back()

    async def all_jobs() -> float:
        gate = JobSlots(3, WaitTimes())
        await asyncio.gather(*(job(gate) for _ in range(20)))
        return now()

    assert in_owned_time(all_jobs()) == pytest.approx(7)
    assert (most, done) == (3, 20)


def refuse(gate: JobSlots) -> None:
    """The service has no slot for the start that was just about to be made."""
    with suppress(NoFreeSlot), gate.slot():
        raise NoFreeSlot("Too many jobs.")


def test_a_refused_start_is_tried_again_when_a_job_ends():
    """Who was refused gets the slot of the next job that ends, and not a moment sooner."""

    async def refused() -> float:
        gate = JobSlots(5, WaitTimes())
        await gate.take()
        await gate.take()
        refuse(gate)
        asyncio.get_running_loop().call_later(3, gate.give_back)
        await gate.take()
        return now()

    assert in_owned_time(refused()) == pytest.approx(3)


def test_a_full_account_without_jobs_of_ours_is_not_hammered():
    """A start that is refused again and again is tried every ten seconds, not at the start rate."""

    async def refused() -> tuple[float, int]:
        gate = JobSlots(5, WaitTimes())
        await gate.take()
        for _ in range(6):
            refuse(gate)
            await gate.take()
        return now(), gate.refused_starts

    assert in_owned_time(refused()) == pytest.approx((60, 6))


def test_a_wait_for_a_slot_can_be_cancelled():
    """Who is cancelled while waiting takes no slot with it."""

    async def cancelled() -> tuple[int, bool]:
        gate = JobSlots(1, WaitTimes())
        await gate.take()
        waiter = asyncio.ensure_future(gate.take())
        await asyncio.sleep(1)
        waiter.cancel()
        with suppress(asyncio.CancelledError):
            await waiter
        gate.give_back()
        return gate.limit.held, waiter.cancelled()

    assert in_owned_time(cancelled()) == (0, True)


def test_adopted_jobs_are_given_back_as_others():
    """A job of an earlier run holds a slot until it ends."""

    async def adopted() -> float:
        gate = JobSlots(1, WaitTimes())
        gate.adopt()
        asyncio.get_running_loop().call_later(2, gate.give_back)
        await gate.take()
        return now()

    assert in_owned_time(adopted()) == pytest.approx(2)


@pytest.mark.parametrize("begun_at", [0.0, 0.1, 1 / 3, 1e5 + 0.7])
def test_a_wait_for_a_slot_never_spins(begun_at):
    """However a moment is rounded, who waits is woken a few times, not again and again."""
    looks = 0

    class Counting(ConcurrencyLimit):
        def take(self, now: float) -> bool:
            nonlocal looks
            looks += 1
            return super().take(now)

    async def starved() -> float:
        await asyncio.sleep(float(begun_at))
        gate = JobSlots(5, WaitTimes())
        gate.limit = Counting(5)
        await gate.take()
        for _ in range(10):
            refuse(gate)
            await gate.take()
        return now() - float(begun_at)

    assert in_owned_time(starved()) == pytest.approx(100)
    assert looks <= 1 + 10 * 3


def test_adopted_jobs_beyond_the_ceiling_are_waited_for_in_peace():
    """With more jobs of an earlier run than slots, a start waits for their ends without a timer."""

    async def crowded() -> float:
        gate = JobSlots(2, WaitTimes())
        for seconds in (1, 2, 3, 4):
            gate.adopt()
            asyncio.get_running_loop().call_later(seconds, gate.give_back)
        await gate.take()
        return now()

    assert in_owned_time(crowded()) == pytest.approx(3)


def test_a_start_that_failed_gives_its_slot_to_who_waits():
    """Whatever the start failed for, the next one has its turn at once."""

    async def failing() -> float:
        gate = JobSlots(1, WaitTimes())
        await gate.take()
        waiter = asyncio.ensure_future(gate.take())
        await asyncio.sleep(1)
        with suppress(Unavailable), gate.slot():
            raise Unavailable("no answer")
        async with asyncio.timeout(100):
            await waiter
        return now()

    assert in_owned_time(failing()) == pytest.approx(1)


def test_who_waits_for_a_slot_hears_of_a_refusal():
    """Who waited without an end in sight is told when one more may be tried."""

    async def refused() -> float:
        gate = JobSlots(2, WaitTimes())
        await gate.take()
        await gate.take()
        waiter = asyncio.ensure_future(gate.take())
        await asyncio.sleep(1)
        gate.give_back()
        gate.limit.take(now())  # before the one who waits comes to it
        await asyncio.sleep(1)
        for _ in range(2):
            refuse(gate)
        async with asyncio.timeout(1_000):
            await waiter
        return now()

    assert in_owned_time(refused()) == pytest.approx(12)


def test_waiting_for_a_slot_takes_none_of_the_time_of_a_call():
    """A start that was throttled and then waits for hours for a slot is tried again after them."""

    async def throttled() -> str:
        waiting = WaitTimes()
        gate = JobSlots(1, waiting)
        operation = RateLimitedCall("Start", 10, waiting, slots=gate)
        answers = Service(Throttled("slow down"), Throttled("slow down"), "yes")

        async def attempt() -> str:
            if len(answers.called_at) < 2:  # another start takes the slot when this is refused
                asyncio.get_running_loop().call_soon(gate.limit.take_anyway)
                asyncio.get_running_loop().call_later(1_000, gate.give_back)
            return await answers()

        return await operation.call(attempt)

    assert in_owned_time(throttled()) == "yes"


def test_where_no_slot_is_free_slots_are_what_is_waited_for():
    """A quicker rate would buy nothing then, so that it is not named as what held the run back."""

    async def waits(most: int) -> dict[str, float]:
        waiting = WaitTimes()
        gate = JobSlots(most, waiting)
        operation = RateLimitedCall("Start", 0.1, waiting, slots=gate)
        starts = [asyncio.ensure_future(operation.call(Service("yes"))) for _ in range(2)]
        asyncio.get_running_loop().call_later(60, gate.give_back)
        await asyncio.gather(*starts)
        return waiting.seconds()

    assert in_owned_time(waits(1)) == {"slots": pytest.approx(60)}
    assert in_owned_time(waits(2)) == {"Start": pytest.approx(10)}
