"""Whether the jobs that a state file has in flight are in the account that the run would use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import StateUnusable
from pipeline.text import count_of

if TYPE_CHECKING:
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.state.run_state import RunState


class Elsewhere(NamedTuple):
    """How many jobs another account than `account` would start again; "" where it is not known."""

    account: str = ""
    jobs: int = 0


def jobs_so_far(config: Config, *, rebuilds: bool) -> Elsewhere:
    """What another account would start again of what the state file knows.

    With `--results` those are the jobs that may still run, as a transcript is found there whoever
    asks. Without, the account alone has the transcripts: those of all jobs, where the state is to
    be rebuilt.
    """
    from pipeline.state.reader import read_state

    try:
        with read_state(config.state_path) as state:
            account = state.facts.value("account") or ""
            begun = [moment for _, moment in state.recordings.in_flight()] if account else []
            if config.output.results:
                since = time.time() - config.limits.job_timeout_hours * 3600
                return Elsewhere(account, sum(moment > since for moment in begun))
            written = state.facts.output_lines if rebuilds else 0
            return Elsewhere(account, len(begun) + written)
    except StateUnusable:
        return Elsewhere()  # there is none, or the run says what is wrong with it


async def keep_to_account(
    session: Session, config: Config, state: RunState, known: Elsewhere
) -> None:
    """Remember the account of this run's jobs, unless those of before are in another one.

    Raises:
        NoAccess: they are.
    """
    from pipeline.aws.account import account_of, refuse_another_account

    account = await account_of(session)
    if known.jobs:
        jobs = f"The state file {config.state_path} has {count_of(known.jobs, 'job')}"
        refuse_another_account(jobs, known.account, account, _advice(config))
    state.facts.note_account(account)


def _advice(config: Config) -> str:
    if not config.output.results:
        return "Without --results that account alone has their transcripts."
    return (
        f"Or wait until {config.limits.job_timeout_hours:g} hours after the last start "
        "(job_timeout_hours): the transcripts are then found below --results."
    )
