"""What an account should have, part by part, and what of it is missing or differs; pure.

A part is compared as a whole, not only by whether it is there: a role that exists with another
trust, a policy with a statement too many or a user without its policy are differences.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import orjson

from pipeline.errors import BadSettings
from pipeline.iam.policies import (
    VERSION,
    Scope,
    caller_policy,
    cors_rule,
    data_access_policy,
    reviewing_policy,
    trust_policy,
)
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TAGS = {"managed-by": "transcribe-pipeline"}
"""What is made here can be told from what others made."""

ROLE_POLICY = "transcribe-pipeline"
"""The name of the policy inside the role."""

_PLAIN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
_LARGEST_POLICY = 6144  # characters without white space of a managed policy (IAM quotas)


class Kind(StrEnum):
    """The kinds of parts, in the order in which they are made: each needs only earlier ones."""

    ROLE = "role"
    ROLE_TAGS = "tags of the role"
    ROLE_POLICY = "rights of the role"
    POLICY = "policy"
    POLICY_TAGS = "tags of the policy"
    USER = "user"
    USER_TAGS = "tags of the user"
    ATTACHMENT = "policy of the user"
    CORS = "CORS rule of the bucket"
    KEY = "access key of the user"


class Part(NamedTuple):
    """One thing that can be missing or differ: a kind and the ARN or name of what it is of."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name.rpartition('/')[2]}"


class DesiredAccess(msgspec.Struct, frozen=True):
    """What is to be there; "" is not asked for.

    Args:
        scope: what the rights are for.
        user: who runs the program.
        reviewer: the user whose keys Label Studio gets.
        cors: Label Studio's address, for browsers that play presigned URLs.
        profiles: for each user that should have an access key, the profile to write it under.
        tags: on everything that can have tags, beside our own.
    """

    scope: Scope
    user: str = ""
    reviewer: str = ""
    cors: str = ""
    profiles: dict[str, str] = {}
    tags: dict[str, str] = {}


class Change(NamedTuple):
    """A part as it was found, None where it is missing, and as it should be."""

    part: Part
    before: Any
    after: Any


def wanted(desired: DesiredAccess) -> dict[Part, Any]:
    """Every part as it should be, in the order in which they can be made.

    Raises:
        BadSettings: a policy is larger than IAM takes.
    """
    scope, tags = desired.scope, TAGS | desired.tags
    parts: dict[Part, Any] = {}
    if role := scope.role:
        parts[Part(Kind.ROLE, role)] = trust_policy(scope.owner)
        parts[Part(Kind.ROLE_TAGS, role)] = tags
        parts[Part(Kind.ROLE_POLICY, role)] = data_access_policy(scope)
    for user, document in (
        (desired.user, caller_policy(scope)),
        (desired.reviewer, reviewing_policy(scope)),
    ):
        if not user:
            continue
        arn = scope.owner.arn("iam", f"policy/transcribe-pipeline-{user}")
        _refuse_too_large(document, arn)
        parts[Part(Kind.POLICY, arn)] = document
        parts[Part(Kind.POLICY_TAGS, arn)] = tags
        parts[Part(Kind.USER, user)] = {}
        parts[Part(Kind.USER_TAGS, user)] = tags
        parts[Part(Kind.ATTACHMENT, user)] = arn
        if profile := desired.profiles.get(user):
            parts[Part(Kind.KEY, user)] = profile
    if desired.cors:
        rule = cors_rule(desired.cors)
        parts |= {Part(Kind.CORS, place.bucket): rule for place in scope.sources}
    return parts


def _refuse_too_large(document: dict[str, Any], arn: str) -> None:
    size = len(orjson.dumps(document))
    if size > _LARGEST_POLICY:
        raise BadSettings(
            f"The policy {arn.rpartition('/')[2]} would have {size:,} characters; IAM takes "
            f"{_LARGEST_POLICY:,}",
            "Name fewer buckets and prefixes, or a user for each part.",
        )


def differing(wanted: Mapping[Part, Any], found: Mapping[Part, Any]) -> list[Change]:
    """The parts that are missing or are not what they should be."""
    return [
        Change(part, found.get(part), value)
        for part, value in wanted.items()
        if canonical(found.get(part)) != canonical(value)
    ]


def canonical(value: Any) -> Any:
    """A document as IAM understands it: lists have no order, one value needs no list, no Sid."""
    if isinstance(value, dict):
        return {name: canonical(each) for name, each in sorted(value.items()) if name != "Sid"}
    if not isinstance(value, list):
        return value
    items = sorted({orjson.dumps(canonical(each), option=orjson.OPT_SORT_KEYS) for each in value})
    return orjson.loads(items[0]) if len(items) == 1 else list(map(orjson.loads, items))


def refuse_strangers(changes: Sequence[Change]) -> None:
    """Refuse to take over a role that is there for another service.

    Raises:
        BadSettings: a role is another service's.
    """
    for change in changes:
        if change.part.kind is not Kind.ROLE or change.before is None:
            continue
        trusted = _trusted(change.before)
        if trusted - _trusted(change.after):
            raise BadSettings(
                f"The role {change.part.name} is there already, and {', '.join(sorted(trusted))} "
                "may take it on: it would lose that",
                "Choose another name with --role.",
            )


def _trusted(trust: dict[str, Any]) -> set[str]:
    """Every principal that a trust policy names."""
    found: set[str] = set()
    for statement in _listed(trust.get("Statement")):
        principal = statement.get("Principal", "*")
        values = principal.values() if isinstance(principal, dict) else [principal]
        for value in values:
            found |= {printable(str(each)) for each in _listed(value)}
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def as_text(wanted: Mapping[Part, Any], changes: Sequence[Change]) -> str:
    """The plan for people: `=` is as it should be, `+` is made, `~` is changed and how."""
    changed = {change.part: change for change in changes}
    lines: list[str] = []
    for part in wanted:
        change = changed.get(part)
        lines += _lines(change) if change else [f"= {printable(str(part))}"]
    return "\n".join(lines)


def _lines(change: Change) -> Iterator[str]:
    mark = "+" if change.before is None else "~"
    brief = isinstance(change.after, str)
    yield f"{mark} {printable(str(change.part))}" + (f": {_brief(change)}" if brief else "")
    if brief or (change.before is None and not change.after):
        return
    for line in _difference(change):
        yield f"    {printable(line)}"


def _brief(change: Change) -> str:
    if change.part.kind is Kind.KEY:
        return f"a new one, into the profile {printable(change.after)}"
    return printable(change.after.rpartition("/")[2])


def _difference(change: Change) -> Iterator[str]:
    """The lines that go and that come; all of them where nothing was there."""
    after = _shown(change.after)
    if change.before is None:
        yield from after
        return
    before = _shown(change.before)
    yield from (f"- {line}" for line in before if line not in after)
    yield from (f"+ {line}" for line in after if line not in before)


def _shown(value: Any) -> list[str]:
    """A document in lines, one for each action and resource; sorted."""
    if "Statement" not in value:
        return [f"{name} = {', '.join(map(str, _listed(value[name])))}" for name in sorted(value)]
    lines = [line for each in _listed(value["Statement"]) for line in _sentences(each)]
    if value.get("Version") != VERSION:
        lines.append(f"policy language {value.get('Version')}")
    return sorted(set(lines))


def _sentences(statement: dict[str, Any]) -> Iterator[str]:
    """A statement in words, or as it is where it has what no statement of ours has."""
    principal = statement.get("Principal", {})
    if set(statement) - _PLAIN or not isinstance(principal, dict):
        yield orjson.dumps(statement, option=orjson.OPT_SORT_KEYS).decode()
        return
    who = [str(each) for value in principal.values() for each in _listed(value)]
    rest = f" by {', '.join(who)}" if who else ""
    rest += "".join(
        f", if {key} {test} {' or '.join(map(str, _listed(value)))}"
        for test, keys in sorted(statement.get("Condition", {}).items())
        for key, value in sorted(keys.items())
    )
    for action in _listed(statement.get("Action")):
        for resource in _listed(statement.get("Resource")) or [""]:
            where = f" on {resource}" if resource else ""
            yield f"{str(statement.get('Effect')).lower()} {action}{where}{rest}"
