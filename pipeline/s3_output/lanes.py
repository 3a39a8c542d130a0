"""Which account runs the jobs of which recordings: a change waits until none that runs is left.

The service knows the jobs of one account alone. A recording whose shard moves to another account
while its job runs would be started there once more, and paid for twice. So whoever wants other
lanes, or another number of shards, asks the accounts that recordings would leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.aws.machine import refuse_unknown_profiles
from pipeline.aws.s3 import if_still
from pipeline.aws.session import connect_lane
from pipeline.config.shards import MOST_SHARDS, Shard, lane_of
from pipeline.errors import CannotRun, OutputUnusable
from pipeline.jobs.client import Transcriber
from pipeline.model import JobStatus
from pipeline.net.concurrency import JobSlots
from pipeline.net.wait_times import WaitTimes
from pipeline.s3_output.claim import claim, content_of, described

if TYPE_CHECKING:
    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.naming import S3Uri
    from pipeline.s3_output.claim import Description

_RUNNING = (JobStatus.IN_PROGRESS, JobStatus.QUEUED)


class Door(NamedTuple):
    """What an output is reached through: S3, and the session of whoever asks."""

    s3: S3
    session: Session


def left_lanes(theirs: Description, ours: Description) -> list[str]:
    """The profiles whose accounts would run the jobs of fewer recordings; pure."""
    pairs = zip(_profiles(theirs), _profiles(ours), strict=True)
    return list(dict.fromkeys(before for before, now in pairs if before != now))


def _profiles(of: Description) -> list[str]:
    """The profile of each recording, by the first byte of its identity."""
    shards = (Shard.of(bytes([first]), of.shards) for first in range(MOST_SHARDS))
    return [lane_of(of.lanes, each.number) for each in shards]


async def claim_with_lanes(door: Door, place: S3Uri, ours: Description) -> None:
    """Write down what the output is of, with its lanes, unless that is written there already.

    Raises:
        OutputUnusable: it is of something else.
        BadSettings: this machine does not know one of the profiles.
    """
    refuse_unknown_profiles(ours.lanes)  # once it is written down, a wrong name is hard to change
    await claim(door.s3, place, ours)


async def settle_lanes(door: Door, place: S3Uri, ours: Description) -> None:
    """Have the output's lanes be these; others must not begin meanwhile, so a beat is told before.

    Raises:
        OutputUnusable: jobs run in an account that recordings would leave, or may do so.
    """
    theirs = await described(door.s3, place)
    while left := left_lanes(theirs, ours):
        for profile in left:
            await _refuse_running_jobs(door, profile, theirs, ours)
        there, asked_about = await door.s3.look_up(place), theirs
        theirs = await described(door.s3, place)
        # Where another run has changed it meanwhile, it is looked at again.
        if there and theirs == asked_about:
            await door.s3.write(place, content_of(ours), if_still(there.etag))
            theirs = await described(door.s3, place)


async def _refuse_running_jobs(
    door: Door, profile: str, theirs: Description, ours: Description
) -> None:
    of = f"the profile {profile}" if profile else "the run's own credentials"
    keep = f"go on with {_told(theirs)}"
    try:
        running = await _running(door.session, profile, ours.prefix)
    except CannotRun as error:
        raise OutputUnusable(
            f"With {_told(ours)} recordings would leave the account of {of}, and whether their "
            f"jobs run there can't be told: {error.sentence}",
            f"Have {of} be able to list jobs, or {keep}.",
            action=error.action,
            message=error.message,
        ) from error
    if running:
        raise OutputUnusable(
            f"Jobs run in the account of {of}, such as {running}: with {_told(ours)} their "
            "recordings would be started in another account, and paid for twice",
            f"Wait until they have ended, or {keep}.",
        )


async def _running(session: Session, profile: str, name_prefix: str) -> str:
    """The name of some job of ours that has not ended in this account; "" where there is none."""
    waiting = WaitTimes()
    async with connect_lane(session, profile) as lane:
        transcriber = Transcriber(lane, lane.limits, waiting, JobSlots(1, waiting))
        for status in _RUNNING:
            async for names in transcriber.pages(status, name_prefix):
                if names:
                    return names[0]
    return ""


def _told(of: Description) -> str:
    """The lanes and the number of shards as the settings have them."""
    return f"lanes = {list(of.lanes)} and {of.shards} shard{'s' * (of.shards != 1)}"
