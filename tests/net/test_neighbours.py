"""Several runs side by side on one account, none of which knows of the others."""

from __future__ import annotations

import asyncio
import random
from statistics import mean

import pytest

from benchmarks.schedule import list_schedule
from pipeline.local import Quotas
from tests.support.account import Account, Customer, side_by_side
from tests.support.owned_time import in_owned_time

SLOTS = 48


def neighbours(account: Account, *begins_at: float) -> list[Customer]:
    """Runs of the usual flags that begin at these moments."""
    return [
        Customer(account, account.rate, list_rate=account.list_rate, begins_at=each)
        for each in begins_at
    ]


def account_of(seed: int, rate: float = 25, list_rate: float = 5) -> Account:
    """48 slots and jobs of 2 to 6 seconds; what is by chance follows from the seed."""
    random.seed(seed)
    return Account(rate=rate, slots=SLOTS, list_rate=list_rate, seed=seed)


def shared(account: Account, runs: int, apart: float, recordings: int) -> tuple[float, float]:
    """The makespan of runs with a part of the recordings each, ÷ the best; refused starts.

    Each but the first begins within so many seconds after it.
    """
    begins = [0.0, *(random.uniform(0, apart) for _ in range(runs - 1))]
    seconds = side_by_side(neighbours(account, *begins), [recordings // runs] * runs)
    best = list_schedule(account.jobs, Quotas(slots=SLOTS, start=account.rate))
    return seconds / best, account.refused_share()


@pytest.mark.parametrize(
    ("runs", "apart", "most", "refused"),
    [
        (1, 0, 1.08, 0.03),
        (2, 3, 1.16, 0.07),
        pytest.param(4, 0, 1.20, 0.10, marks=pytest.mark.long),
        pytest.param(2, 0, 1.13, 0.06, marks=pytest.mark.long),
        pytest.param(4, 3, 1.25, 0.13, marks=pytest.mark.long),
        pytest.param(8, 3, 1.55, 0.21, marks=pytest.mark.long),
    ],
)
def test_runs_side_by_side_use_the_account_nearly_as_well_as_one(runs, apart, most, refused):
    """Whether they begin together or seconds apart, none of them starves."""
    found = [shared(account_of(seed), runs, apart, 600) for seed in range(8)]

    assert mean(ratio for ratio, _ in found) < most
    assert mean(share for _, share in found) < refused


@pytest.mark.parametrize(
    ("runs", "most"), [(4, 1.20), pytest.param(2, 1.15, marks=pytest.mark.long)]
)
def test_quick_starts_and_looks_are_shared_as_well(runs, most):
    """960 recordings with a hundred starts a second, and looks four times as often."""
    found = [shared(account_of(seed, 100, 20), runs, 0, 960) for seed in range(4)]

    assert mean(ratio for ratio, _ in found) < most


def share_of_a_second(seed: int, *, after: float) -> float:
    """Which part of a minute's starts a second run makes, so long after it has begun.

    The first one held every slot when it began.
    """
    pair = neighbours(account_of(seed), 0, 30)

    async def watched() -> float:
        runs = [asyncio.create_task(each.work(10_000)) for each in pair]
        await asyncio.sleep(30 + after)
        before = [each.started for each in pair]
        await asyncio.sleep(60)
        for run in runs:
            run.cancel()
        first, second = (each.started - old for each, old in zip(pair, before, strict=True))
        return second / (first + second)

    return in_owned_time(watched())


@pytest.mark.parametrize("accounts", [3, pytest.param(6, marks=pytest.mark.long)])
def test_shares_even_out_within_a_minute(accounts):
    """Who comes to an account that another run fills has its part of it a minute later."""
    shares = [share_of_a_second(seed, after=60) for seed in range(accounts)]

    assert 0.33 < mean(shares) < 0.67
    assert min(shares) > 0.1


def test_a_small_run_beside_a_big_one_need_not_wait_for_its_end():
    """Fifty recordings that come while a thousand are under way take half a minute."""
    took = []
    for seed in range(4):
        big, small = neighbours(account_of(seed), 0, 40)
        side_by_side([big, small], [1_000, 50])
        took.append(small.ended_at - 40)
        assert big.ended_at < 1.25 * 1_050 * 4 / SLOTS

    assert mean(took) < 36


def test_the_slots_of_a_run_that_has_ended_are_taken_over():
    """Half a minute after its last job the other run uses the account alone."""
    for seed in range(4):
        account = account_of(seed)
        first, second = neighbours(account, 0, 0)
        side_by_side([first, second], [200, 1_500])

        assert account.rate_between(first.ended_at + 30, first.ended_at + 60) > 0.88 * SLOTS / 4
