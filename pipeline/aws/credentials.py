"""The credentials of this machine; what keeps them from being had becomes one sentence of ours."""

from __future__ import annotations

import asyncio
import os
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import exceptions as boto

from pipeline.aws.error_codes import CREDENTIALS_STEP, meaning
from pipeline.errors import Denied, NoAccess, PipelineError, Retryable, Unavailable
from pipeline.net.http import ANSWER_SECONDS
from pipeline.net.retry import RateLimitedCall
from pipeline.net.wait_times import WaitTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_AGAIN = "Then run the same command again, it goes on where it stopped."
_LONGEST_WORDS = 200
_DEFAULT = "default"
_TOKEN_FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105 # the variable of the AWS SDKs
_SSO = ("sso_session", "sso_start_url")


class Profile(NamedTuple):
    """Where credentials are looked for: a profile, and the one that its `source_profile` leads to.

    `settings` are the source's; `token_file` is the file of a web identity, "" where there is none.
    """

    name: str
    source: str
    settings: Mapping[str, Any]
    token_file: str = ""

    def __str__(self) -> str:
        return f"the profile {self.name}"


def profile_of(machine: Any) -> Profile:
    """The profile that botocore's session takes its credentials from."""
    profiles = machine.full_config.get("profiles", {})
    name = source = machine.get_config_variable("profile") or _DEFAULT
    settings = profiles.get(name, {})
    token_file = settings.get("web_identity_token_file") or os.environ.get(_TOKEN_FILE, "")
    passed = {name}
    while (further := settings.get("source_profile", source)) not in passed:
        passed.add(further)
        source, settings = further, profiles.get(further, {})
    return Profile(name, source, settings, token_file)


class HeldCredentials:
    """botocore's credentials, whose every failure is an error of ours, wherever it happens."""

    def __init__(self, credentials: Any, profile: Profile) -> None:
        self._credentials = credentials
        self._profile = profile

    async def get_frozen_credentials(self) -> Any:
        """The keys to sign with, fetched or renewed where they must be.

        Raises:
            NoAccess: they can't be had.
            Retryable: nobody answers who could give them.
        """
        try:
            return await self._credentials.get_frozen_credentials()
        except Exception as error:
            raise credentials_error(error, self._profile) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._credentials, name)


async def held_credentials(machine: Any, *, prompting: bool) -> HeldCredentials:
    """The machine's credentials, fetched once, so that a command without any ends at its start.

    The clients of `machine`, which is botocore's session, sign with them from then on. `prompting`
    tells that they may need an MFA code: those that were given by hand need none.

    Raises:
        NoAccess: there are none.
        ServiceUnreachable: nobody answers who could give them.
    """
    profile = profile_of(machine)
    if prompting:
        provider = machine.get_component("credential_provider").get_provider("assume-role")
        provider._prompter = _mfa_prompter(profile)  # noqa: SLF001 # no argument leads there

    async def attempt() -> HeldCredentials:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):  # a credential_process may hang
                found = await machine.get_credentials()
                held = HeldCredentials(found, profile)
                if found is not None:
                    await held.get_frozen_credentials()
        except Exception as error:
            raise credentials_error(error, profile) from error
        if found is None:
            raise credentials_error(boto.NoCredentialsError(), profile)
        return held

    held = await RateLimitedCall("credentials", 1.0, WaitTimes()).call(attempt)
    machine._credentials = held  # noqa: SLF001 # as get_credentials would keep botocore's own
    return held


def _mfa_prompter(profile: Profile) -> Callable[[str], str]:
    """What asks for an MFA code: at a terminal alone, as there is nobody to answer elsewhere."""

    def ask(prompt: str) -> str:
        if sys.stdin is None or not sys.stdin.isatty():  # a daemon may have none
            raise NoAccess(
                f"The role of {profile} asks for an MFA code, and there is no terminal to ask at",
                "Run it at one, or take the role's keys first: `eval \"$(aws configure "
                f'export-credentials --profile {profile.name} --format env)"`.',
            )
        return getpass(prompt)

    return ask


def credentials_error(error: Exception, profile: Profile) -> PipelineError:
    """What it means that credentials can't be had, whatever raised it. Pure.

    The words of a library stand in it on one line, and never what a program printed as keys.
    """
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | TimeoutError):
        why = "it took too long" if isinstance(error, TimeoutError) else _on_a_line(error)
        return Unavailable(f"Nobody gives the credentials of {profile}: {why}")
    if isinstance(error, boto.ClientError):
        return _refused(error, profile)
    if isinstance(error, boto.RefreshWithMFAUnsupportedError):
        return NoAccess(
            f"The session of {profile} is over, and its role asks for an MFA code",
            "Run the same command again and type a new one, it goes on where it stopped.",
        )
    if isinstance(error, boto.SSOError | boto.TokenRetrievalError) or _by_sso(profile):
        return NoAccess(
            f"There is no login by SSO for the profile {profile.source}, or it has expired "
            f"({_on_a_line(error)})",
            f"Run `aws sso login --profile {profile.source}`. {_AGAIN}",
        )
    return NoAccess(_why_none(error, profile), CREDENTIALS_STEP)


def _by_sso(profile: Profile) -> bool:
    return any(name in profile.settings for name in _SSO)


def _why_none(error: Exception, profile: Profile) -> str:
    """Why there are none, by what the profile says where they come from."""
    if profile.token_file and isinstance(error, OSError | UnicodeError):
        reason = getattr(error, "strerror", None) or "it is no text"
        return f"The web identity token {profile.token_file} can't be read: {reason}"
    if "credential_process" in profile.settings:
        return f"The credential_process of the profile {profile.source} {_of_process(error)}"
    return f"No usable AWS credentials: {_on_a_line(error)}"


def _of_process(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"can't be started: {error.strerror}"
    if isinstance(error, boto.CredentialRetrievalError):
        return f"fails: {_on_a_line(error.kwargs['error_msg']) or 'it says nothing'}"
    return "prints something else than credentials as JSON"


def _refused(error: boto.ClientError, profile: Profile) -> PipelineError:
    """What it means that STS or SSO gives no keys."""
    details = error.response.get("Error", {})
    service = "sts" if error.operation_name.startswith("AssumeRole") else "sso"
    code, words = str(details.get("Code", "")), str(details.get("Message", ""))
    action = f"{service}:{error.operation_name}"
    meant = meaning(action, code, words)
    if isinstance(meant, NoAccess | Retryable):
        return meant
    problem = f"No credentials for {profile}: {action} is refused ({code}: {words})"
    kind = Denied if code == "ForbiddenException" else NoAccess
    return kind(problem, CREDENTIALS_STEP, action=action, message=f"{code}: {words}")


def _on_a_line(words: object) -> str:
    text = " ".join(str(words).split()).rstrip(".")
    text = text or type(words).__name__ if isinstance(words, Exception) else text
    return text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]}…"
