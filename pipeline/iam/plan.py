"""What `iam apply` would change: what should be there, compared with what is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.iam.current import more_rights, read_current
from pipeline.iam.diff import Change, Kind, Part, as_text, differing, refuse_strangers, wanted
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.iam.account import Account
    from pipeline.iam.diff import DesiredAccess


class Plan(NamedTuple):
    """Every part as it should be, what differs, and what each user may do beside that."""

    parts: dict[Part, Any]
    changes: list[Change]
    more: dict[str, list[str]]

    def lines(self) -> Iterator[str]:
        """The plan for people."""
        yield as_text(self.parts, self.changes)
        for user, rights in self.more.items():
            yield printable(f"! {user} also has {', '.join(rights)}; that stays as it is.")
        if not self.changes:
            yield "Nothing to change."


async def compared(account: Account, desired: DesiredAccess) -> Plan:
    """The plan that makes an account what it should be; nothing is changed.

    Raises:
        BadSettings: a policy is larger than IAM takes, a role is another service's, a profile
            holds other keys, or a user has as many as it may.
    """
    parts = wanted(desired)
    changes = differing(parts, await read_current(account, parts))
    refuse_strangers(changes)
    attached = ((part.name, arn) for part, arn in parts.items() if part.kind is Kind.ATTACHMENT)
    more = {user: await more_rights(account, user, arn) for user, arn in attached}
    return Plan(parts, changes, {user: rights for user, rights in more.items() if rights})
