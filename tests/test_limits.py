"""The brakes as arithmetic, with a clock that is only a number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.limits import Pace, Slots

few = settings(max_examples=80, deadline=None)

rates = st.sampled_from([0.02, 0.05]) | st.floats(0.1, 500)  # the first lie below the floor
pauses = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.05, 0.7, 3.0]), min_size=2, max_size=60)
ceilings = st.integers(1, 40)
steps = st.lists(st.sampled_from(["take", "give back", "refused", "wait", "long"]), max_size=120)


def turns_of(pace: Pace, waits: list[float], *, throttled: bool = False) -> list[float]:
    """The moments of the calls that are asked for after each of these pauses."""
    now, turns = 0.0, []
    for index, pause in enumerate(waits):
        now += pause
        turns.append(now + pace.reserve(now))
        if throttled and index % 3 == 1:
            pace.throttled(now)
    return turns


def assert_never_faster(rate: float, turns: list[float]) -> None:
    """In every window of t seconds lie at most rate * t + 1 turns."""
    ordered = sorted(turns)
    for first in range(len(ordered)):
        for last in range(first, len(ordered)):
            window = ordered[last] - ordered[first]
            assert last - first + 1 <= rate * window + 1 + 1e-6


@few
@given(rates, pauses)
def test_no_window_holds_more_turns_than_the_rate_allows(rate, waits):
    """Never more than rate * t + 1 turns lie in any t seconds, however the calls arrive."""
    assert_never_faster(rate, turns_of(Pace(rate), waits))


@few
@given(rates, pauses)
def test_throttles_never_make_it_faster(rate, waits):
    """The ceiling holds for a throttled operation too, the slowest ones included."""
    assert_never_faster(rate, turns_of(Pace(rate), waits, throttled=True))


@few
@given(rates, st.integers(2, 60))
def test_the_rate_is_used_up(rate, calls):
    """Calls that all wait get exactly the rate, not less."""
    turns = turns_of(Pace(rate), [0.0] * calls)

    assert turns[-1] == pytest.approx((calls - 1) / rate)


def test_ten_a_second_are_a_tenth_of_a_second_apart():
    """A rate of 10 spaces the turns by 0.1 seconds."""
    pace = Pace(10)

    turns = [pace.reserve(5.0) for _ in range(4)]

    assert turns == pytest.approx([0, 0.1, 0.2, 0.3])


def test_idle_time_saves_up_no_turns():
    """After an hour without a call the second of two calls still waits its turn."""
    pace = Pace(10)
    pace.reserve(0)

    pair = [pace.reserve(3600), pace.reserve(3600)]

    assert pair == pytest.approx([0, 0.1])


def test_a_throttled_call_lowers_the_rate():
    """After a throttle the turns are further apart than the ceiling has them."""
    pace = Pace(10)
    pace.throttled(0)

    waits = [pace.reserve(0), pace.reserve(0)]

    assert waits == pytest.approx([0, 1 / 7])


def test_throttles_of_one_moment_count_once():
    """The calls already under way when the first was throttled say nothing new."""
    one, many = Pace(100), Pace(100)
    one.throttled(0)

    for tenth in range(10):
        many.throttled(tenth / 10)

    assert one.rate == many.rate


@few
@given(rates, st.lists(st.floats(0, 20), max_size=30))
def test_a_throttled_rate_recovers_to_the_ceiling_in_a_minute(rate, pauses):
    """Sixty seconds after the last throttle the rate is the ceiling again, and never above it."""
    pace, now = Pace(rate), 0.0
    for pause in pauses:
        now += pause
        pace.throttled(now)
        assert 0 < pace.rate <= rate

    pace.reserve(now + 60.01)

    assert pace.rate == pytest.approx(rate)


def test_endless_throttles_leave_one_call_in_ten_seconds():
    """The rate never falls so low that a recovered service would not be noticed."""
    pace = Pace(25)

    for second in range(0, 1000, 2):
        pace.throttled(second)

    assert 0.1 <= pace.rate <= 2


def test_a_limiter_twice_too_fast_is_noticed():
    """The check of these tests fails for turns that come at twice the rate."""
    twice_too_fast = turns_of(Pace(20), [0.0] * 10)

    with pytest.raises(AssertionError):
        assert_never_faster(10, twice_too_fast)


def play(slots: Slots, moves: list[str]) -> float:
    """Make the moves that are possible, hold the invariants after each, return the time."""
    now = 0.0
    for move in moves:
        now += {"wait": 1.0, "long": 11.0}.get(move, 0.01)
        if move == "take" and slots.held < slots.limit:
            assert slots.take(now)
        elif move == "give back" and slots.held:
            slots.give_back()
        elif move == "refused" and slots.held:
            slots.refused(now)
            assert slots.limit <= slots.held
        assert 0 <= slots.held <= slots.limit <= slots.ceiling
    return now


@few
@given(ceilings, steps)
def test_never_more_slots_are_held_than_the_limit(ceiling, moves):
    """Held is at most the limit, the limit at most the ceiling, and a refusal lowers it to held."""
    play(Slots(ceiling), moves)


@few
@given(ceilings, steps)
def test_after_refusals_the_limit_recovers_to_the_ceiling(ceiling, moves):
    """Without a further refusal every slot of the ceiling can be held again in ten minutes."""
    slots = Slots(ceiling)
    now = play(slots, moves)

    for seconds in range(0, 600, 5):
        slots.take(now + seconds)

    assert slots.held == slots.limit == ceiling


def test_a_full_house_gives_no_slot():
    """The slot after the last one is not given before one is given back."""
    slots = Slots(2)
    taken = [slots.take(0), slots.take(0), slots.take(0)]

    slots.give_back()

    assert [*taken, slots.take(0)] == [True, True, False, True]


def test_a_refused_start_waits_for_one_of_ours_to_end():
    """After a refusal the next start gets a slot only when another is given back."""
    slots = Slots(10)
    for _ in range(4):
        slots.take(0)
    slots.refused(0)
    at_once = slots.take(0.01)

    slots.give_back()

    assert (at_once, slots.take(0.02)) == (False, True)


def test_a_refusal_with_nothing_of_ours_running_is_not_tried_again_at_once():
    """Where others hold every slot of the account, the next start waits for ten seconds."""
    slots = Slots(1)
    slots.take(0)

    slots.refused(0)

    assert [slots.take(t) for t in (0.01, 9.9, 10.0)] == [False, False, True]
    assert slots.patience(20) == math.inf


def test_the_limit_is_raised_in_growing_steps():
    """Ten seconds without a refusal raise it by 1, then 2, then 4."""
    slots = Slots(100)
    slots.take(0)
    slots.take(0)
    slots.refused(0)
    seen = []

    for seconds in (9, 10, 20, 30):
        slots.take(seconds)
        seen.append(slots.limit)

    assert seen == [1, 2, 4, 8]


def test_a_refusal_begins_the_steps_anew():
    """After a second refusal the limit rises by 1 again."""
    slots = Slots(100)
    slots.take(0)
    slots.refused(0)
    for seconds in (10, 20, 30):
        slots.take(seconds)
    slots.refused(31)
    before = slots.limit

    slots.take(41)

    assert slots.limit == before + 1


def test_patience_lasts_until_the_next_raise():
    """Who waits for a slot is told when the limit may grow by itself."""
    slots = Slots(5)
    endless = slots.patience(0)
    slots.take(0)
    slots.refused(2)

    assert (endless, slots.patience(5), slots.patience(99)) == (math.inf, 7, 0)


def test_adopted_jobs_count_against_the_limit():
    """Jobs that already run take slots even beyond the limit, and none is free until they end."""
    slots = Slots(1)
    slots.take_anyway()
    slots.take_anyway()
    slots.give_back()
    full = slots.take(0)

    slots.give_back()

    assert (full, slots.take(0)) == (False, True)
