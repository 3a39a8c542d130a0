"""The brakes as arithmetic, with a clock that is only a number, and against an account."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.net.concurrency import ConcurrencyLimit, Sharers
from pipeline.net.free_slots import FreeSlotEstimator
from pipeline.net.rate_limit import RateLimiter
from tests.support.account import Account, Customer

rates = st.sampled_from([0.02, 0.05]) | st.floats(0.1, 500)  # the first lie below the floor
pauses = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.05, 0.7, 3.0]), min_size=2, max_size=60)
ceilings = st.integers(1, 40)
MOVES = ["take", "take", "give back", "accepted", "looked", "refused", "adopt", "wait", "long"]
steps = st.lists(st.sampled_from(MOVES), max_size=120)


def turns_of(pace: RateLimiter, waits: list[float], *, throttled: bool = False) -> list[float]:
    """The moments of calls that are asked for one after the other, after each of these pauses."""
    now, turns = 0.0, []
    for index, pause in enumerate(waits):
        now += pause
        now += pace.delay(now)
        pace.take(now)
        turns.append(now)
        if throttled and index % 3 == 1:
            pace.throttled(now)
        else:
            pace.accepted(now)
    return turns


def found(pace: RateLimiter, rate: int, seconds: int = 10) -> RateLimiter:
    """The pace, after so many calls a second were taken and one was throttled at the end."""
    for n in range(rate * seconds):
        pace.accepted(n / rate)
    pace.throttled(seconds)
    return pace


def assert_never_faster(rate: float, turns: list[float], saved: float = 0) -> None:
    """In every window of t seconds lie at most rate * (t + saved) + 1 turns."""
    ordered = sorted(turns)
    for first in range(len(ordered)):
        for last in range(first, len(ordered)):
            window = ordered[last] - ordered[first]
            assert last - first + 1 <= rate * (window + saved) + 1 + 1e-6


@given(rates, pauses)
def test_no_window_holds_more_turns_than_the_rate_allows(rate, waits):
    """Never more than rate * t + 1 turns lie in any t seconds, and those of half a second more."""
    assert_never_faster(rate, turns_of(RateLimiter(rate), waits), saved=0.5)


@given(rates, pauses)
def test_throttles_never_make_it_faster(rate, waits):
    """The ceiling holds for a throttled operation too, the slowest ones included."""
    assert_never_faster(rate, turns_of(RateLimiter(rate), waits, throttled=True))


@given(rates, st.integers(2, 60))
def test_the_rate_is_used_up(rate, calls):
    """Calls that all wait get exactly the rate, not less."""
    turns = turns_of(RateLimiter(rate), [0.0] * calls)

    assert turns[-1] == pytest.approx((calls - 1) / rate)


def test_ten_a_second_are_a_tenth_of_a_second_apart():
    """A rate of 10 spaces the turns by 0.1 seconds."""
    turns = turns_of(RateLimiter(10), [5.0, 0, 0, 0])

    assert turns == pytest.approx([5, 5.1, 5.2, 5.3])


def test_idle_time_saves_up_half_a_second_of_turns():
    """After an hour without a call those of half a second are made at once, then at the rate."""
    turns = turns_of(RateLimiter(4), [0, 3600, 0, 0, 0])

    assert turns == pytest.approx([0, 3600, 3600, 3600, 3600.25])


def test_a_throttled_operation_saves_up_no_turns():
    """Where the service has refused a call it may have no bucket; each call waits its turn."""
    pace = found(RateLimiter(10), 4)

    first, second = turns_of(pace, [3600, 0])

    assert second - first == pytest.approx(0.1)


def test_a_throttled_call_finds_what_the_service_takes():
    """The rate after a throttle is a twentieth under what was accepted during five seconds."""
    pace = found(RateLimiter(25), rate=4)

    assert pace.rate(10) == pytest.approx(4 * 0.95)


def test_what_was_accepted_long_ago_is_not_counted():
    """A quota that fell is found by the calls of the last five seconds alone."""
    pace = found(RateLimiter(25), rate=20)
    for n in range(12):
        pace.accepted(100 + n / 2)

    for moment in (*[105.5] * 9, 106.5):
        pace.throttled(moment)

    assert pace.rate(106.5) == pytest.approx(2 * 0.95, rel=0.1)


def test_throttles_now_and_then_leave_half_of_the_rate():
    """Every tenth call is throttled, whatever the rate is: half of what was found is left."""
    pace, now = found(RateLimiter(25), rate=10), 20.0
    for call in range(3_000):
        now += pace.delay(now)
        pace.take(now)
        pace.throttled(now) if call % 10 == 3 else pace.accepted(now)

    assert 10 / 2 * 0.95 <= pace.rate(now) <= 10


def test_a_service_that_took_nothing_halves_the_rate():
    """Where no call was accepted of late, the next throttle halves the rate."""
    pace = RateLimiter(10)

    pace.throttled(0)

    assert pace.rate(0) == pytest.approx(5 * 0.95)


def test_a_throttle_pauses_the_next_call():
    """The bucket is empty for all who share the account: who was throttled waits for a moment."""
    pace = RateLimiter(100)
    pace.take(7)

    pace.throttled(7.1)

    assert pace.delay(7.1) == pytest.approx(0.3)


def test_throttles_of_one_second_count_once():
    """The calls already under way when the first was throttled say nothing new."""
    pace = RateLimiter(100)
    pace.throttled(0)
    once = pace.rate(1)

    for tenth in range(10):
        pace.throttled(tenth / 10)

    assert once == pace.rate(1)


@pytest.mark.parametrize(("seconds", "part"), [(0, 0.95), (30, 1), (60, 1.05), (90, 1.4)])
def test_the_way_back_is_a_cubic_curve(seconds, part):
    """Slow around the rate that was found, at it after 30 seconds, steep after a minute."""
    pace = found(RateLimiter(1000), rate=10)

    assert pace.rate(10 + seconds) == pytest.approx(10 * part)


@given(rates, st.lists(st.tuples(st.floats(0, 20), st.integers(0, 9)), max_size=30))
def test_the_rate_is_never_above_the_ceiling_nor_nothing(rate, moments):
    """Whatever is throttled or accepted, the ceiling and a call in ten seconds are the bounds."""
    pace, now = RateLimiter(rate), 0.0
    for pause, calls in moments:
        now += pause
        for _ in range(calls):
            pace.accepted(now)
        pace.throttled(now)
        assert min(0.1, rate) - 1e-9 <= pace.rate(now) <= rate


@given(st.floats(0.1, 25), st.lists(st.floats(0, 20), max_size=30))
def test_a_throttled_rate_recovers_to_the_ceiling_in_ten_minutes(rate, pauses):
    """Without throttles the usual ceiling is reached again, however low the rate had fallen."""
    pace, now = RateLimiter(rate), 0.0
    for pause in pauses:
        now += pause
        pace.throttled(now)

    seen = [pace.rate(now + seconds) for seconds in range(0, 601, 10)]

    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(rate)


def test_endless_throttles_leave_one_call_in_ten_seconds():
    """The rate falls to a tenth and no lower, so that a recovered service is noticed."""
    pace = RateLimiter(25)

    for second in range(0, 1000, 2):
        pace.throttled(second)

    assert 0.1 <= pace.rate(1000) <= 0.11


def test_a_limiter_twice_too_fast_is_noticed():
    """The check of these tests fails for turns that come at twice the rate."""
    twice_too_fast = turns_of(RateLimiter(20), [0.0] * 10)

    with pytest.raises(AssertionError):
        assert_never_faster(10, twice_too_fast)


def play(slots: ConcurrencyLimit, moves: list[str]) -> float:
    """Make the moves that are possible, hold the invariants after each, return the time."""
    now, adopted = 0.0, 0
    for move in moves:
        now += {"wait": 1.0, "long": 301.0}.get(move, 0.01)
        if move == "take":
            assert slots.take(now) or slots.patience(now) > 0
        elif move == "adopt":
            slots.take_anyway()
            adopted += 1
        elif move == "give back" and slots.held:
            slots.ended()
        elif move == "accepted":
            slots.accepted(now)
        elif move == "looked":
            slots.on_poll(now, slots.held // 2, slots.held // 2)
        elif move == "refused" and slots.held:
            slots.refused(now)
            assert slots.limit <= slots.held
        assert 0 <= slots.held <= slots.ceiling + adopted
        assert 0 <= slots.limit <= slots.ceiling
    return now


@given(ceilings, steps)
def test_never_more_slots_are_held_than_the_ceiling(ceiling, moves):
    """A slot is given within the ceiling only, and who gets none is told to wait for a while."""
    play(ConcurrencyLimit(ceiling), moves)


@given(ceilings, steps)
def test_after_refusals_every_slot_can_be_held_again(ceiling, moves):
    """Ten minutes after the last refusal starts that are accepted fill the ceiling at once."""
    slots = ConcurrencyLimit(ceiling)
    now = play(slots, [move for move in moves if move != "adopt"]) + 601

    for _ in range(slots.held + 1):  # every start that was under way is answered
        slots.accepted(now)
    while slots.take(now):
        slots.accepted(now)

    assert slots.held == ceiling


def test_a_full_house_gives_no_slot():
    """The slot after the last one is not given before one is given back."""
    slots = ConcurrencyLimit(2)
    taken = [slots.take(0), slots.take(0), slots.take(0)]

    slots.ended()

    assert [*taken, slots.take(0)] == [True, True, False, True]


def test_a_refused_start_waits_for_one_of_ours_to_end():
    """After a refusal the next start gets a slot only when another is given back."""
    slots = ConcurrencyLimit(10)
    for _ in range(4):
        slots.take(0)
    slots.refused(0)
    at_once = slots.take(0.01)

    slots.ended()

    assert (at_once, slots.take(0.02)) == (False, True)


def test_a_refusal_with_nothing_of_ours_running_is_not_tried_again_at_once():
    """Where others hold every slot of the account, the next start waits for ten seconds."""
    slots = ConcurrencyLimit(1)
    slots.take(0)

    slots.refused(0)

    assert [slots.take(t) for t in (0.01, 9.9, 10.0)] == [False, False, True]
    assert slots.patience(20) == math.inf


def refused_at(held: int, now: float = 0) -> ConcurrencyLimit:
    """Slots of which so many are held when one more start is refused."""
    slots = ConcurrencyLimit(100)
    for _ in range(held):
        slots.take(now)
        slots.accepted(now)
    slots.take(now)
    slots.refused(now)
    return slots


def starts_taken(slots: ConcurrencyLimit, now: float, rounds: int) -> list[int]:
    """How many starts are taken until none is, after each of so many rounds of acceptance."""
    taken = []
    for _ in range(rounds):
        before = slots.held
        while slots.take(now):
            pass
        taken.append(slots.held - before)
        for _ in range(taken[-1]):
            slots.accepted(now)
    return taken


def starts_until_a_try(slots: ConcurrencyLimit, now: float = 1) -> int:
    """How many starts are accepted after a refusal before one more slot is tried."""
    count = 0
    while not slots.take(now):
        slots.ended()
        slots.take(now)
        slots.accepted(now)
        count += 1
    return count


@pytest.mark.parametrize(
    ("held", "starts"), [(1, 1), (2, 1), (4, 2), (8, 10), (16, 42), (24, 96), (25, 100), (90, 100)]
)
def test_who_has_few_slots_asks_for_more_sooner(held, starts):
    """One more slot is tried after a sixth of the limit's square, at most a hundred starts."""
    assert starts_until_a_try(refused_at(held)) == starts


def test_after_three_tries_in_vain_twenty_starts_are_waited_for():
    """An account with two slots and no other user is not asked after each start."""
    account = Account(rate=25, slots=2, job_seconds=(0.5, 1))

    Customer(account).run(300)

    assert account.refused_share() < 0.2


def test_a_slot_that_is_tried_is_one():
    """Before the answer to the first try no second one is made."""
    slots = refused_at(10)

    assert [slots.take(600), slots.take(600)] == [True, False]


def test_a_rise_goes_on_by_three_at_a_time():
    """Where one more slot was accepted three are tried at once, until one is refused."""
    slots = refused_at(10)

    assert starts_taken(slots, 600, 4) == [1, 3, 3, 3]


def test_a_refusal_begins_the_steps_anew():
    """After a refusal the next rise is by one, and only after its starts or ten minutes."""
    slots = refused_at(10)
    starts_taken(slots, 600, 3)

    slots.take(700)
    slots.refused(700)

    assert starts_taken(slots, 1299, 2) == [0, 0]
    assert starts_taken(slots, 1300, 2) == [1, 3]


def watched(held: int, ended_each_second: int) -> ConcurrencyLimit:
    """Slots of which so many are held when one more start is refused; looked at twice since."""
    slots = refused_at(held)
    slots.on_poll(1, 0, 0)
    slots.on_poll(2, ended_each_second, ended_each_second)
    for _ in range(ended_each_second):
        slots.ended()
        slots.take(2)
        slots.accepted(2)
    return slots


def test_a_start_that_replaces_an_ended_job_raises_no_limit():
    """Where one has probably ended since the look, the one that is tried takes its place."""
    slots = watched(10, ended_each_second=2)
    slots.on_poll(601, ended=2 * 599, uncollected=0)
    assert slots.take(601.3)

    slots.accepted(601.3)

    assert slots.limit == 10


def test_a_start_beyond_all_that_run_raises_the_limit():
    """Right after a look hardly any job can have ended unseen: one more that is taken is a slot."""
    slots = watched(10, ended_each_second=2)
    slots.on_poll(601, 0, 0)
    assert slots.take(601)

    slots.accepted(601)

    assert slots.limit == 11


def test_a_slot_that_a_neighbour_took_is_left_to_it_and_a_sixteenth_more():
    """Where a job of ours has ended for certain and its slot is taken, another run grows."""
    slots = watched(48, ended_each_second=0)
    slots.ended()
    slots.take(10)

    slots.refused(10)

    assert slots.limit == 47 - 2


def squeezed(held: int) -> ConcurrencyLimit:
    """Slots of which a neighbour took one, 10 seconds after so many were held."""
    slots = watched(held, ended_each_second=0)
    slots.ended()
    slots.take(10)
    slots.refused(10)
    return slots


@pytest.mark.parametrize(("held", "starts"), [(5, 2), (10, 9), (34, 60), (48, 100)])
def test_who_left_a_slot_to_a_neighbour_soon_asks_whether_it_has_ended(held, starts):
    """It tries after a sixteenth of the square, or as many starts as slots, not after a sixth."""
    assert starts_until_a_try(squeezed(held), 20) == starts


def test_ten_minutes_later_a_neighbour_is_forgotten():
    """What was tried meanwhile, and refused, tells nothing of a neighbour."""
    slots = squeezed(34)
    while not slots.take(611):
        slots.ended()
    slots.refused(611)

    assert starts_until_a_try(slots, 612) == 100


def test_the_starts_under_way_at_a_refusal_leave_nothing_more():
    """Of one event two refusals may tell, and slots are left to a neighbour once."""
    slots = watched(48, ended_each_second=0)
    for _ in range(2):
        slots.ended()
    for _ in range(2):
        slots.take(10)
    slots.refused(10)
    left = slots.limit

    slots.refused(10.1)

    assert left == 47 - 2
    assert slots.limit == 45


def test_patience_lasts_until_one_more_may_be_tried():
    """Who waits for a slot is told when one may be tried though none of ours ends."""
    never, starved, full = ConcurrencyLimit(5), refused_at(0, now=2), refused_at(3, now=2)

    assert never.patience(0) == math.inf
    assert (starved.patience(5), starved.patience(99)) == (7, 0)
    assert (full.patience(5), full.patience(999)) == (597, 0)


def test_who_waits_while_the_limit_rises_waits_for_an_answer():
    """A slot that is being tried is answered for before another one is, however long it takes."""
    slots = refused_at(0)

    assert slots.take(10)
    assert slots.patience(9_999) == math.inf
    assert not slots.take(9_999)


def test_adopted_jobs_count_against_the_limit():
    """Jobs that already run take slots even beyond the limit, and none is free until they end."""
    slots = ConcurrencyLimit(1)
    slots.take_anyway()
    slots.take_anyway()
    slots.ended()
    full = slots.take(0)

    slots.ended()

    assert (full, slots.take(0)) == (False, True)


# Against an account whose quotas nobody told


@pytest.mark.parametrize("job_seconds", [(2, 6), (10, 30), (30, 90)])
def test_unknown_quotas_cost_few_refused_calls_and_little_time(job_seconds):
    """With flags of 25 and 250, 5 starts/s and 40 slots are found: under 3 %, within 10 %."""
    account = Account(rate=5, slots=40, job_seconds=job_seconds)

    customer = Customer(account)
    seconds = customer.run(2_000)

    reads = len(account.started_at)
    assert reads == 2_000
    assert len(account.refused_at) < 0.03 * (account.calls + customer.looks + reads)
    assert seconds < 1.1 * account.best(2_000)


def test_a_start_rate_that_falls_is_followed():
    """From 25 starts a second to 5: within ten seconds few calls are refused, and 5 are used."""
    account = Account(rate=25, slots=250, changes=[(60, 5, 250)])

    Customer(account).run(10_000, at_most=400)

    assert account.rate_between(20, 60) > 24
    assert account.rate_between(80, 400) > 4.5
    assert account.refused_share(since=70) < 0.03


def test_a_start_rate_that_rises_is_followed():
    """From 5 starts a second to 25: all of them are used within three minutes."""
    account = Account(rate=5, slots=250, changes=[(200, 25, 250)])

    Customer(account).run(10_000, at_most=500)

    assert account.rate_between(150, 200) < 5.5
    assert account.rate_between(380, 500) > 24
    assert account.refused_share(since=200) < 0.03


def test_slots_that_others_give_back_are_taken():
    """From 20 slots to 120: within some starts or ten minutes the program uses nearly all."""
    account = Account(rate=25, slots=20, job_seconds=(20, 40), changes=[(300, 25, 120)])

    customer = Customer(account)
    customer.run(10_000, at_most=600)

    assert customer.gate.limit.limit >= 0.97 * 120
    assert account.rate_between(470, 600) > 0.9 * 120 / 30
    assert account.refused_share(since=310) < 0.05


def test_slots_that_others_take_cost_a_refusal_each_at_most():
    """From 120 slots to 20: as many starts are refused as slots are gone, then hardly any."""
    account = Account(rate=25, slots=120, job_seconds=(20, 40), changes=[(300, 25, 20)])

    Customer(account).run(10_000, at_most=900)

    assert sum(300 <= moment < 330 for moment in account.refused_at) <= 120
    assert account.refused_share(since=340) < 0.05  # of the starts; of all calls it is half
    assert account.rate_between(340, 900) > 0.9 * 20 / 30


def test_a_starved_account_is_asked_every_ten_seconds():
    """Where others hold every slot, two starters of sixteen ask, and then one in ten seconds."""
    account = Account(rate=25, slots=0)

    Customer(account).run(100, at_most=1_000)

    later = account.refused_at[1:]
    assert account.started_at == []
    assert 90 <= len(later) <= 100
    assert min(b - a for a, b in pairwise(later)) >= 10


def test_a_starved_account_that_gets_slots_is_used():
    """Ten seconds after others have let go of the slots, starts are accepted again."""
    account = Account(rate=25, slots=0, changes=[(200, 25, 40)])

    Customer(account).run(2_000, at_most=300)

    assert account.started_at[0] < 211
    assert account.rate_between(220, 300) > 0.85 * 40 / 4


@given(
    st.floats(0.5, 50),
    st.integers(0, 120),
    st.sampled_from([(0.5, 1), (2, 6), (10, 10), (20, 60)]),
    st.sampled_from([1.0, 25.0, 200.0]),
    st.sampled_from([1, 10, 250]),
)
def test_the_bounds_hold_for_any_account(rate, slots, job_seconds, start_rate, most):
    """Never more jobs or calls than the user allows, and refusals only now and then."""
    account = Account(rate, slots, job_seconds)
    customer = Customer(account, start_rate, most)

    seconds = customer.run(300, at_most=900)

    started, throttled = len(account.started_at), customer.operation.refused
    assert customer.most_held <= most
    assert account.calls <= start_rate * seconds + 1
    assert throttled <= 60 + seconds / 25
    assert customer.gate.refused_starts <= 16 + 0.1 * started + seconds / 10


def test_a_full_account_is_not_hammered_when_our_jobs_have_ended():
    """Others take every slot while ours run: when the last has ended, one start in ten seconds."""
    account = Account(rate=25, slots=100, job_seconds=(2, 6), changes=[(120, 25, 0)])

    Customer(account).run(10_000, at_most=720)

    later = [moment for moment in account.refused_at if moment > 140]
    assert 55 <= len(later) <= 59


def test_who_may_hold_no_more_waits_for_an_end():
    """At the ceiling nothing is guessed at: who waits is not told to try again at once."""
    slots = ConcurrencyLimit(5)
    for _ in range(5):
        slots.take(0)
    slots.refused(0)
    slots.on_poll(1, 0, 0)
    slots.on_poll(2, 3, 3)

    assert slots.take(2)
    assert not slots.take(2)
    assert slots.patience(2) == math.inf


def test_throttles_by_chance_never_starve_an_operation_that_is_hardly_used():
    """A twentieth of the calls throttled, whatever the rate is: about half is left."""
    pace = RateLimiter(3500)
    for second in range(600):
        for call in range(10):
            moment = second + call / 10
            if (second * 10 + call) % 20 == 7:
                pace.throttled(moment)
            else:
                pace.accepted(moment)

    assert pace.rate(600) >= 0.9 * 3500 / 2


def test_where_ends_are_told_none_is_guessed():
    """From the first event on a slot is free when its job is known to have ended, not before."""
    slots = ConcurrencyLimit(10)
    for _ in range(4):
        assert slots.take(0)
    assert slots.take(0)
    slots.refused(0)
    slots.on_poll(1, 2, 0)
    slots.on_poll(2, 2, 0)
    assert not slots.full(10)  # two a second have ended, presumably

    slots.on_event()

    assert slots.full(10)
    slots.ended()
    assert not slots.full(10)


def test_two_throttles_by_chance_prove_nothing():
    """Of an operation that is hardly called two are refused: half of its rate is left, at least."""
    pace = RateLimiter(1000)
    for second in range(20):
        pace.accepted(second * 2.0)
        if second in {5, 7}:
            pace.throttled(second * 2.0 + 1)

    assert not pace._too_many_refused()
    for refused in range(2):
        pace.throttled(100.0 + 2 * refused)
    assert not pace._too_many_refused()
    pace.throttled(104.0)
    assert pace._too_many_refused()


def test_the_rate_at_which_jobs_end_is_smoothed_over_looks():
    """One look that saw no end does not make the next starts wait, nor a lucky one hurry them."""
    seen = FreeSlotEstimator()
    seen.on_poll(0.0, 0, 0)
    seen.on_poll(10.0, 100, 0)
    steady = seen.until(20, 10.0)
    seen.on_poll(20.0, 0, 0)

    # Ten a second, then six tenths of that: the last look counts for four tenths.
    assert seen.until(20, 20.0) == pytest.approx(steady / 0.6)


def test_starts_that_are_accepted_make_it_bolder():
    """What a bad hour has taught is unlearnt, down to a caution that stays."""
    seen = FreeSlotEstimator()
    seen.on_poll(0.0, 0, 0)
    seen.on_poll(10.0, 100, 0)
    for _ in range(9):
        seen.on_refused_start(0, 10.0, guessed=True)
    wary = seen.count(20.0)
    for _ in range(1_000):
        seen.on_accepted_start()

    # 100 are expected, and of their root 3.6 times is taken off, or three tenths.
    assert (wary, seen.count(20.0)) == (63, 97)


def test_who_tries_for_more_is_not_cautious_about_what_has_ended():
    """By caution all that is tried would replace ended jobs, and show no free slot."""
    seen = FreeSlotEstimator()
    seen.on_poll(0.0, 0, 0)
    seen.on_poll(10.0, 100, 0)

    # Ten are expected, and of their root seven tenths are taken off.
    assert (seen.count(11.0), seen.count(11.0, trying=True)) == (7, 10)
    assert seen.until(10, 10.0) > seen.until(10, 10.0, trying=True) == pytest.approx(1.0)


def test_who_tries_for_all_waits_until_the_others_have_what_it_found():
    """It goes on from its new share, and not from the slots that it has to give back."""
    slots = refused_at(4)
    slots.on_share(10, 4, Sharers(40, tries_for=8))
    starts_taken(slots, 600, rounds=2)

    slots.on_share(10, 6, Sharers(44, tries_for=8))
    above = starts_taken(slots, 601, rounds=1)
    for _ in range(3):
        slots.ended()
    slots.on_share(10, 6, Sharers(44, tries_for=8))

    assert above == [0]
    assert starts_taken(slots, 602, rounds=1) == [4]


def test_a_limit_that_a_refusal_lowered_follows_its_share():
    """What others leave is had at once, not found again one by one."""
    slots = refused_at(4)

    slots.on_share(100, 20, Sharers(60, tries_for=0))
    taken = starts_taken(slots, 1, rounds=1)

    assert (slots.held, taken) == (20, [16])
    assert slots.found == 60
    slots.on_share(10, 10, Sharers(60, tries_for=0))
    assert not slots.take(1)


def test_of_runs_that_share_an_account_one_asks_for_more_as_seldom_as_a_run_alone():
    """Eight of five slots: after a quarter of the starts that one of forty would wait for."""
    slots, others = refused_at(5), refused_at(5)
    slots.on_share(100, 5, Sharers(40, tries_for=8))
    others.on_share(100, 5, Sharers(40, tries_for=0))

    def starts(limit: ConcurrencyLimit, most: int) -> int:
        for count in range(most):
            if limit.take(1):
                return count
            limit.ended()
            limit.take(1)
            limit.accepted(1)
        return most

    assert starts(slots, 200) == 100 * 2 / 8
    assert starts(others, 200) == 200


def test_a_rate_that_is_divided_anew_takes_what_was_found_along():
    """Half of the shards have ended: the rate doubles, as far under the allowed one as before."""
    limiter = RateLimiter(10.0)
    for n in range(25):
        limiter.accepted(n / 5)
    limiter.throttled(5.0)
    found = limiter.rate(5.0)

    limiter.on_ceiling(20.0)

    assert limiter.rate(5.0) == pytest.approx(2 * found)
    assert limiter.ceiling == 20.0
