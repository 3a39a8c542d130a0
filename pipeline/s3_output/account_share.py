"""One run's share of the account: its limits are set at every beat, from what all have told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.net.concurrency import Sharers
from pipeline.s3_output.claim import Lanes
from pipeline.s3_output.shares import (
    Account,
    Claim,
    in_motion,
    newest_account,
    next_account,
    share_of,
    slots_there,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.shards import Shard
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.retry import RateLimitedCall

_RISE = 16  # part of the account that a run may find beyond its share within a beat: what others
_LEAST_RISE = 3  # have free for a moment is not taken from them; slots that it finds at least
_NO_LANES = Lanes()


class AccountShare:
    """The limits of one run; the user's are of all shards together.

    `slots` are those of its jobs, `calls` the operations whose rates are shared. Of several `lanes`
    each is an account of its own: only the shards `beside` this one have the same. `in_motion`
    tells that slots of a known account are to change hands.
    """

    def __init__(
        self,
        shard: Shard,
        slots: JobSlots,
        calls: Sequence[RateLimitedCall],
        lanes: Lanes = _NO_LANES,
    ) -> None:
        self._shard = shard
        self.beside = shard.beside(len(lanes.profiles))
        self._slots = slots
        self._calls = calls
        self._most = slots.limit.ceiling
        self._account = Account(0, self._most)
        self._given = self._most
        self._used = 0
        self._full = False
        self._heard = False
        self.in_motion = False

    def claim(self, wanted: int, started: int, *, listing: bool = False) -> Claim:
        """What this run has and wants.

        Args:
            wanted: the jobs that are open or are to be started, as far as is known.
            started: how many it has started.
            listing: whether more may come; it then wants its part at least.
        """
        limit = self._slots.limit
        held = limit.running(asyncio.get_running_loop().time())
        part = self._most // len(self.beside) if listing else 0
        return Claim(
            held=held,
            wanted=max(1, held, wanted, part),
            round=self._account.round,
            account=self._account.slots,
            limit=limit.limit if self._heard else 0,
            full=self._full,
            used=max(held, limit.most_running, self._used),
            started=started,
        )

    def take(self, own: Claim, others: Mapping[int, Claim]) -> None:
        """Set the limits beside the others that go on, by their numbers.

        The shards of an array begin together: who hears of nobody yet leaves them their parts.
        """
        claims = self._table(own, others)
        account = newest_account(claims.values(), self._most)
        newer = account.round > own.round
        # What was found of the last round's share is in the account of the next one.
        found = 0 if newer else self._slots.limit.limit - self._given
        if found > 0 or (own.full and not newer):
            rest = [each for number, each in claims.items() if number != self._shard.number]
            account, found = next_account(account, own, rest, self._most), 0
        self._account, self._full, self._heard = account, found < 0, True
        self._used = self._slots.limit.most_running
        # Who looks for the account's slots takes some at each beat: these are not to come sooner.
        known = account.slots == self._most
        self.in_motion = known and in_motion(self._shard.number, claims, self._most)
        own = replace(claims[self._shard.number], full=self._full)
        self._set(claims | {self._shard.number: own}, found)

    def _table(self, own: Claim, others: Mapping[int, Claim]) -> dict[int, Claim]:
        """The claims of all by their numbers, this one's among them."""
        alone = not any(each.wanted for each in others.values())
        claims = {self._shard.number: replace(own, wanted=self._most) if alone else own, **others}
        if self._heard:
            return claims
        return dict.fromkeys(self.beside, Claim(wanted=self._most)) | claims

    def _set(self, claims: Mapping[int, Claim], found: int) -> None:
        number, slots = self._shard.number, self._account.slots
        there = slots_there(self._account, claims.values())
        given = self._given = share_of(number, claims, slots, there)
        wanting = [each for each, claim in claims.items() if claim.wanted]
        tries_for = len(wanting) if number == min(wanting) else 0
        most = min(share_of(number, claims, self._most), given + max(_LEAST_RISE, slots // _RISE))
        kept = min(given, self._slots.limit.limit)  # a smaller share loses no slot twice
        self._slots.on_share(
            most,
            max(given + found, kept),
            Sharers(slots, tries_for) if len(wanting) > 1 else None,
        )
        for call in self._calls:
            call.on_share(len(wanting))
