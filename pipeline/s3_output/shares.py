"""How runs that share an account divide its slots, from what each says of itself; pure.

Nobody leads: each run computes its own share from the same table, so that the shares add up. How
many slots the account has is found as a run alone finds it, by what is refused and what is taken.
Whoever was refused a start waits until all have told how many jobs they had meanwhile: so many
slots the account has.
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

    `held` are its jobs that presumably still run, `used` the most that ran at once since the beat
    before; `wanted` are these and all that it has to start: a run that has ended wants none.
    `limit` is how many it may have. `account` is how many slots the account has in this `round`, 0
    where the run has not thought of it yet; `full` says that it was refused one of them. `started`
    are the jobs it has started so far.
    """

    held: Count = 0
    wanted: Count = 0
    round: Count = 0
    account: Count = 0
    limit: Count = 0
    full: bool = False
    used: Count = 0
    started: Count = 0

    @property
    def taken(self) -> int:
        """The slots that are no other's: those of its jobs, and those that it may fill any time."""
        return max(self.held, min(self.limit, self.wanted))


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


def divide(total: int, claims: Sequence[Claim], there: int | None = None) -> list[int]:
    """How many slots each may have now: it grows only into those that the others have not taken.

    Only of those that are `there` for certain, where these are fewer than the total.
    """
    fair = water_fill(total, [each.wanted for each in claims])
    kept = [min(share, each.taken) for share, each in zip(fair, claims, strict=True)]
    free = max(0, (total if there is None else there) - sum(each.taken for each in claims))
    grown = water_fill(free, [share - has for share, has in zip(fair, kept, strict=True)])
    return list(map(add, kept, grown))


def share_of(number: int, claims: Mapping[int, Claim], total: int, there: int | None = None) -> int:
    """The share of the run of this number, as `divide` has it.

    Where there are fewer slots than runs they go in turn: to those that have started the least.
    """
    crowded = count_wanting(claims.values()) > total
    order = sorted(claims, key=lambda each: (claims[each].started if crowded else 0, each))
    return divide(total, [claims[each] for each in order], there)[order.index(number)]


def in_motion(number: int, claims: Mapping[int, Claim], total: int) -> bool:
    """Whether the run has more or fewer slots than are its own once all have theirs.

    Where there are fewer slots than runs they go in turn, without end: that is none.
    """
    due = {each: msgspec.structs.replace(claim, held=0, limit=0) for each, claim in claims.items()}
    crowded = count_wanting(claims.values()) > total
    return not crowded and claims[number].taken != share_of(number, due, total)


def count_wanting(claims: Iterable[Claim]) -> int:
    """How many of the runs want slots."""
    return sum(each.wanted > 0 for each in claims)


def newest_account(claims: Iterable[Claim], most: int) -> Account:
    """The account of the newest round; where two runs began it at once, the smaller one."""
    told = [Account(each.round, min(most, each.account)) for each in claims if each.account]
    return min(told, key=lambda each: (-each.round, each.slots))


def slots_there(account: Account, claims: Collection[Claim]) -> int:
    """How many slots there are for certain: once a start was refused, those that are in use."""
    full = any(each.full and each.round == account.round for each in claims)
    return min(account.slots, sum(each.used for each in claims)) if full else account.slots


def next_account(account: Account, own: Claim, others: Collection[Claim], most: int) -> Account:
    """The account of the next round, where this run found another number of slots; else this one.

    A run that has told that it was `full` has heard from all others since. One that found more than
    it was given has as many as it has taken.
    """
    claims = [own, *others]
    if own.full:
        slots = slots_there(account, claims)
    else:
        slots = max(account.slots, sum(each.taken for each in claims))
    slots = max(1, min(most, slots))
    return account if slots == account.slots else Account(account.round + 1, slots)
