"""Beside which other runs of an output one may not begin, from what was last heard of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.account import account_of, refuse_another_account
from pipeline.errors import OutputUnusable
from pipeline.s3_output.lanes import look_at_lanes
from pipeline.s3_output.overview import last_beats
from pipeline.text import duration

if TYPE_CHECKING:
    from pipeline.aws.s3 import S3
    from pipeline.s3_output.claim import Description
    from pipeline.s3_output.lanes import Door
    from pipeline.s3_output.layout import Layout

_WAIT = (
    "Or wait until nothing was heard of it for {hours:g} hours (job_timeout_hours): the "
    "transcripts are then found below --results."
)


async def look_beside(door: Door, layout: Layout, ours: Description, longest: float) -> None:
    """Look whether a run may begin, and write nothing; as `refuse_beside_others` else.

    Raises:
        OutputUnusable: the output is of something else, of other lanes or accounts, or as there.
        NoAccess: another account may have jobs.
        CannotRun: the shard's lane can't be opened, or its account can't be told.
    """
    await look_at_lanes(door, layout, ours)
    account = "" if ours.lanes.profiles else await account_of(door.session)
    await refuse_beside_others(door.s3, layout, account, longest)


async def refuse_beside_others(s3: S3, layout: Layout, account: str, longest: float) -> str:
    """Refuse to begin beside a run that would not see what this one does, nor this one what it did.

    A run that goes on and cuts the source into another number of shards does not read the same
    parts, and could write the same recording. Jobs of this shard's recordings that may still run in
    another account would be started again.

    Args:
        s3: the door to S3.
        layout: where the beats are, and which shard this is.
        account: of this run, "" where it is not known.
        longest: for how many seconds a job may run.

    Returns:
        The account in which the shard may have jobs already, "" where none is known.

    Raises:
        OutputUnusable: a run with another number of shards was heard of just now.
        NoAccess: another account may have jobs.
    """
    has_jobs = ""
    for shard, heard in (await last_beats(s3, layout)).items():
        same_count = shard.count == layout.shard.count
        if heard.runs and not same_count:
            raise OutputUnusable(
                f"The shard {shard.name} of {layout.output} was heard of "
                f"{duration(heard.seconds)} ago, and this run would cut the source "
                f"into {layout.shard.count}",
                "Wait until it has ended; one that was killed counts for two minutes.",
            )
        may_share = shard == layout.shard or not same_count
        if may_share and heard.beat.may_have_jobs and heard.seconds < longest:
            jobs = f"The shard {shard.name} of {layout.output} may have jobs"
            advice = _WAIT.format(hours=longest / 3600)
            refuse_another_account(jobs, heard.beat.account, account, advice)
            has_jobs = heard.beat.account if same_count else has_jobs
    return has_jobs
