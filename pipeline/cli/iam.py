"""`iam policy` and `iam apply`: the rights that this program needs, and no more."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from pipeline.cli.command import Command
from pipeline.cli.flags import AWS, Given, refuse_idle, with_settings
from pipeline.cli.iam_flags import RightsFlags, flag
from pipeline.cli.options import Yes, examples, group
from pipeline.errors import BadSettings
from pipeline.iam.documents import Document
from pipeline.launch.event_loop import in_event_loop
from pipeline.terminal import confirm

if TYPE_CHECKING:
    from pipeline.config.schema import Config

commands = group("Least-privilege rights: print or create them.")
_UNDONE, _AGREE = "Nothing was changed", "Agree to the plan with --yes."
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


@commands.command("policy", cls=Command, epilog=POLICY_EXAMPLES)
@with_settings(("results", "output", "transcripts"), AWS)
def policy(
    *,
    rights: RightsFlags,
    document: Annotated[
        Document, typer.Option(metavar="NAME", help=f"One of {', '.join(Document)}.")
    ] = Document.CALLER,
    account: Annotated[
        str, flag("ID", "The account, 12 digits. [default: the credentials' own]")
    ] = "",
    chosen: Config,
) -> None:
    """Print a policy with exactly the actions needed.

    It allows them only where the program uses them. What a plain run does not need is in it only
    where a flag asks for it. --document chooses another document: what the role for queued jobs may
    do (role) and who may assume it (role-trust), what Label Studio may do (label-studio), the
    bucket's CORS rules (cors). all prints each under its name.
    """
    from pipeline.iam.account import caller
    from pipeline.iam.documents import document_of
    from pipeline.iam.rights import named_owner

    region = chosen.aws.region or os.environ.get("AWS_REGION", "")
    if account:
        owner = named_owner(account, region)
    else:
        owner = in_event_loop(caller(chosen.aws, chosen.limits))
    found = document_of(rights.scope(chosen, owner), rights.cors, document)
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))


@commands.command("apply", cls=Command, epilog=APPLY_EXAMPLES)
@with_settings(("results", "output", "transcripts"), AWS)
def apply(
    *,
    rights: RightsFlags,
    label_studio_user: Annotated[
        str, flag("NAME", "A user who may read the recordings alone.")
    ] = "",
    tag: Annotated[
        list[str] | None, flag("KEY=VALUE", "Tag on all that is made; repeatable.")
    ] = None,
    key_profile: Annotated[
        str,
        flag("NAME", "Profile for the user's new key. [default: the user's name]"),
    ] = "",
    no_key: Annotated[bool, typer.Option("--no-key", help="Make no access keys.")] = False,
    show_key: Annotated[
        bool, typer.Option("--show-key", help="Print a new key on stdout as well.")
    ] = False,
    yes: Yes = False,
    chosen: Config,
    given: Given,
) -> None:
    """Create or correct users, role, policies and CORS.

    It shows what it would change, part by part, and asks. Run it again and it changes nothing. It
    needs the rights of an administrator: name their profile with --profile. A user's access key
    goes into the AWS credentials file, under a profile of its own. What others attached to a user
    stays, and is named.
    """
    from pipeline.iam.account import opened_account
    from pipeline.iam.apply import carry_out
    from pipeline.iam.diff import DesiredAccess
    from pipeline.iam.plan import compared
    from pipeline.iam.profiles import credentials_of
    from pipeline.iam.rights import parse_tags, profiles_of

    named = (rights.user, rights.role, label_studio_user, rights.cors)
    if not any((*named, chosen.transcribe.data_access_role)):
        raise BadSettings(
            "Nothing is named to make",
            "Name it with --user, --role, --label-studio-user or --cors.",
        )
    _refuse_idle(given, rights.user, no_key=no_key)
    profiles = profiles_of(rights.user, label_studio_user, key_profile)
    tags = parse_tags(tag or [])

    async def work() -> None:
        async with opened_account(chosen.aws, chosen.limits) as account:
            desired = DesiredAccess(
                rights.scope(chosen, await account.owner()),
                rights.user,
                label_studio_user,
                rights.cors,
                {} if no_key else profiles,
                tags,
            )
            plan = await compared(account, desired)
            typer.echo("\n".join(plan.lines()), err=True)
            if plan.changes:
                confirm("Make these changes?", _UNDONE, _AGREE, yes=yes)
                typer.echo("\n".join(await carry_out(account, plan)), err=True)
            if show_key:
                typer.echo(credentials_of(account.new_keys), nl=False)

    in_event_loop(work())


def _refuse_idle(given: Given, user: str, *, no_key: bool) -> None:
    """Refuse flags about a key that is not made."""
    if no_key:
        refuse_idle(
            given, ("key_profile", "show_key"), "--no-key makes none", "Leave one of them out."
        )
    if not user:
        refuse_idle(given, ["key_profile"], "it is of --user's key", "Name a user with --user.")
