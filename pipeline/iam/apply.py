"""The calls that make a part what it should be: it is created, or what differs is changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.errors import BadSettings, ResourceMissing, ResourceTaken, ServiceUnreachable
from pipeline.iam.account import TAGGED, named
from pipeline.iam.diff import ROLE_POLICY, Change, Kind
from pipeline.iam.profiles import Key
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.iam.account import Account
    from pipeline.iam.plan import Plan

    Applier = Callable[[Account, Change], Awaitable[None]]

_MOST_VERSIONS = 5  # of a managed policy (IAM quotas)
_LOOKS, _FIRST_PAUSE = 7, 0.25  # half a minute: what IAM has just made is not known everywhere


async def carry_out(account: Account, plan: Plan) -> list[str]:
    """Make every change of a plan; what was done, in sentences.

    Raises:
        BadSettings, ServiceUnreachable: as `apply` does; what was made before stays.
    """
    for change in plan.changes:
        await apply(account, change)
    return [
        f"Done: {len(plan.changes)} of {count_of(len(plan.parts), 'part')} changed.",
        *(
            f"Key:  in {account.profiles.path}; use it with --profile {name}"
            for name in account.new_keys
        ),
    ]


async def apply(account: Account, change: Change) -> None:
    """Make one part what it should be.

    Raises:
        BadSettings: somebody else made it in the meantime.
        ServiceUnreachable: what it belongs to is not known to the service.
    """
    for look in range(_LOOKS):
        try:
            return await _APPLIERS[change.part.kind](account, change)
        except ResourceTaken as error:
            raise BadSettings(
                error.sentence,
                "Run the same command again.",
                action=error.action,
                message=error.message,
            ) from error
        except ResourceMissing as error:
            missing = error
        await asyncio.sleep(_FIRST_PAUSE * 2**look)
    raise ServiceUnreachable(
        missing.sentence,
        "Run the same command again later.",
        action=missing.action,
        message=missing.message,
    ) from missing


async def _role(account: Account, change: Change) -> None:
    arn, document = change.part.name, _json(change.after)
    if change.before is not None:
        trust = {"PolicyDocument": document}
        await account.iam.call("UpdateAssumeRolePolicy", **named(change.part), **trust)
        return
    name = arn.rpartition("/")[2]
    await account.iam.call(
        "CreateRole",
        RoleName=name,
        Path=arn.partition(":role")[2].removesuffix(name),
        AssumeRolePolicyDocument=document,
        Description="What Amazon Transcribe may do for the jobs it queues.",
    )


async def _role_policy(account: Account, change: Change) -> None:
    policy = {"PolicyName": ROLE_POLICY, "PolicyDocument": _json(change.after)}
    await account.iam.call("PutRolePolicy", **named(change.part), **policy)


async def _policy(account: Account, change: Change) -> None:
    document = {"PolicyDocument": _json(change.after)}
    if change.before is None:
        name = change.part.name.rpartition("/")[2]
        await account.iam.call("CreatePolicy", PolicyName=name, **document)
        return
    of_it = named(change.part)
    versions = await account.all("ListPolicyVersions", "Versions", **of_it)
    if len(versions) >= _MOST_VERSIONS:
        spare = (each["VersionId"] for each in versions if not each["IsDefaultVersion"])
        oldest = min(spare, key=lambda version: int(version.removeprefix("v")))
        await account.iam.call("DeletePolicyVersion", **of_it, VersionId=oldest)
    await account.iam.call("CreatePolicyVersion", **of_it, **document, SetAsDefault=True)


async def _user(account: Account, change: Change) -> None:
    await account.iam.call("CreateUser", **named(change.part))


async def _tags(account: Account, change: Change) -> None:
    tags = [{"Key": key, "Value": value} for key, value in change.after.items()]
    await account.iam.call(f"Tag{TAGGED[change.part.kind]}", **named(change.part), Tags=tags)


async def _attachment(account: Account, change: Change) -> None:
    await account.iam.call("AttachUserPolicy", **named(change.part), PolicyArn=change.after)


async def _cors(account: Account, change: Change) -> None:
    bucket = change.part.name
    _, others = await account.cors_rules(bucket)
    rules = {"CORSRules": [*others, change.after]}
    await account.s3.call("PutBucketCors", Bucket=bucket, CORSConfiguration=rules)


async def _key(account: Account, change: Change) -> None:
    """A new access key, written under its profile; where that fails, it is deleted again."""
    of_it, profile = named(change.part), change.after
    answer = (await account.iam.call("CreateAccessKey", **of_it))["AccessKey"]
    key = Key(answer["AccessKeyId"], answer["SecretAccessKey"])
    try:
        account.profiles.write(profile, key)
    except BaseException:  # nobody has its secret then, and a user may have only two keys
        await account.iam.call("DeleteAccessKey", **of_it, AccessKeyId=key.access)
        raise
    account.new_keys[profile] = key


def _json(document: Any) -> str:
    return orjson.dumps(document).decode()


_APPLIERS: dict[Kind, Applier] = {
    Kind.ROLE: _role,
    Kind.ROLE_TAGS: _tags,
    Kind.ROLE_POLICY: _role_policy,
    Kind.POLICY: _policy,
    Kind.POLICY_TAGS: _tags,
    Kind.USER: _user,
    Kind.USER_TAGS: _tags,
    Kind.ATTACHMENT: _attachment,
    Kind.CORS: _cors,
    Kind.KEY: _key,
}
