"""`iam policy` and `iam apply`: the rights that this program needs, and no more."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer

from pipeline.cli.flags import AWS, with_settings
from pipeline.cli.iam_flags import Rights, flag
from pipeline.cli.options import examples
from pipeline.errors import BadSettings
from pipeline.event_loop import in_event_loop
from pipeline.terminal import confirm
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pipeline.config.schema import Config
    from pipeline.iam.account import Account
    from pipeline.iam.diff import DesiredAccess
    from pipeline.iam.policies import Owner, Scope

T = TypeVar("T")

GROUP = "iam"
HELP = "Least-privilege rights for this program: print the policies, or have them made."
POLICY, APPLY = "policy", "apply"
POLICY_EXAMPLES = examples(
    (
        "What the caller of a run needs, and nothing more",
        "iam policy --bucket s3://bucket/calls/ --results s3://bucket/transcripts/",
    ),
    (
        "Without any credentials, for a tool that makes the policy",
        "iam policy --bucket bucket --account 123456789012 --region eu-central-1 > caller.json",
    ),
    (
        "What Label Studio needs so that reviewers hear the recordings",
        "iam policy --bucket s3://bucket/calls/ --document label-studio",
    ),
)
APPLY_EXAMPLES = examples(
    (
        "Make a user for the nightly run, with its key in the profile `nightly`",
        "iam apply --user nightly --bucket bucket --results s3://bucket/transcripts/",
    ),
    (
        "The same with a role for queued jobs; run it again after any change",
        "iam apply --user nightly --role transcribe-queue --bucket bucket --results s3://out/",
    ),
    (
        "A user for Label Studio, whose browsers play presigned URLs",
        "iam apply --bucket bucket --label-studio-user labels --cors https://labels.example.com",
    ),
)


class Shown(StrEnum):
    """The documents that `iam policy` prints."""

    CALLER = "caller"
    ROLE = "role"
    ROLE_TRUST = "role-trust"
    LABEL_STUDIO = "label-studio"
    CORS = "cors"
    ALL = "all"


@with_settings(("results",), AWS)
def policy(
    *,
    rights: Rights,
    document: Annotated[
        Shown, typer.Option(metavar="NAME", help=f"One of {', '.join(Shown)}.")
    ] = Shown.CALLER,
    account: Annotated[
        str, flag("ID", "The account, 12 digits. [default: the credentials' own]", "--account")
    ] = "",
    chosen: Config,
) -> None:
    """Print a policy with exactly the actions that the program uses, where it uses them.

    What goes beyond a plain run is in it only where a flag asks for it. --document chooses
    another one: what the role for queued jobs may do (role) and who may take it on (role-trust),
    what Label Studio may do (label-studio), the bucket's CORS rules (cors); all prints each under
    its name.
    """
    owner = (
        _named_owner(account, chosen) if account else in_event_loop(_with_account(chosen, _owner))
    )
    found = _documents(rights.scope(chosen, owner), rights.cors, document)
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))


def _documents(scope: Scope, cors: str, document: Shown) -> Any:
    from pipeline.iam import policies

    if document is Shown.CORS and not cors:
        raise BadSettings("Name Label Studio's address with --cors.")
    documents = {
        Shown.CALLER: policies.caller_policy(scope),
        Shown.ROLE: policies.data_access_policy(scope),
        Shown.ROLE_TRUST: policies.trust_policy(scope.owner),
        Shown.LABEL_STUDIO: policies.reviewing_policy(scope),
        **({Shown.CORS: {"CORSRules": [policies.cors_rule(cors)]}} if cors else {}),
    }
    if document is Shown.ALL:
        return {name.value: each for name, each in documents.items()}
    return documents[document]


def _named_owner(account: str, config: Config) -> Owner:
    from pipeline.iam.policies import Owner

    region = config.aws.region or os.environ.get("AWS_REGION", "")
    if not region or not re.fullmatch(r"\d{12}", account):
        raise BadSettings("An --account has 12 digits, and needs the --region beside it.")
    return Owner(account, region)


@with_settings(("results",), AWS)
def apply(
    *,
    rights: Rights,
    label_studio_user: Annotated[
        str, flag("NAME", "A user who may read the recordings alone.", "--label-studio-user")
    ] = "",
    tag: Annotated[
        list[str] | None, flag("KEY=VALUE", "Tag on all that is made; repeatable.", "--tag")
    ] = None,
    key_profile: Annotated[
        str,
        flag("NAME", "Profile for the user's new key. [default: the user's name]", "--key-profile"),
    ] = "",
    no_key: Annotated[bool, typer.Option("--no-key", help="Make no access keys.")] = False,
    show_key: Annotated[
        bool, typer.Option("--show-key", help="Print a new key on stdout as well.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Change it without asking.")] = False,
    chosen: Config,
) -> None:
    """Make what is missing of users, role, policies and CORS, and mend what differs.

    It shows what it would change, part by part, and asks. Run it again and nothing is changed.
    Run it with the rights of an administrator; --profile names them. A user's access key goes into
    the AWS credentials file, under a profile of its own. What others attached to a user stays, and
    is named.
    """
    if not (
        rights.user
        or rights.role
        or label_studio_user
        or rights.cors
        or chosen.transcribe.data_access_role
    ):
        raise BadSettings("Name what to make: --user, --role, --label-studio-user or --cors.")
    profiles = _profiles(rights.user, label_studio_user, key_profile)
    tags = _tags(tag or [])

    async def work(account: Account) -> None:
        from pipeline.iam.diff import DesiredAccess

        scope = rights.scope(chosen, await account.owner())
        desired = DesiredAccess(
            scope,
            rights.user,
            label_studio_user,
            rights.cors,
            {} if no_key else profiles,
            tags,
        )
        await _apply(account, desired, yes=yes)
        if show_key:
            _show(account)

    in_event_loop(_with_account(chosen, work))


def _profiles(user: str, reviewer: str, key_profile: str) -> dict[str, str]:
    """The profile for each user's key.

    Raises:
        BadSettings: two users would share a profile, or are one.
    """
    profiles = {user: key_profile or user, reviewer: reviewer}
    profiles.pop("", None)
    if user and reviewer and len(set(profiles.values())) < len(("user", "reviewer")):
        raise BadSettings("--user and --label-studio-user need names and profiles of their own.")
    return profiles


def _tags(named: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in named]
    if wrong := [key + equals + value for key, equals, value in pairs if not (key and equals)]:
        raise BadSettings(f"--tag {wrong[0]!r}: write it as KEY=VALUE.")
    return {key: value for key, _, value in pairs}


async def _with_account(config: Config, work: Callable[[Account], Awaitable[T]]) -> T:
    from pipeline.aws.session import connect
    from pipeline.iam.account import Account
    from pipeline.iam.profiles import Profiles
    from pipeline.net.wait_times import WaitTimes

    async with connect(config.aws, connections=1, limits=config.limits) as session:
        return await work(Account(session, WaitTimes(), Profiles()))


async def _owner(account: Account) -> Owner:
    return await account.owner()


async def _apply(account: Account, desired: DesiredAccess, *, yes: bool) -> None:
    """Show what differs, ask, and make it."""
    from pipeline.iam.apply import apply
    from pipeline.iam.current import more_rights, read_current
    from pipeline.iam.diff import Kind, as_text, differing, refuse_strangers, wanted

    parts = wanted(desired)
    changes = differing(parts, await read_current(account, parts))
    refuse_strangers(changes)
    typer.echo(as_text(parts, changes), err=True)
    for part, arn in parts.items():
        if part.kind is Kind.ATTACHMENT and (more := await more_rights(account, part.name, arn)):
            said = f"! {part.name} also has {', '.join(more)}; that stays as it is."
            typer.echo(printable(said), err=True)
    if not changes:
        typer.echo("Nothing to change.", err=True)
        return
    confirm("Make these changes?", "Nothing was changed: agree to the plan with --yes.", yes=yes)
    for change in changes:
        await apply(account, change)
    typer.echo(f"Done: {len(changes)} of {len(parts)} parts changed.", err=True)
    for name in account.new_keys:
        typer.echo(f"Key:  in {account.profiles.path}; use it with --profile {name}", err=True)


def _show(account: Account) -> None:
    """Print new keys as the credentials file has them, because that was asked for."""
    from pipeline.iam.profiles import with_key

    for name, key in account.new_keys.items():
        typer.echo(with_key(b"", name, key).decode(), nl=False)
