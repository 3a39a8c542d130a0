"""Whether the jobs that a state file knows are in the account that the run would use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.aws.account import STARTED_AGAIN, UNKNOWN_THERE, account_of, refuse_another_account
from pipeline.errors import StateUnusable
from pipeline.launch.event_loop import in_event_loop
from pipeline.launch.services import services
from pipeline.naming import S3Uri, job_name_prefix, parse_s3_uri
from pipeline.text import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.state.facts import Facts
    from pipeline.state.in_flight import InFlight
    from pipeline.state.lock import StateLock
    from pipeline.state.run_state import RunState


class Elsewhere(NamedTuple):
    """The `jobs` that another account than these would start again: how many, and whose they are.

    The last run's account comes first, "" where it is not known. With `found_below_results` all
    jobs that have ended are found there. `why` is what would become of them.
    """

    accounts: tuple[str, ...] = ()
    jobs: int = 0
    found_below_results: bool = False
    why: str = STARTED_AGAIN


def jobs_so_far(config: Config, *, rebuilds: bool) -> Elsewhere:
    """What another account would start again, or not find, of what the state file knows.

    Where all runs had the same `--results` those are the jobs that may still run, as a transcript
    is found there whoever asks. Else an account alone has the transcripts: those of all its jobs,
    where the state or the output is to be rebuilt.
    """
    from pipeline.state.facts import accounts_in
    from pipeline.state.reader import read_state

    try:
        with read_state(config.state_path) as state:
            accounts = accounts_in(state.facts)
            begun = [moment for _, moment in state.recordings.in_flight()] if any(accounts) else []
            if found := _are_found(config, state.facts):
                since = time.time() - config.limits.job_timeout_hours * 3600
                return Elsewhere(accounts[:1], sum(moment > since for moment in begun), found)
            if rebuilds:
                why = STARTED_AGAIN if begun else UNKNOWN_THERE
                return Elsewhere(accounts, len(begun) + state.facts.output_lines, why=why)
            return Elsewhere(accounts[:1], len(begun))
    except StateUnusable:
        return Elsewhere()  # there is none, or the run says what is wrong with it


def _are_found(config: Config, facts: Facts) -> bool:
    """Whether all jobs were told to write below today's `--results`, where alone a run looks."""
    told, ours = facts.told_results(), config.output.results
    return bool(ours) and {parse_s3_uri(each) for each in told} <= {parse_s3_uri(ours)}


def refuse_jobs_elsewhere(account: str, config: Config, known: Elsewhere) -> None:
    """Refuse to start again under this account, "" where it is not known, what others have.

    Raises:
        NoAccess: so it would be.
    """
    if known.jobs:
        jobs = f"The state file {config.state_path} has {count_of(known.jobs, 'job')}"
        for each in known.accounts:
            refuse_another_account(jobs, each, account, _advice(config, known), known.why)


def jobs_kept_aside(
    config: Config, place: S3Uri | Path, lock: StateLock, known: Elsewhere
) -> InFlight | None:
    """Set the state file aside; what the new one is to know of it before it has a recording.

    Of an output on S3 the beats tell that. What is killed before `open_held` has written it down
    leaves it to the file that was set aside.

    Raises:
        NoAccess: another account has the jobs that it knows.
    """
    from pipeline.state.in_flight import in_flight_of

    kept = None
    if isinstance(place, S3Uri) and not config.s3_output:
        if known.jobs:
            in_event_loop(_refuse_elsewhere(config, place, known))
        names = job_name_prefix(config.transcribe.job_prefix, place.bucket)
        kept = in_flight_of(lock.path, names, place)
    lock.set_aside()
    return kept


async def _refuse_elsewhere(config: Config, place: S3Uri, known: Elsewhere) -> None:
    """Refuse another account's jobs while there is a state file that knows of them."""
    from pipeline.net.wait_times import WaitTimes

    async with services(config, place, WaitTimes()) as (_, _, session, _):
        refuse_jobs_elsewhere(await account_of(session), config, known)


async def keep_to_account(
    session: Session, config: Config, state: RunState, known: Elsewhere
) -> None:
    """Remember the account of this run's jobs, unless those of before are in another one.

    Where it can't be told, it is taken for that of the jobs that there are.

    Raises:
        NoAccess: they are.
    """
    from pipeline.state.facts import note_account

    account = await account_of(session)
    refuse_jobs_elsewhere(account, config, known)
    note_account(state.facts, account or "".join(known.accounts[:1] if known.jobs else ()))


async def look_whether_a_run_begins(config: Config, place: S3Uri, session: Session, s3: S3) -> None:
    """Look whether a run over `place` would be refused for other runs' jobs; it writes nothing.

    Raises:
        CannotRun: it would, for what this says.
    """
    if config.s3_output:
        from pipeline.launch.on_s3 import description_of
        from pipeline.s3_output.beside import look_beside
        from pipeline.s3_output.lanes import Door
        from pipeline.s3_output.layout import Layout

        prefix = job_name_prefix(config.transcribe.job_prefix, place.bucket)
        ours = description_of(config, str(place), prefix)
        layout = Layout(config.s3_output, config.shard)
        await look_beside(Door(s3, session), layout, ours, config.limits.job_timeout_hours * 3600)
        return
    known = jobs_so_far(config, rebuilds=False)
    if known.jobs:
        refuse_jobs_elsewhere(await account_of(session), config, known)


def _advice(config: Config, known: Elsewhere) -> str:
    if not known.found_below_results:
        return "It alone has the transcripts of jobs that ran without this --results."
    return (
        f"Or wait until {config.limits.job_timeout_hours:g} hours after the last start "
        "(job_timeout_hours): the transcripts are then found below --results."
    )
