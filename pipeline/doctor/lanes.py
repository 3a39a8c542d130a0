"""The lines about the lanes: accounts, each of which runs the jobs of some shards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect_lane
from pipeline.doctor import account, buckets
from pipeline.doctor.amazon import AccountChecks
from pipeline.doctor.findings import Finding, finding_of, ok, problem, warning
from pipeline.doctor.runner import Check, constant
from pipeline.errors import CannotRun, PipelineError
from pipeline.net.wait_times import WaitTimes
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AsyncExitStack

    from pipeline.aws.session import Session
    from pipeline.config.schema import Config
    from pipeline.doctor.account import Identity
    from pipeline.naming import S3Uri

    Identities = Mapping[str, Callable[[], Awaitable[Identity]]]


async def lane_checks(
    stack: AsyncExitStack, config: Config, place: S3Uri | None, run: tuple[Session, AccountChecks]
) -> list[Check]:
    """The lines of each lane, whose names begin with its profile; none without lanes.

    Args:
        stack: holds the lanes' connections.
        config: the settings.
        place: the source, None where none is named.
        run: the session of all calls but Transcribe's, and what is looked at through it.
    """
    session, main = run
    lines: list[Check] = []
    identities: dict[str, Callable[[], Awaitable[Identity]]] = {}
    for profile in config.cluster.lanes:
        try:
            lane = await stack.enter_async_context(connect_lane(session, profile))
        except CannotRun as error:
            lines.append(Check(f"{profile} credentials", constant(finding_of(error))))
            continue
        s3 = await stack.enter_async_context(open_s3(lane, config.limits, WaitTimes()))
        there = AccountChecks(config, place, lane, s3)
        identities[profile] = there.identity
        credentials = partial(account.credentials, there.identity, lane.credentials)
        checks = [
            Check("credentials", credentials, needed=False),
            *_of_the_buckets(main, there),
            *there.of_the_service(),
        ]
        lines += [
            each._replace(name=f"{profile} {each.name}")
            for each in checks
            if each.name != "jobs in flight" or profile == config.lane
        ]
    of_all = [Check("lanes", partial(accounts, identities), needed=False)]
    return [*of_all, *lines] if config.cluster.lanes else []


def _of_the_buckets(main: AccountChecks, there: AccountChecks) -> Iterator[Check]:
    """Whether jobs could read recordings and write what the run reads, one trial at a time."""
    if main.bucket:
        reading = there.by_the_role(partial(main.recordings().reading, there.s3), "s3:GetObject")
        yield there.check("source read", reading)
    if main.results:
        writing = partial(buckets.writing, there.s3, main.results, main.s3, main.trial)
        yield there.check("results write", there.by_the_role(writing, "s3:PutObject"))


async def accounts(identities: Identities) -> Finding:
    """Whether each lane is an account of its own, as far as STS tells."""
    of: dict[str, list[str]] = {}
    for profile, identity in identities.items():
        try:
            of.setdefault((await identity()).account, []).append(profile)
        except PipelineError as error:
            why = finding_of(error)
            return problem(
                f"Of which account {profile} is can't be told, and no run starts jobs in one that "
                f"is not known: {why.message}",
                why.advice,
            )
    for number, profiles in of.items():
        if len(profiles) > 1:
            return warning(
                f"{', '.join(profiles)} are profiles of one account, {number}: they share its "
                "quota, and their shards do not know of each other.",
                "Name one profile of each account.",
            )
    return ok(f"The lanes are {count_of(len(of), 'account')}, each with its own quota.")
