"""The lines about the lanes: accounts, each of which runs the jobs of some shards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.aws.s3 import open_s3
from pipeline.aws.session import connect_lane
from pipeline.doctor.access import AccountAccess
from pipeline.doctor.findings import Finding, finding_of, ok, problem, warning
from pipeline.doctor.runner import Check, constant
from pipeline.doctor.service_checks import ServiceChecks
from pipeline.errors import CannotRun, PipelineError
from pipeline.net.wait_times import WaitTimes
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AsyncExitStack

    from pipeline.doctor.account import Identity
    from pipeline.doctor.bucket_checks import BucketChecks
    from pipeline.doctor.service_checks import JobsAsked
    from pipeline.model import Job

    Identities = Mapping[str, Callable[[], Awaitable[Identity]]]


async def lane_checks(
    stack: AsyncExitStack,
    lanes: Mapping[str, Sequence[Job]],
    on_s3: BucketChecks,
    asked: JobsAsked,
) -> list[Check]:
    """The lines of each lane, whose names begin with its profile, after one about all of them.

    Args:
        stack: holds the lanes' connections.
        lanes: their profiles, each with the jobs that an earlier run left there.
        on_s3: what the run has on S3, asked through the session of all calls but Transcribe's.
        asked: what the run asks of the service.
    """
    lines: list[Check] = []
    identities: dict[str, Callable[[], Awaitable[Identity]]] = {}
    for profile, in_flight in lanes.items():
        connecting = connect_lane(on_s3.access.session, profile)
        try:
            session = await stack.enter_async_context(connecting)
        except CannotRun as error:
            lines.append(Check(f"{profile} credentials", constant(finding_of(error))))
            continue
        s3 = await stack.enter_async_context(open_s3(session, asked.limits, WaitTimes()))
        access = AccountAccess(session, s3)
        identities[profile] = access.identity
        checks = [
            access.credentials(),
            *on_s3.in_a_lane(access),
            *ServiceChecks(access, on_s3.places, asked, in_flight).checks(),
        ]
        lines += [each._replace(name=f"{profile} {each.name}") for each in checks]
    return [Check("lanes", partial(accounts, identities), needed=False), *lines]


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
