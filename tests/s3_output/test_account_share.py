"""Shards on one account that hear of each other: nobody leads, and together they are as one run."""

from __future__ import annotations

import asyncio
import random
from statistics import mean

import pytest

from benchmarks.schedule import list_schedule
from pipeline.config.shards import Shard
from pipeline.local import Quotas
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from pipeline.s3_output.account_share import AccountShare
from pipeline.s3_output.claim import Lanes
from pipeline.s3_output.shares import Claim
from tests.support.account import Account, side_by_side
from tests.support.shards import by_chance, shards_of, watched

SLOTS = 48


def account_of(seed: int, slots: int = SLOTS, rate: float = 100, **more) -> Account:
    """Jobs of 2 to 6 seconds, 100 starts and 20 listings a second, where nothing else is said."""
    random.seed(seed)
    return Account(rate=rate, slots=slots, list_rate=rate / 5, seed=seed, **more)


def shared(account: Account, believed: int, every: float, apart: float) -> tuple[float, float]:
    """The makespan of 960 recordings with eight shards, ÷ the best; refused starts."""
    begins = [0.0, *(random.uniform(0, apart) for _ in range(7))]
    seconds = side_by_side(shards_of(account, begins, believed, every), by_chance(960, 8))
    slots = min(believed, account.slots)
    best = list_schedule(account.jobs, Quotas(slots=slots, start=account.rate))
    return seconds / best, account.refused_share()


@pytest.mark.parametrize(
    ("believed", "every", "apart", "most", "refused"),
    [
        (SLOTS, 2, 5, 1.12, 0.01),
        (3 * SLOTS, 2, 5, 1.16, 0.05),
        (SLOTS, 30, 0, 1.20, 0.01),
        pytest.param(SLOTS, 2, 0, 1.12, 0.01, marks=pytest.mark.long),
        pytest.param(SLOTS, 2, 10, 1.12, 0.01, marks=pytest.mark.long),
        pytest.param(SLOTS // 3, 2, 5, 1.10, 0.01, marks=pytest.mark.long),
        pytest.param(3 * SLOTS, 2, 0, 1.16, 0.05, marks=pytest.mark.long),
        pytest.param(3 * SLOTS, 2, 10, 1.16, 0.05, marks=pytest.mark.long),
        pytest.param(1_000, 2, 10, 1.16, 0.06, marks=pytest.mark.long),
    ],
)
def test_eight_shards_use_the_account_nearly_as_well_as_one_run(
    believed, every, apart, most, refused
):
    """Whatever they are told of its quota, and whether they begin together or seconds apart."""
    found = [shared(account_of(seed), believed, every, apart) for seed in range(3)]

    assert mean(ratio for ratio, _ in found) < most
    assert mean(share for _, share in found) < refused


@pytest.mark.parametrize(
    ("believed", "most", "refused"),
    [(3 * SLOTS, 1.16, 0.07), pytest.param(SLOTS, 1.10, 0.01, marks=pytest.mark.long)],
)
def test_beats_half_a_minute_apart_are_enough_for_jobs_of_a_minute(believed, most, refused):
    """Slots change hands no quicker than jobs end; the shards begin within a minute."""
    found = [
        shared(account_of(seed, rate=25, job_seconds=(30, 90)), believed, 30, 60)
        for seed in range(2)
    ]

    assert mean(ratio for ratio, _ in found) < most
    assert mean(share for _, share in found) < refused


async def test_what_was_refused_in_a_round_counts_once():
    """Another shard has counted it: in the round that follows nothing is told of it again."""
    slots = JobSlots(100, WaitTimes())
    share = AccountShare(Shard(0, 2), slots, [])
    share.take(share.claim(100, 0), {1: Claim(wanted=100)})
    for _ in range(11):
        slots.limit.take(0)
    for _ in range(10):
        slots.limit.accepted(0)
    slots.limit.refused(0)

    counted = Claim(round=1, account=20, held=10, limit=10, wanted=100)
    share.take(share.claim(100, 10), {1: counted})

    assert slots.limit.limit == 10
    assert not share.claim(100, 10).full


def share_between(account: Account, begin: float, end: float) -> float:
    """Which part of the account's slots was in use, as jobs take four seconds."""
    return account.rate_between(begin, end) * 4 / account.slots


def test_what_the_shards_may_have_is_never_more_than_the_user_allows():
    """`--max-in-flight` is of all: they never hold more together, whoever ends or begins."""
    account = account_of(1, slots=1_000)
    begins = [0.0, 0.0, 0.3, 12.0, 31.0]
    side_by_side(shards_of(account, begins, 40, 2), [80, 150, 80, 150, 150])

    assert account.most_running == 40
    assert not account.refused_at


def test_a_shard_that_begins_late_has_its_part_within_seconds():
    """It takes what the others give back, and few of its starts are refused."""
    account = account_of(2)
    runs = shards_of(account, [0, 0, 0, 30], believed=SLOTS, every=2)

    async def look() -> None:
        await asyncio.sleep(44)
        before = [each.started for each in runs]
        await asyncio.sleep(40)
        parts = [each.started - then for each, then in zip(runs, before, strict=True)]
        assert min(parts) > 0.85 * max(parts)

    watched(runs, look())
    assert account.refused_share() < 0.03


def test_the_slots_of_a_shard_that_ends_are_the_others_within_seconds():
    """Its last beat gives them back."""
    account = account_of(3)
    first, *_ = runs = shards_of(account, [0, 0, 0], believed=SLOTS, every=2)
    side_by_side(runs, [150, 700, 700])

    assert share_between(account, first.ended_at + 5, first.ended_at + 30) > 0.88


@pytest.mark.parametrize("believed", [3 * SLOTS, pytest.param(SLOTS, marks=pytest.mark.long)])
def test_a_shard_that_stands_still_is_missed_and_comes_back(believed):
    """Two minutes of silence: the others have its slots meanwhile, and it has its part again."""
    account = account_of(4)
    runs = shards_of(account, [0, 0, 0], believed=believed, every=2)

    async def look() -> None:
        await asyncio.sleep(30)
        await runs[0].stop_for(120)
        await asyncio.sleep(20)
        before = [each.started for each in runs]
        await asyncio.sleep(40)
        parts = [each.started - then for each, then in zip(runs, before, strict=True)]
        assert min(parts) > 0.7 * max(parts)

    watched(runs, look())
    assert share_between(account, 60, 150) > 0.85
    assert account.refused_share() < 0.06


@pytest.mark.parametrize(("before", "after"), [(24, 48), (48, 24)])
def test_an_account_that_changes_is_followed_by_all(before, after):
    """One of the shards asks for more now and then; a refusal of any of them counts for all."""
    account = account_of(5, slots=before, changes=[(40, 100, after)])
    runs = shards_of(account, [0.5 * n for n in range(8)], believed=1_000, every=2)

    watched(runs, asyncio.sleep(160))

    assert share_between(account, 100, 160) > 0.8
    assert account.refused_share(since=60) < 0.07


def test_with_fewer_slots_than_shards_each_has_its_turn():
    """Three slots for eight shards: they go round, and hardly a start is refused."""
    account = account_of(6, slots=3)
    runs = shards_of(account, [0] * 8, believed=3, every=2)

    watched(runs, asyncio.sleep(240))

    assert min(each.started for each in runs) > 0.6 * max(each.started for each in runs)
    assert account.most_running == 3
    assert not account.refused_at


async def test_shards_of_another_lane_take_nothing_of_the_account():
    """Of four shards on two accounts two share one: each begins with half of its slots."""
    for lanes, part in (((), 10), (("a", "b"), 20)):
        slots = JobSlots(40, WaitTimes())
        share = AccountShare(Shard(1, 4), slots, [], Lanes(lanes))
        own = share.claim(100, 0, listing=True)
        share.take(own, {})

        assert slots.limit.limit == part
