"""Profiles of the AWS credentials file: whose keys they hold, and a new one among them."""

from __future__ import annotations

import os
import re
from configparser import Error, RawConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import BadSettings, OutputUnusable
from pipeline.files import replacing
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[\w.@+=-]+")
_CREDENTIALS = ("aws_access_key_id", "role_arn", "credential_process", "sso_", "web_identity")


class Key(NamedTuple):
    """An access key; its secret is shown by nothing that prints it."""

    access: str
    secret: str

    def __repr__(self) -> str:
        return f"Key({self.access})"


class Profiles:
    """The machine's AWS files, where AWS's own variables say that they are."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        home = Path.home() / ".aws"
        files = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}
        # A link is followed: what takes the file's place must not take the link's.
        self.path, self._config = (
            Path(environment.get(name) or home / file).expanduser().resolve()
            for name, file in files.items()
        )

    def key_of(self, profile: str) -> str | None:
        """The access key that a profile holds, None where there is no such profile.

        Raises:
            BadSettings: it gets its credentials in another way, or its name can't be one.
        """
        if not _NAME.fullmatch(profile):
            raise BadSettings(
                f"{profile!r} can't be the name of a profile",
                "A name has letters, digits and . _ @ + = - in it.",
            )
        here = _sections(self.path).get(profile, {})
        if "aws_access_key_id" in here:
            return here["aws_access_key_id"]
        title = profile if profile == "default" else f"profile {profile}"
        there = _sections(self._config).get(title, {})
        for name in (*here, *there):
            if name.startswith(_CREDENTIALS):
                raise BadSettings(
                    f"The profile {profile} gets its credentials elsewhere already ({name} in the "
                    "AWS files)",
                    "Name another one with --key-profile.",
                )
        return None

    def refuse_unwritable(self) -> None:
        """Find out before a key is made whether it could be written.

        Raises:
            OutputUnusable: it could not.
        """
        folder = next(each for each in self.path.parents if each.exists())
        special = self.path.exists() and not self.path.is_file()
        if special or not os.access(folder, os.W_OK):
            raise OutputUnusable(
                f"{self.path} can't be written, so no access key is made",
                "AWS_SHARED_CREDENTIALS_FILE names another file.",
            )

    def write(self, profile: str, key: Key) -> None:
        """Put the key under the profile; everything else in the file stays, byte for byte.

        Raises:
            OutputUnusable: the file can't be written.
        """
        if not self.path.parent.exists():
            self.path.parent.mkdir(mode=0o700, parents=True)
        text = self.path.read_bytes() if self.path.exists() else b""
        with replacing(self.path, b"") as file:
            file.write(with_key(text, profile, key))


def with_key(text: bytes, profile: str, key: Key) -> bytes:
    """A credentials file with a key under a profile that has none: in its section, or a new one."""
    lines = f"aws_access_key_id = {key.access}\naws_secret_access_key = {key.secret}\n".encode()
    name = re.escape(profile).encode()
    if found := re.search(rb"^\[\s*" + name + rb"\s*\][^\n]*(\n|\Z)", text, re.MULTILINE):
        begun = text[: found.end()]
        return begun + (b"" if begun.endswith(b"\n") else b"\n") + lines + text[found.end() :]
    gap = b"" if not text else b"\n" if text.endswith(b"\n") else b"\n\n"
    return text + gap + f"[{profile}]\n".encode() + lines


def credentials_of(keys: Mapping[str, Key]) -> str:
    """Keys by their profiles, as a credentials file has them."""
    return "".join(with_key(b"", profile, key).decode() for profile, key in keys.items())


def _sections(path: Path) -> dict[str, dict[str, str]]:
    """The sections of an AWS file; none where there is no such file.

    Raises:
        BadSettings: it can't be read.
    """
    parser = RawConfigParser(default_section="")
    try:
        parser.read_string(path.read_text(encoding="utf-8") if path.exists() else "")
    except (OSError, UnicodeDecodeError, Error) as error:
        reason = printable(str(error).splitlines()[0])
        raise BadSettings(
            f"{path} can't be read: {reason}", "Mend it, or have this user read it."
        ) from error
    return {name.strip(): dict(parser[name]) for name in parser.sections()}
