"""How runs that share an account divide its slots, from what each says of itself; pure.

Nobody leads: each run computes its own share from the same table, so that the shares add up. How
many slots the account has is found as a run alone finds it, by what is refused and what is taken.
Once all have told what they found of their shares, the sum is the account of the next round, and is
divided again.
"""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one run has of the account's slots, and wants.

    `held` are its jobs that presumably still run, `wanted` these and all that it has to start; a
    run that has ended wants none. `account` is how many slots the account has in this `round`, 0
    where the run has not thought of it yet; `given` is its share of these, and `limit` what it has
    found of that: less where a start was refused, more where one beyond it was taken. It is
    `settled` once it has told so a beat after the one that began the round. `started` are the jobs
    it has started so far.
    """

    held: Count = 0
    wanted: Count = 0
    round: Count = 0
    account: Count = 0
    given: Count = 0
    limit: Count = 0
    settled: bool = False
    started: Count = 0


class Account(NamedTuple):
    """How many slots the account has, as the runs have found by this round."""

    round: int
    slots: int


def water_fill(total: int, wants: Sequence[int]) -> list[int]:
    """Shares of a total, as even as the wants allow; of what can't be even the first have more."""
    shares = [0] * len(wants)
    left, among = total, len(wants)
    for n in sorted(range(among), key=lambda n: (wants[n], -n)):
        shares[n] = min(wants[n], left // among)
        left, among = left - shares[n], among - 1
    return shares


def divide(total: int, claims: Sequence[Claim]) -> list[int]:
    """How many slots each may have now: it grows only into those that the others do not hold."""
    fair = water_fill(total, [each.wanted for each in claims])
    kept = [min(share, each.held) for share, each in zip(fair, claims, strict=True)]
    free = max(0, total - sum(each.held for each in claims))
    grown = water_fill(free, [share - has for share, has in zip(fair, kept, strict=True)])
    return list(map(add, kept, grown))


def share_of(number: int, claims: Mapping[int, Claim], total: int) -> int:
    """The share of the run of this number.

    Where there are fewer slots than runs they go in turn: to those that have started the least.
    """
    crowded = count_wanting(claims.values()) > total
    order = sorted(claims, key=lambda each: (claims[each].started if crowded else 0, each))
    return divide(total, [claims[each] for each in order])[order.index(number)]


def count_wanting(claims: Iterable[Claim]) -> int:
    """How many of the runs want slots."""
    return sum(each.wanted > 0 for each in claims)


def newest_account(claims: Iterable[Claim], most: int) -> Account:
    """The account of the newest round; where two runs began it at once, the smaller one."""
    told = [Account(each.round, min(most, each.account)) for each in claims if each.account]
    return min(told, key=lambda each: (-each.round, each.slots))


def next_account(account: Account, claims: Collection[Claim], most: int) -> Account:
    """The account of the next round, once all have told what they found in this one; else this one.

    Where a start was refused the account is full, and what is given to nobody is not there. It has
    as many slots as jobs run, whatever was refused to those who came late.
    """
    told = [each for each in claims if each.wanted]
    ready = all(each.settled and each.round == account.round for each in told)
    if not ready or all(each.limit == each.given for each in told):
        return account
    given = sum(each.given for each in told)
    kept = sum(min(each.limit, each.given) for each in told)
    more = sum(max(0, each.limit - each.given) for each in told)
    if kept < given:
        slots = min(account.slots, kept) + more
    else:
        slots = account.slots + max(0, more - max(0, account.slots - given))
    run = sum(each.held for each in claims)
    return Account(account.round + 1, max(1, min(most, max(run, slots))))
