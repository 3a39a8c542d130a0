"""A new key in the AWS credentials file, and an IAM that is slow to know what it has made."""

from __future__ import annotations

from configparser import RawConfigParser
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.errors import BadSettings, ServiceUnreachable
from pipeline.iam.account import Account
from pipeline.iam.apply import apply
from pipeline.iam.current import read_current
from pipeline.iam.diff import Change, Kind, Part
from pipeline.iam.profiles import Key, Profiles, with_key
from pipeline.net.wait_times import WaitTimes

KEY = Key("AKIANEW", "s3cr3t")
SECTION = "[nightly]\naws_access_key_id = AKIANEW\naws_secret_access_key = s3cr3t\n"
LINES = ("", "# a comment", "[other]", "aws_access_key_id = AKIAOTHER", "region=eu-west-1", "  x")


@given(st.lists(st.sampled_from(LINES)), st.booleans())
def test_a_new_profile_leaves_all_others_byte_for_byte(lines, ended):
    """Whatever stands in the file stands there still, in front of the new profile."""
    text = "\n".join(lines) + "\n" * ended

    written = with_key(text.encode(), "nightly", KEY).decode()

    assert written.startswith(text)
    assert written.endswith(SECTION)
    assert written in (SECTION, f"{text}\n{SECTION}", f"{text}\n\n{SECTION}")
    assert written.count("[nightly]") == 1


def test_a_profile_without_keys_gets_them_into_its_own_section():
    """A second section of the same name would make the file unreadable for every AWS tool."""
    text = b"[other]\naws_access_key_id = AKIAOTHER\n\n[nightly]\nregion = eu-west-1\n"

    parser = RawConfigParser()
    parser.read_string(with_key(text, "nightly", KEY).decode())

    assert dict(parser["nightly"]) == {
        "aws_access_key_id": "AKIANEW",
        "aws_secret_access_key": "s3cr3t",
        "region": "eu-west-1",
    }
    assert dict(parser["other"]) == {"aws_access_key_id": "AKIAOTHER"}


def profiles_in(folder, credentials: str = "", config: str = "") -> Profiles:
    """The AWS files of a machine, in a folder."""
    names = {"AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": config}
    for name, text in names.items():
        if text:
            (folder / name).write_text(text, encoding="utf-8")
    return Profiles({name: str(folder / name) for name in names})


def test_a_link_to_the_file_stays_a_link(tmp_path):
    """Who keeps the file elsewhere finds the key there."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept" / "credentials")

    Profiles({"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "link")}).write("nightly", KEY)

    assert (tmp_path / "link").is_symlink()
    assert b"AKIANEW" in (tmp_path / "kept" / "credentials").read_bytes()


def test_the_folder_of_a_first_key_is_for_its_owner_alone(tmp_path):
    """Where there was no ~/.aws, it is made as AWS's own tools make it."""
    profiles = Profiles({"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws" / "credentials")})

    profiles.write("nightly", KEY)

    assert (tmp_path / ".aws").stat().st_mode & 0o777 == 0o700
    assert profiles.path.stat().st_mode & 0o777 == 0o600
    assert profiles.key_of("nightly") == "AKIANEW"


@pytest.mark.parametrize(
    "setting",
    ["role_arn = arn", "sso_session = x", "credential_process = x", "web_identity_token_file = x"],
)
def test_a_profile_that_gets_its_credentials_elsewhere_is_occupied(tmp_path, setting):
    """A key in the credentials file would win over it, unseen."""
    profiles = profiles_in(tmp_path, config=f"[profile nightly]\n{setting}\n")

    with pytest.raises(BadSettings, match=setting.split()[0]):
        profiles.key_of("nightly")


def test_a_profile_with_a_region_alone_is_free(tmp_path):
    """Region and output of a profile stand in the config file beside the credentials file."""
    profiles = profiles_in(tmp_path, config="[profile nightly]\nregion = eu-west-1\n")

    assert profiles.key_of("nightly") is None


@pytest.mark.parametrize("name", ["", "a b", "x]\n[y", "a,b"])
def test_a_name_that_would_break_the_file_is_refused(tmp_path, name):
    """It stands between brackets on a line of its own."""
    with pytest.raises(BadSettings, match="name of a profile"):
        profiles_in(tmp_path).key_of(name)


def test_the_secret_is_in_no_representation():
    """A key in a message or a traceback shows which one it is, and nothing to use."""
    assert "s3cr3t" not in f"{KEY!r} {KEY}"


# An IAM that is slow to know

ERROR = (
    "<ErrorResponse><Error><Code>{}</Code><Message>It is not known.</Message></Error>"
    "</ErrorResponse>"
)


@asynccontextmanager
async def iam(answers, monkeypatch):
    """An endpoint of IAM that gives these answers in turn, and then the last one for ever."""
    asked = []

    async def answer(request):
        asked.append(parse_qs(await request.text()))
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(status=status, text=body, content_type="text/xml")

    server = web.Application()
    server.router.add_post("/", answer)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    monkeypatch.setattr("pipeline.iam.apply._FIRST_PAUSE", 0.001)
    port = runner.addresses[0][1]
    settings = Aws(region="us-east-1", endpoint_url=f"http://127.0.0.1:{port}")
    try:
        async with connect(settings, 1, ("key", "secret")) as session:
            yield Account(session, WaitTimes(), Profiles({})), asked
    finally:
        await runner.cleanup()


ATTACHED = Change(Part(Kind.ATTACHMENT, "nightly"), None, "arn:aws:iam::123456789012:policy/p")
DONE = (200, "<AttachUserPolicyResponse/>")


async def test_what_was_just_made_may_not_be_known_yet(monkeypatch):
    """IAM is known to take seconds until all of it knows a new user: attaching is tried again."""
    unknown = (404, ERROR.format("NoSuchEntity"))
    async with iam([unknown, unknown, DONE], monkeypatch) as (account, asked):
        await apply(account, ATTACHED)

    assert [each["Action"] for each in asked] == [["AttachUserPolicy"]] * 3


async def test_what_stays_unknown_ends_with_a_sentence(monkeypatch):
    """After half a minute it is said, and the same command goes on later."""
    async with iam([(404, ERROR.format("NoSuchEntity"))], monkeypatch) as (account, _):
        with pytest.raises(ServiceUnreachable, match=r"Run the same command again later\.$"):
            await apply(account, ATTACHED)


async def test_who_was_quicker_is_no_fault(monkeypatch):
    """Two administrators at once: the later one is told to look again."""
    change = Change(Part(Kind.USER, "nightly"), None, {})
    async with iam([(409, ERROR.format("EntityAlreadyExists"))], monkeypatch) as (account, asked):
        with pytest.raises(BadSettings, match="Run the same command again"):
            await apply(account, change)

    assert len(asked) == 1


async def test_a_list_is_read_to_its_end(monkeypatch):
    """A page that is cut short names the next one, and the policy may be on that."""
    page = (
        "<ListAttachedUserPoliciesResponse><ListAttachedUserPoliciesResult><AttachedPolicies>"
        "<member><PolicyName>{0}</PolicyName><PolicyArn>arn:aws:iam::123456789012:policy/{0}"
        "</PolicyArn></member></AttachedPolicies>{1}</ListAttachedUserPoliciesResult>"
        "</ListAttachedUserPoliciesResponse>"
    )
    cut = "<IsTruncated>true</IsTruncated><Marker>more</Marker>"
    answers = [(200, page.format("other", cut)), (200, page.format("p", ""))]
    async with iam(answers, monkeypatch) as (account, asked):
        found = await read_current(account, {ATTACHED.part: ATTACHED.after})

    assert found == {ATTACHED.part: ATTACHED.after}
    assert asked[1]["Marker"] == ["more"]
