"""Which account runs the jobs of which recordings: that is fixed for the life of an output.

The service knows the jobs of one account alone. A recording whose shard moved to another account
while its job runs would be started there once more, and paid for twice. So `cluster.json` says from
the first run on which lanes there are, whose account each is, and how many shards take them in
turn, and a run that disagrees is refused.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from pipeline.aws.service import Service
from pipeline.aws.session import connect_lane
from pipeline.config.shards import lane_of
from pipeline.errors import CannotRun, OutputUnusable
from pipeline.net.wait_times import WaitTimes
from pipeline.s3_output.claim import Lanes, claim, refuse_another
from pipeline.s3_output.json_file import read_json
from pipeline.s3_output.overview import newest_beat
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.s3 import S3
    from pipeline.aws.session import Session
    from pipeline.naming import S3Uri
    from pipeline.s3_output.claim import Description
    from pipeline.s3_output.layout import Layout

_OTHER_OUTPUT = (
    "stop all shards, wait until the jobs have ended, and run with another --output and the same "
    "--results: what is transcribed is found there, and nothing is paid again."
)


class Door(NamedTuple):
    """What an output is reached through: S3, and the session of whoever asks."""

    s3: S3
    session: Session


def refuse_other_lanes(place: S3Uri, there: Lanes, ours: Lanes) -> None:
    """Refuse lanes that are not those of the output; pure.

    Raises:
        OutputUnusable: the profiles, their order or the number of shards are others.
    """
    if (there.profiles, there.shards) != (ours.profiles, ours.shards):
        raise OutputUnusable(
            f"The output of {place} has {_told(there)}, and this run has {_told(ours)}: recordings "
            "would move to other accounts, and jobs that run be started again and paid for twice",
            f"Give what it has, or {_OTHER_OUTPUT}",
        )


def refuse_another_account(there: Lanes, profile: str, account: str) -> None:
    """Refuse a profile that now leads to another account than that of the lane; pure.

    Raises:
        OutputUnusable: so it does, or the account of the lane is not known.
    """
    known = dict(zip(there.profiles, there.accounts, strict=False)).get(profile)
    if known != account:
        raise OutputUnusable(
            f"The profile {profile} is of the account {account}, but the jobs of that lane are in "
            f"{known or 'one that is not known'}, as cluster.json of the output says",
            f"Give the profile the credentials it had, or {_OTHER_OUTPUT}",
        )


async def claim_with_lanes(door: Door, layout: Layout, ours: Description, profile: str) -> Lanes:
    """Write down what the output is of, unless that is known already; which lanes it has.

    Each lane is opened and its account asked for before they are written down: the lanes of `ours`
    are without accounts. `profile` is the lane of this run, "" without lanes.

    Raises:
        OutputUnusable: it is of something else, or of other lanes or accounts.
        CannotRun: a lane can't be opened, or its account can't be told.
    """
    place = layout.description
    known = await compare_with_lanes(door.s3, layout, ours)
    asked = ours.lanes.profiles if known is None else (profile,) * bool(profile)
    accounts = {each: await _account_of_lane(door.session, each) for each in asked}
    lanes = known.lanes if known else replace(ours.lanes, accounts=tuple(accounts.values()))
    there = await claim(door.s3, place, replace(ours, lanes=lanes))
    refuse_other_lanes(place, there.lanes, ours.lanes)  # another run may have been first
    for each, account in accounts.items():
        refuse_another_account(there.lanes, each, account)
    return there.lanes


async def look_at_lanes(door: Door, layout: Layout, ours: Description) -> None:
    """Look whether the output is of these lanes, and the shard's one of its account still.

    Raises:
        OutputUnusable: it is of something else, or of other lanes or accounts.
        CannotRun: the lane can't be opened, or its account can't be told.
    """
    known = await compare_with_lanes(door.s3, layout, ours)
    profile = lane_of(ours.lanes.profiles, layout.shard.number)
    if known and profile:
        account = await _account_of_lane(door.session, profile)
        refuse_another_account(known.lanes, profile, account)


async def compare_with_lanes(s3: S3, layout: Layout, ours: Description) -> Description | None:
    """Look what the output is of, and its lanes; None where it is of nothing yet.

    Raises:
        OutputUnusable: it is of something else, or of other lanes.
    """
    place = layout.description
    known = await read_json(s3, place, type(ours)) or await _as_told(s3, layout, ours)
    if known:
        refuse_another(place, known, ours)
        refuse_other_lanes(place, known.lanes, ours.lanes)
    return known


async def _as_told(s3: S3, layout: Layout, ours: Description) -> Description | None:
    """What the output is of where `cluster.json` is lost: the lanes are those of the newest beat.

    Raises:
        OutputUnusable: there are parts, and nothing tells their lanes.
    """
    if beat := await newest_beat(s3, layout):
        return replace(ours, lanes=beat.lanes)
    async for page in s3.pages(layout.parts):
        if page:
            raise OutputUnusable(
                f"{layout.description} and all beats are missing, so which accounts have the jobs "
                f"of {layout.output} is not known: someone took them away",
                f"Put them back, or {_OTHER_OUTPUT}",
            )
    return None


@asynccontextmanager
async def opened_lane(session: Session, lanes: Lanes, profile: str) -> AsyncIterator[Session]:
    """The session for the jobs of a lane, whose account is the one that is written down.

    Raises:
        OutputUnusable: it is another one.
        CannotRun: the lane can't be opened, or its account can't be told.
    """
    async with connect_lane(session, profile) as lane:
        if profile:
            refuse_another_account(lanes, profile, await _account_of(lane, profile))
        yield lane


async def _account_of_lane(session: Session, profile: str) -> str:
    async with connect_lane(session, profile) as lane:
        return await _account_of(lane, profile)


async def _account_of(lane: Session, profile: str) -> str:
    """The number of its account, as STS tells every caller."""
    try:
        answer = await Service(lane, "sts", WaitTimes()).call("GetCallerIdentity")
        account: str = answer["Account"]
    except CannotRun as error:
        raise OutputUnusable(
            f"Which account the profile {profile} of lanes is of can't be told, so its jobs might "
            f"be started in another one than before: {error.sentence}",
            error.advice,
            action=error.action,
            message=error.message,
        ) from error
    return account


def _told(lanes: Lanes) -> str:
    """The lanes and the number of shards as the settings have them."""
    count = lanes.shards
    named = f"lanes = {list(lanes.profiles)} and {count_of(count, 'shard')}"
    return named if lanes.profiles else "no lanes"
