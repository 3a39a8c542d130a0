"""What of the wanted parts is there now; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import BadSettings, ResourceMissing
from pipeline.iam.account import TAGGED, named
from pipeline.iam.diff import ROLE_POLICY, Kind, Part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pipeline.iam.account import Account

    Reader = Callable[[Account, Part, Any], Awaitable[Any]]

_MOST_KEYS = 2  # of a user (IAM quotas)


async def read_current(account: Account, wanted: Mapping[Part, Any]) -> dict[Part, Any]:
    """Each part as it is, None where it is missing.

    Raises:
        BadSettings: a profile holds other keys, or a user has as many as it may.
    """
    found: dict[Part, Any] = {}
    for part, value in wanted.items():
        try:
            found[part] = await _READERS[part.kind](account, part, value)
        except ResourceMissing:
            found[part] = None
    return found


async def more_rights(account: Account, user: str, arn: str) -> list[str]:
    """What gives a user rights beside the policy `arn`, and was not made here."""
    try:
        of_user = {"UserName": user}
        attached = await account.all("ListAttachedUserPolicies", "AttachedPolicies", **of_user)
        inline = await account.all("ListUserPolicies", "PolicyNames", **of_user)
        groups = await account.all("ListGroupsForUser", "Groups", **of_user)
    except ResourceMissing:
        return []
    return [
        *(f"the policy {each['PolicyName']}" for each in attached if each["PolicyArn"] != arn),
        *(f"the policy {each}" for each in inline),
        *(f"the group {each['GroupName']}" for each in groups),
    ]


async def _role(account: Account, part: Part, _: Any) -> Any:
    answer = await account.iam.call("GetRole", **named(part))
    return answer["Role"]["AssumeRolePolicyDocument"]


async def _role_policy(account: Account, part: Part, _: Any) -> Any:
    answer = await account.iam.call("GetRolePolicy", **named(part), PolicyName=ROLE_POLICY)
    return answer["PolicyDocument"]


async def _policy(account: Account, part: Part, _: Any) -> Any:
    policy = (await account.iam.call("GetPolicy", **named(part)))["Policy"]
    version = {"VersionId": policy["DefaultVersionId"]}
    answer = await account.iam.call("GetPolicyVersion", **named(part), **version)
    return answer["PolicyVersion"]["Document"]


async def _user(account: Account, part: Part, _: Any) -> Any:
    await account.iam.call("GetUser", **named(part))
    return {}


async def _tags(account: Account, part: Part, wanted: Any) -> Any:
    """Of the tags that are there those that we set; others are left alone."""
    tags = await account.all(f"List{TAGGED[part.kind]}Tags", "Tags", **named(part))
    return {tag["Key"]: tag["Value"] for tag in tags if tag["Key"] in wanted} or None


async def _attachment(account: Account, part: Part, wanted: Any) -> Any:
    found = await account.all("ListAttachedUserPolicies", "AttachedPolicies", **named(part))
    return wanted if wanted in {each["PolicyArn"] for each in found} else None


async def _cors(account: Account, part: Part, _: Any) -> Any:
    return (await account.cors_rules(part.name))[0]


async def _key(account: Account, part: Part, profile: Any) -> Any:
    held = account.profiles.key_of(profile)
    try:
        keys = await account.all("ListAccessKeys", "AccessKeyMetadata", **named(part))
    except ResourceMissing:
        keys = []
    states = {each["AccessKeyId"]: each["Status"] for each in keys}
    if held is None and len(states) < _MOST_KEYS:
        account.profiles.refuse_unwritable()
        return None
    if held is None:
        raise BadSettings(
            f"The user {part.name} has {len(states)} access keys, as many as it may",
            "Name the profile that holds one with --key-profile, delete one, or add --no-key.",
        )
    if held not in states:
        raise BadSettings(
            f"The profile {profile} in {account.profiles.path} holds a key that is not one of "
            f"{part.name}'s, and stays as it is",
            "Name another one with --key-profile.",
        )
    if states[held] != "Active":
        raise BadSettings(
            f"The key {held} in the profile {profile} was made inactive",
            "Activate it with `aws iam update-access-key`, or delete it and the profile.",
        )
    return profile


_READERS: dict[Kind, Reader] = {
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
