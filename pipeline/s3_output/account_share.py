"""One run's share of the account: its limits are set at every beat, from what all have told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.net.concurrency import Sharers
from pipeline.s3_output.shares import (
    Account,
    Claim,
    newest_account,
    next_account,
    share_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config.shards import Shard
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.retry import RateLimitedCall


class AccountShare:
    """The limits of one run; the user's are of all shards together.

    `slots` are those of its jobs, `calls` the operations whose rates are shared.
    """

    def __init__(self, shard: Shard, slots: JobSlots, calls: Sequence[RateLimitedCall]) -> None:
        self._shard = shard
        self._slots = slots
        self._calls = calls
        self._most = slots.limit.ceiling
        self._account = Account(0, self._most)
        self._given = self._most
        self._settled = False
        self._heard = False

    def claim(self, wanted: int, started: int, *, listing: bool = False) -> Claim:
        """What this run has and wants.

        Args:
            wanted: the jobs that are open or are to be started, as far as is known.
            started: how many it has started.
            listing: whether more may come; it then wants its part at least.
        """
        held = self._slots.limit.running(asyncio.get_running_loop().time())
        part = self._most // self._shard.count if listing else 0
        return Claim(
            held=held,
            wanted=max(1, held, wanted, part),
            round=self._account.round,
            account=self._account.slots,
            given=self._given,
            limit=self._slots.limit.limit,
            settled=self._settled,
            started=started,
        )

    def take(self, own: Claim, others: Mapping[int, Claim]) -> None:
        """Set the limits beside the others that go on, by their numbers.

        The shards of an array begin together: who hears of nobody yet leaves them their parts.
        """
        alone = not any(each.wanted for each in others.values())
        claims = {self._shard.number: replace(own, wanted=self._most) if alone else own, **others}
        if not self._heard:
            absent = Claim(wanted=self._most)
            claims = dict.fromkeys(range(self._shard.count), absent) | claims
        self._heard = True
        account = newest_account(claims.values(), self._most)
        if account.round == own.round:
            told = [replace(own, settled=True), *others.values()]
            account = next_account(account, told, self._most)
        # What was found of the last round's share is in the account of the next one.
        found = 0 if account.round > own.round else own.limit - own.given
        self._settled = account.round == own.round
        self._account = account
        self._set(claims, own.limit, found)

    def _set(self, claims: Mapping[int, Claim], limit: int, found: int) -> None:
        number, slots = self._shard.number, self._account.slots
        self._given = share_of(number, claims, slots)
        wanting = [each for each, claim in claims.items() if claim.wanted]
        tries_for = len(wanting) if number == min(wanting) else 0
        self._slots.on_share(
            share_of(number, claims, self._most),
            max(
                self._given + found, min(self._given, limit)
            ),  # a smaller share loses no slot twice
            Sharers(slots, tries_for) if len(wanting) > 1 else None,
        )
        for call in self._calls:
            call.on_share(len(wanting))
