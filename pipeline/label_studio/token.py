"""The address and the token of a Label Studio, and where they come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import BadSettings
from pipeline.label_studio.errors import ACCESS_STEP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.label_studio import LabelStudio

URL_VARIABLE = "LABEL_STUDIO_URL"
TOKEN_VARIABLE = "LABEL_STUDIO_API_KEY"  # noqa: S105 # the name that Label Studio's own SDK reads

_PROJECTS = re.compile(r"/projects(?:/(\d+)|/|$)")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def address(settings: LabelStudio, environment: Mapping[str, str]) -> str:
    """The server's address without a slash at its end.

    Raises:
        BadSettings: there is none, or it is not one.
    """
    given = settings.url or environment.get(URL_VARIABLE, "")
    if not given:
        raise BadSettings(
            "Which Label Studio?",
            f"Name its address with --url or {URL_VARIABLE}, such as "
            "https://label-studio.example.com.",
        )
    try:
        parts = urlsplit(given)
        right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        right = None
    if not right or parts.username is not None or parts.query or parts.fragment:
        raise BadSettings(
            "url is no address of a Label Studio",
            "Write it as https://label-studio.example.com, with http or https, and without user, "
            "password, query or fragment.",
        )
    if inside := _PROJECTS.search(parts.path):
        project = f", and name the project with --project {inside[1]}" if inside[1] else ""
        raise BadSettings("url is the address of a page", f"End it before /projects{project}.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def read_token(settings: LabelStudio, environment: Mapping[str, str]) -> str:
    """The token from the file that is named, else from the environment.

    Raises:
        BadSettings: there is none, or it can't be one; the message does not show it.
    """
    if settings.token_file:
        origin = settings.token_file
        try:
            text = Path(origin).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise BadSettings(
                f"The token file {origin} can't be read: {reason}",
                "Let this user read it, or name another one with --token-file.",
            ) from error
    else:
        origin, text = TOKEN_VARIABLE, environment.get(TOKEN_VARIABLE, "")
    token = text.strip()
    if not token:
        raise BadSettings(f"There is no token for Label Studio in {origin}", ACCESS_STEP)
    if not _TOKEN.fullmatch(token):
        raise BadSettings(
            f"{origin} holds something else than a token, which is one word", ACCESS_STEP
        )
    return token


def is_personal(token: str) -> bool:
    """Whether it is a personal access token (a JWT of three parts) and not a legacy one (hex)."""
    return token.count(".") == 2  # noqa: PLR2004 # header, payload, signature
