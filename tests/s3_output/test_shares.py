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
    newest_account,
    next_account,
    share_of,
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
        found.append(Claim(held=held, wanted=wanted, started=draw(COUNTS)))
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
def test_shares_and_what_others_still_hold_fit_into_the_account(total, table):
    """Whoever keeps to its share now takes no slot that another one has not given back yet."""
    shares = divide(total, table)
    growing = sum(max(0, now - each.held) for now, each in zip(shares, table, strict=True))

    assert sum(shares) <= total
    assert growing <= max(0, total - sum(each.held for each in table))
    assert all(now <= each.wanted for now, each in zip(shares, table, strict=True))


@given(total=TOTALS, table=claims())
def test_once_all_hold_their_shares_nothing_moves(total, table):
    """Each run alone computes them anew at every beat."""
    settled = [holding(each, now) for each, now in zip(table, divide(total, table), strict=True)]
    shares = divide(total, settled)
    again = [holding(each, now) for each, now in zip(settled, shares, strict=True)]

    assert divide(total, again) == shares
    assert sum(shares) == min(total, sum(each.wanted for each in table))


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


def told(*found: tuple[int, int], round_: int = 0, **more: int) -> list[Claim]:
    """Runs that have told what they found of what they were given."""
    return [
        Claim(wanted=100, round=round_, given=given_, limit=limit, settled=True, **more)
        for given_, limit in found
    ]


@pytest.mark.parametrize(
    ("account", "found", "slots"),
    [
        (144, [(18, 6)] * 8, 48),  # believed three times too large
        (144, [(144, 48), (72, 0)], 48),  # given twice, before the two had heard of each other
        (144, [(18, 6)] * 2, 12),  # starts were refused, so what is given to nobody is not there
        (48, [(6, 6)] * 7 + [(6, 10)], 52),  # it has grown
        (50, [(6, 6)] * 7 + [(6, 10)], 52),  # two of the four had been given to nobody
        (48, [(24, 20), (24, 28)], 48),  # what one lost another has found
        (48, [(6, 6)] * 8, 48),
    ],
)
def test_the_account_of_the_next_round_is_what_all_have_found(account, found, slots):
    """Less where starts were refused, more where slots were taken that were nobody's."""
    assert next_account(Account(0, account), told(*found), 1_000).slots == slots


def test_a_round_ends_when_all_have_told_and_none_of_them_waits_for_those_that_ended():
    """One that has not thought of the round yet would find its own shrunken share again."""
    found = told((18, 6), (18, 6))
    ended = Claim(held=4)
    behind = Claim(wanted=9, round=0, given=18, limit=18)

    assert next_account(Account(0, 36), [*found, behind], 36) == Account(0, 36)
    assert next_account(Account(0, 36), [*found, ended], 36) == Account(1, 12)


def test_an_account_has_as_many_slots_as_jobs_run():
    """Who came late was refused because others still held theirs: none of that is missing."""
    late = told((24, 0), (24, 0), round_=3)
    early = told((24, 24), round_=3, held=40)

    assert next_account(Account(3, 72), [*late, *early], 72).slots == 40


def test_an_account_is_never_without_a_slot_nor_larger_than_the_user_allows():
    """Others may fill it: then somebody has to ask now and then."""
    assert next_account(Account(0, 4), told((2, 0), (2, 0)), 4).slots == 1
    assert next_account(Account(0, 4), told((2, 6), (2, 6)), 5).slots == 5


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
