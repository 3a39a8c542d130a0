"""The account and the machine that parts are read from and made in: IAM, S3, the AWS files."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pipeline.aws.service import Service
from pipeline.aws.session import connect
from pipeline.errors import ResourceMissing
from pipeline.iam.diff import Kind, Part
from pipeline.iam.policies import CORS_ID, Owner
from pipeline.iam.profiles import Profiles
from pipeline.net.paging import Pages
from pipeline.net.wait_times import WaitTimes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.aws.session import Session
    from pipeline.config.schema import Aws, Limits
    from pipeline.iam.profiles import Key


class Account:
    """The calls that `current` and `apply` share; `new_keys` are those made, by their profile."""

    def __init__(self, session: Session, waiting: WaitTimes, profiles: Profiles) -> None:
        self._session = session
        self._waiting = waiting
        self.profiles = profiles
        self.iam = Service(session, "iam", waiting)
        self.s3 = Service(session, "s3", waiting)
        self.new_keys: dict[str, Key] = {}

    async def owner(self) -> Owner:
        """Whose credentials these are, and the region."""
        answer = await Service(self._session, "sts", self._waiting).call("GetCallerIdentity")
        return Owner(answer["Account"], self._session.region)

    async def all(self, operation: str, name: str, **request: str) -> list[Any]:
        """All pages of one of IAM's lists; a page may be short though more follow."""
        found: list[Any] = []
        pages = Pages(f"The answer to {operation}")
        while True:
            answer = await self.iam.call(operation, **request)
            found += answer[name]
            if not answer.get("IsTruncated"):
                return found
            request["Marker"] = pages.following(answer["Marker"])

    async def cors_rules(self, bucket: str) -> tuple[Any | None, list[Any]]:
        """The rule of a bucket that is ours, and those of others."""
        try:
            rules = (await self.s3.call("GetBucketCors", Bucket=bucket))["CORSRules"]
        except ResourceMissing:
            return None, []
        ours = next((rule for rule in rules if rule.get("ID") == CORS_ID), None)
        return ours, [rule for rule in rules if rule.get("ID") != CORS_ID]


@asynccontextmanager
async def opened_account(aws: Aws, limits: Limits) -> AsyncIterator[Account]:
    """The account that the settings name, and this machine's AWS files."""
    async with connect(aws, connections=1, limits=limits) as session:
        yield Account(session, WaitTimes(), Profiles())


async def caller(aws: Aws, limits: Limits) -> Owner:
    """Whose credentials the settings name, and the region."""
    async with opened_account(aws, limits) as account:
        return await account.owner()


TAGGED = {Kind.ROLE_TAGS: "Role", Kind.POLICY_TAGS: "Policy", Kind.USER_TAGS: "User"}
"""What has tags, as the names of IAM's operations spell it."""


def named(part: Part) -> dict[str, str]:
    """The parameter by which IAM's operations know what a part is of."""
    if part.kind in {Kind.POLICY, Kind.POLICY_TAGS}:
        return {"PolicyArn": part.name}
    if part.kind in {Kind.ROLE, Kind.ROLE_TAGS, Kind.ROLE_POLICY}:
        return {"RoleName": part.name.rpartition("/")[2]}
    return {"UserName": part.name}
