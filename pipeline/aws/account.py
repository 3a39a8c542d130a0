"""The account of a session, as STS tells every caller: no right is needed for it.

The service knows the jobs of one account alone: under another one they would be started, and paid
for, once more. An account that can't be told is no other one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.aws.error_codes import translated
from pipeline.errors import NoAccess, PipelineError
from pipeline.logs import event

if TYPE_CHECKING:
    from pipeline.aws.session import Session

_SECONDS = 5.0
"""A network without a way to STS must not hold up every run; a good answer takes a tenth of one."""


async def account_of(session: Session) -> str:
    """The number of the session's account; "" where it can't be told, after one try."""
    try:
        async with asyncio.timeout(_SECONDS):
            client = await session.client("sts")
            with translated("sts:GetCallerIdentity"):
                answer = await client.get_caller_identity()
    except (PipelineError, TimeoutError) as error:
        event("account.unknown", message=str(error))
        return ""
    return str(answer.get("Account", ""))


def refuse_another_account(jobs: str, there: str, ours: str, advice: str) -> None:
    """Refuse to start jobs again that another account has; pure.

    Args:
        jobs: a clause that says where which jobs are: "The file x has 3 jobs".
        there: the account that has them, "" where it is not known.
        ours: the account of these credentials, "" where it can't be told.
        advice: what helps beside the credentials of that account.

    Raises:
        NoAccess: they are of another account.
    """
    if there and ours and there != ours:
        raise NoAccess(
            f"{jobs} in the account {there}, and these credentials are of {ours}, where they would "
            "be started again and paid for twice",
            f"Use credentials of {there}. {advice}",
        )
