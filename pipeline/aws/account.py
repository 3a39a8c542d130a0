"""The account of a session, as STS tells every caller: no right is needed for it.

The service knows the jobs of one account alone: under another one they would be started, and paid
for, once more, and "not found" says nothing of them. An account that can't be told is no other one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.errors import NoAccess, PipelineError
from pipeline.logs import event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aws.session import Session

_SECONDS = 5.0
"""A network without a way to STS must not hold up every run; a good answer takes a tenth of one."""


async def account_of(session: Session) -> str:
    """The number of the session's account; "" where it can't be told, after one try."""
    from pipeline.aws.error_codes import translated  # loads botocore

    try:
        async with asyncio.timeout(_SECONDS):
            client = await session.client("sts")
            with translated("sts:GetCallerIdentity"):
                answer = await client.get_caller_identity()
    except (PipelineError, TimeoutError) as error:
        event("account.unknown", message=str(error))
        return ""
    return str(answer.get("Account", ""))


STARTED_AGAIN = "where they would be started again and paid for twice"
UNKNOWN_THERE = "which knows none of them"


def refuse_another_account(
    jobs: str, there: str, ours: str, advice: str = "", why: str = STARTED_AGAIN
) -> None:
    """Refuse to work on jobs that another account has; pure.

    Args:
        jobs: a clause that says where which jobs are: "The file x has 3 jobs".
        there: the account that has them, "" where it is not known.
        ours: the account of these credentials, "" where it can't be told.
        advice: what helps beside the credentials of that account.
        why: what would become of them, or is not known of them, under ours.

    Raises:
        NoAccess: they are of another account.
    """
    if there and ours and there != ours:
        raise NoAccess(
            f"{jobs} in the account {there}, and these credentials are of {ours}, {why}",
            f"Use credentials of {there}. {advice}".rstrip(),
        )


def other_accounts(jobs: str, known: Sequence[str], ours: str) -> tuple[str, ...]:
    """Which other accounts may have jobs that ours does not know; pure.

    Args:
        jobs: a clause that says where which jobs are.
        known: the accounts that have started some of them, "" for one that is not known.
        ours: the account of these credentials, "" where it can't be told.

    Returns:
        Those of them that are others; none where ours can't be told.

    Raises:
        NoAccess: ours has started none of them.
    """
    others = tuple(each for each in known if each and ours and each != ours)
    if others and ours not in known and "" not in known:
        refuse_another_account(jobs, " and ".join(others), ours, why=UNKNOWN_THERE)
    return others
