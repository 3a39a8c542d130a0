"""How runs divide an account: shares that add up, and an account that all have found together."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.s3_output.shares import (
    Account,
    Claim,
    divide,
    in_motion,
    newest_account,
    next_account,
    share_of,
    slots_there,
    water_fill,
)

COUNTS = st.integers(0, 300)
TOTALS = st.integers(0, 2_000)


@st.composite
def claims(draw, at_least: int = 1) -> list[Claim]:
    """Runs that hold no more than they want, but for those that have ended."""
    found = []
    for _ in range(draw(st.integers(at_least, 12))):
        held = draw(COUNTS)
        wanted = draw(st.sampled_from([0, held + draw(COUNTS)]))
        found.append(Claim(held=held, wanted=wanted, limit=draw(COUNTS), started=draw(COUNTS)))
    return found


@given(total=TOTALS, wants=st.lists(COUNTS, min_size=1, max_size=20))
def test_nobody_gets_more_than_wanted_and_nothing_is_left_that_is_wanted(total, wants):
    """The shares add up to the total, or to all that is wanted."""
    shares = water_fill(total, wants)

    assert sum(shares) == min(total, sum(wants))
    assert all(0 <= share <= want for share, want in zip(shares, wants, strict=True))


@given(total=TOTALS, wants=st.lists(COUNTS, min_size=1, max_size=20))
def test_who_is_left_wanting_has_at_most_one_less_than_anybody(total, wants):
    """It is as even as it can be, so nobody starves beside one that wants much."""
    shares = water_fill(total, wants)
    wanting = [share for share, want in zip(shares, wants, strict=True) if share < want]

    assert not wanting or max(shares) - min(wanting) <= 1


@given(total=TOTALS, wants=st.lists(COUNTS, min_size=1, max_size=20))
def test_more_to_divide_gives_nobody_less_and_who_wants_more_gets_no_less(total, wants):
    """So a share never shrinks because the account grew."""
    shares, more = water_fill(total, wants), water_fill(total + 1, wants)
    by_want = [share for _, share in sorted(zip(wants, shares, strict=True))]

    assert all(now <= then for now, then in zip(shares, more, strict=True))
    assert all(less <= greater for less, greater in pairwise(by_want))


@given(total=TOTALS, table=claims())
def test_shares_and_what_others_have_taken_fit_into_the_account(total, table):
    """Whoever keeps to its share now takes no slot that another one holds still, or may fill."""
    shares = divide(total, table)
    growing = sum(max(0, now - each.taken) for now, each in zip(shares, table, strict=True))

    assert sum(shares) <= total
    assert growing <= max(0, total - sum(each.taken for each in table))
    assert all(now <= each.wanted for now, each in zip(shares, table, strict=True))


@given(total=TOTALS, table=claims())
def test_once_all_hold_their_shares_nothing_moves(total, table):
    """Each run alone computes them anew at every beat."""
    settled = [holding(each, now) for each, now in zip(table, divide(total, table), strict=True)]
    shares = divide(total, settled)
    again = [holding(each, now) for each, now in zip(settled, shares, strict=True)]

    assert divide(total, again) == shares
    assert sum(shares) == min(total, sum(each.wanted for each in table))


@pytest.mark.parametrize(
    ("own", "other", "moves"),
    [
        (Claim(held=5, limit=5, wanted=9), Claim(held=5, limit=5, wanted=9), False),
        (Claim(held=7, limit=5, wanted=9), Claim(limit=3, wanted=9), True),
        (Claim(limit=3, wanted=9), Claim(held=7, limit=5, wanted=9), True),
        (Claim(held=3, limit=5, wanted=3), Claim(held=7, limit=7, wanted=9), False),
        (Claim(held=10, limit=10, wanted=20), Claim(), False),
    ],
)
def test_slots_change_hands_until_each_has_its_own(own, other, moves):
    """Ten slots: who has more than its part gives some up, and who has less is to have more."""
    assert in_motion(0, {0: own, 1: other}, 10) == moves


def test_slots_that_go_in_turn_are_not_in_motion():
    """They never come to rest, and beats need not come sooner for ever."""
    table = {number: Claim(held=number == 1, wanted=9) for number in range(3)}

    assert not any(in_motion(number, table, 2) for number in table)


def holding(claim: Claim, held: int) -> Claim:
    """The same run with so many jobs."""
    return Claim(held=held, wanted=claim.wanted, started=claim.started)


@given(data=st.data(), runs=st.integers(2, 40))
def test_with_fewer_slots_than_runs_each_has_its_turn(data, runs):
    """Slots go to those that have started the least, so all have started about as many."""
    total = data.draw(st.integers(1, runs - 1))
    started = dict.fromkeys(range(runs), 0)
    for _ in range(runs):
        table = {n: Claim(wanted=100, started=count) for n, count in started.items()}
        for n in started:
            started[n] += share_of(n, table, total)

    assert max(started.values()) - min(started.values()) <= 1
    assert sum(started.values()) == runs * total


def test_a_slot_that_does_not_divide_stays_where_it_is():
    """It would be idle each time that it moved to who has started less."""
    before = {n: Claim(held=5 + (n == 0), wanted=100, started=10) for n in range(3)}
    later = {n: Claim(held=5 + (n == 0), wanted=100, started=20 - n) for n in range(3)}

    assert [share_of(n, before, 16) for n in range(3)] == [6, 5, 5]
    assert [share_of(n, later, 16) for n in range(3)] == [6, 5, 5]


def test_slots_that_a_run_was_given_are_its_own_before_it_fills_them():
    """Its jobs are started within seconds; who began meanwhile would find its slots taken."""
    table = {
        0: Claim(held=9, wanted=100, limit=24),
        1: Claim(held=9, wanted=100, limit=24),
        2: Claim(wanted=100),
    }

    assert share_of(2, table, 48) == 0
    assert Claim(held=9, wanted=10, limit=24).taken == 10


def told(*used: int, round_: int = 0) -> list[Claim]:
    """Runs of which so many jobs ran at once."""
    return [Claim(round=round_, wanted=100, limit=each, used=each) for each in used]


@pytest.mark.parametrize(
    ("account", "own", "others", "slots"),
    [
        (144, 6, told(*[6] * 7), 48),  # believed three times too large
        (144, 24, told(24), 48),  # given twice, before the two had heard of each other
        (144, 0, told(24, 24, 0), 48),  # who came late was refused: none of that is missing
        (144, 6, [*told(6), Claim(held=4, used=4)], 16),  # jobs of one that has ended
        (48, 5, told(*[6] * 7), 47),
        (48, 6, told(6, *[7] * 6), 48),  # what one lost another has
        (4, 0, told(0), 1),  # others may fill it: then somebody has to ask now and then
    ],
)
def test_a_full_account_has_as_many_slots_as_are_in_use(account, own, others, slots):
    """Whoever was refused counts what all have, once it has heard from all others since."""
    refused = Claim(wanted=100, limit=own, used=own, full=True)

    assert next_account(Account(0, account), refused, others, 1_000).slots == slots


@pytest.mark.parametrize(
    ("account", "own", "most", "slots"),
    [
        (48, 10, 1_000, 52),
        (50, 10, 1_000, 52),  # two of the four had been given to nobody
        (54, 10, 1_000, 54),
        (48, 10, 50, 50),  # never more than the user allows
    ],
)
def test_an_account_has_as_many_slots_as_were_taken(account, own, most, slots):
    """One of the runs tries for more than its share, and what it finds is divided among all."""
    finder = Claim(wanted=100, limit=own, used=own)

    assert next_account(Account(0, account), finder, told(*[6] * 7), most).slots == slots


def test_a_round_is_of_another_number_of_slots():
    """Where nothing was found that was not known, what all have found goes on."""
    full = Claim(round=3, wanted=100, limit=5, used=5, full=True)

    assert next_account(Account(3, 48), full, told(*[6] * 7), 48) == Account(4, 47)
    assert next_account(Account(3, 47), full, told(*[6] * 7), 48) == Account(3, 47)


def test_nobody_grows_beyond_what_is_in_use_once_a_start_was_refused():
    """Until the slots are counted: each newcomer would be refused anew. An old refusal is past."""
    full = [*told(24, round_=2), Claim(round=2, wanted=100, limit=20, used=22, full=True)]
    table = dict(enumerate([*full, Claim(wanted=100)]))

    there = slots_there(Account(2, 144), full)

    assert there == 46
    assert sum(share_of(number, table, 144, there) for number in table) == 46
    assert slots_there(Account(3, 144), full) == 144


def test_the_newest_round_counts_and_of_two_at_once_the_smaller():
    """Whoever begins a round has counted what the older ones have told."""
    table = [
        Claim(round=3, account=40),
        Claim(round=4, account=52),
        Claim(round=4, account=47),
        Claim(round=9),  # has only begun, and knows of no account
    ]

    assert newest_account(table, 1_000) == Account(4, 47)
    assert newest_account(table, 30) == Account(4, 30)
