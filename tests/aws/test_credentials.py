"""Credentials that can't be had are one sentence and the command that helps, whatever raised it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest
from botocore import exceptions as boto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.aws.credentials import HeldCredentials, Profile, credentials_error, profile_of
from pipeline.aws.machine import machine_session
from pipeline.aws.session import connect
from pipeline.config.schema import Aws
from pipeline.errors import CannotRun, Denied, Expired, NoAccess, Unavailable
from tests.conftest import clean_environment
from tests.support.between import Answer, between
from tests.support.transcripts import json_values

PROFILES = {
    "sso": """
        sso_start_url = https://example.awsapps.com/start
        sso_region = eu-central-1
        sso_account_id = 123456789012
        sso_role_name = Nightly
        """,
    "of-a-session": """
        sso_session = company
        sso_account_id = 123456789012
        sso_role_name = Nightly

        [sso-session company]
        sso_start_url = https://example.awsapps.com/start
        sso_region = eu-central-1
        """,
    "by-sso": """
        role_arn = arn:aws:iam::123456789012:role/nightly
        source_profile = sso
        """,
    "garbage": "credential_process = echo 123456",
    "list": "credential_process = echo [1]",
    "incomplete": """credential_process = echo '{"Version": 1}'""",
    "failing": "credential_process = sh -c 'echo vault is >&2; echo locked >&2; exit 1'",
    "absent": "credential_process = /no/such/program",
    "web": """
        role_arn = arn:aws:iam::123456789012:role/nightly
        web_identity_token_file = /no/such/token
        """,
    "mfa": """
        role_arn = arn:aws:iam::123456789012:role/nightly
        mfa_serial = arn:aws:iam::123456789012:mfa/me
        source_profile = keys
        """,
    "role": """
        role_arn = arn:aws:iam::123456789012:role/nightly
        source_profile = keys
        """,
    "keys": """
        aws_access_key_id = AKIDEXAMPLE
        aws_secret_access_key = secret
        """,
    "half": "aws_access_key_id = AKIDEXAMPLE",
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with these profiles, and nothing else to take credentials from."""
    config = tmp_path / "config"
    sections = (f"[profile {name}]\n{dedent(text)}" for name, text in PROFILES.items())
    config.write_text("\n".join(sections), "utf-8")
    environment = clean_environment(
        AWS_CONFIG_FILE=str(config), AWS_EC2_METADATA_DISABLED="true", HOME=str(tmp_path)
    )
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


async def why_none(profile: str = "") -> str:
    """What a command is told that needs the credentials of a profile."""
    settings = Aws(region="eu-central-1", profile=profile, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(CannotRun) as refused:
        async with connect(settings, 1):
            pass
    return str(refused.value)


@pytest.mark.parametrize(
    ("profile", "problem", "advice"),
    [
        ("sso", "There is no login by SSO for the profile sso", "`aws sso login --profile sso`"),
        ("of-a-session", "There is no login by SSO", "`aws sso login --profile of-a-session`"),
        ("by-sso", "There is no login by SSO for the profile sso", "`aws sso login --profile sso`"),
        ("garbage", "The credential_process of the profile garbage prints something else", "Check"),
        ("list", "The credential_process of the profile list prints something else", "Check"),
        ("incomplete", "The credential_process of the profile incomplete fails: Missing", "Check"),
        ("failing", "The credential_process of the profile failing fails: vault is locked", ""),
        ("absent", "absent can't be started: No such file or directory", "Check AWS_PROFILE"),
        ("web", "The web identity token /no/such/token can't be read: No such file", "Check"),
        (
            "mfa",
            "The role of the profile mfa asks for an MFA code, and there is no",
            "--profile mfa",
        ),
        ("half", "No usable AWS credentials: Partial credentials found", "Check AWS_PROFILE"),
        ("no-such", "The config profile (no-such) could not be found", "--profile"),
    ],
)
async def test_a_profile_without_credentials_is_one_sentence(machine, profile, problem, advice):
    """What is wrong, and the command that helps; nothing is asked where nobody can answer."""
    said = await why_none(profile)

    assert problem in said
    assert advice in said
    assert "\n" not in said


async def test_a_web_identity_of_the_environment_is_named(machine, monkeypatch):
    """In a cluster the token's file comes from the environment."""
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/nightly")

    said = await why_none()

    assert "The web identity token /no/such/token can't be read: No such file" in said


@pytest.mark.parametrize("log", ["text", "json"])
def test_libraries_say_nothing_of_their_own(run, machine, log):
    """Libraries log a failed login with its traceback; the user reads a sentence, or JSON."""
    run.use(**machine)

    outcome = run(
        "run", "s3://bucket/", "--region", "eu-central-1", "--profile", "sso", "--log-format", log
    )

    said = outcome.err.splitlines()
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    if log == "json":
        assert "error" in {json.loads(line)["event"] for line in said}
    else:
        assert [line[:36] for line in said] == ["transcribe-pipeline: There is no log"]


REFUSED = Profile("night", "night", {})


@pytest.mark.parametrize(
    ("operation", "code", "kind", "words"),
    [
        ("AssumeRole", "AccessDenied", Denied, "sts:AssumeRole is not allowed"),
        ("AssumeRole", "ExpiredToken", Expired, "sts:AssumeRole: the session token has expired"),
        ("AssumeRoleWithWebIdentity", "InvalidIdentityToken", NoAccess, "is refused"),
        ("GetRoleCredentials", "ForbiddenException", Denied, "sso:GetRoleCredentials is refused"),
        ("AssumeRole", "Throttling", Exception, "Throttling"),
        ("AssumeRole", "ServiceUnavailable", Unavailable, "ServiceUnavailable"),
    ],
)
def test_who_gives_the_keys_may_refuse(operation, code, kind, words):
    """STS and SSO answer as any service; what passes is tried again, what does not is told."""
    answer = {"Error": {"Code": code, "Message": "No."}}

    error = credentials_error(boto.ClientError(answer, operation), REFUSED)

    assert isinstance(error, kind)
    assert words in str(error)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (boto.EndpointConnectionError(endpoint_url="http://169.254.169.254"), Unavailable),
        (boto.ReadTimeoutError(endpoint_url="http://169.254.169.254"), Unavailable),
        (TimeoutError(), Unavailable),
        (boto.RefreshWithMFAUnsupportedError(), NoAccess),
        (boto.MetadataRetrievalError(error_msg="404"), NoAccess),
        (RuntimeError("Credentials were refreshed, but are still expired."), NoAccess),
        (KeyError("AccessKeyId"), NoAccess),
        (EOFError(), NoAccess),
    ],
)
def test_whatever_is_raised_is_an_error_of_ours(raised, kind):
    """Caught by the place, not by a list of what libraries raise today."""
    assert type(credentials_error(raised, REFUSED)) is kind


async def test_a_role_s_keys_are_fetched_over_our_connections(machine, monkeypatch):
    """The STS call of a role follows no redirect either, nor does it take a page for an answer."""
    page = Answer(403, b"<html>Welcome to our hotel</html>", {"Content-Type": "text/html"})
    with between(None, lambda _: page) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        session = machine_session(Aws(region="eu-central-1", profile="role"))
        held = HeldCredentials(await session.get_credentials(), profile_of(session))
        with pytest.raises(Unavailable, match=f"{url} answers with a web page .HTTP status 403."):
            await held.get_frozen_credentials()


KEYS = st.sampled_from(["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"])
PRINTED = (
    st.dictionaries(KEYS, st.sampled_from([1, "1", "2026-11-28T10:00:00Z"]) | json_values)
    | json_values
).map(json.dumps).map(str.encode) | st.binary(max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PRINTED, st.sampled_from([0, 1]))
async def test_whatever_a_program_prints_as_keys_ends_in_a_sentence(machine, printed, code):
    """Any JSON, any bytes: there are keys, or it is said why not, and what was printed never is."""
    folder = Path(machine["HOME"])
    (folder / "printed").write_bytes(printed)
    config = f"[profile any]\ncredential_process = sh -c 'cat {folder}/printed; exit {code}'\n"
    (folder / "config").write_text(config)
    with suppress(NoAccess):
        async with connect(Aws(region="eu-central-1", profile="any"), 1):
            pass
