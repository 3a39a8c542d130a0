"""The one translation of what Label Studio answers into errors of ours; pure.

The answers are those of the real server (1.23). An error of its own is JSON with `detail` and
`validation_errors`; a proxy's, and that of a wrong address, is a page of HTML.
"""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import msgspec

from pipeline.errors import (
    BadSettings,
    Denied,
    Expired,
    NoAccess,
    PipelineError,
    ServiceUnreachable,
    TasksRefused,
    Throttled,
    Unavailable,
)
from pipeline.text import redacted

_LONGEST_MESSAGE = 300
ACCESS_STEP = (
    "Copy a personal access token from Label Studio (Account & Settings, Personal Access Token) "
    "into LABEL_STUDIO_API_KEY or the file of --token-file."
)


class Credential(Enum):
    """What a call was made with."""

    LEGACY = auto()
    PERSONAL = auto()
    ACCESS = auto()
    """The short-lived token that is made from a personal one."""


class _Answer(msgspec.Struct):
    """What an error of Label Studio's own says."""

    detail: Any = ""
    validation_errors: Any = None


_decode = msgspec.json.Decoder(_Answer).decode


def api_error(url: str, action: str, status: int, body: bytes, used: Credential) -> PipelineError:
    """What an answer that is no success means.

    Args:
        url: the server's own address, as the user gave it.
        action: what was called, such as "POST /api/projects/3/import".
        status: of the answer.
        body: the whole answer.
        used: what the call was made with.
    """
    message = _message(body)
    error = _classified(url, status, message, used)
    error.action, error.message = action, message or ""
    return error


def _classified(url: str, status: int, message: str | None, used: Credential) -> PipelineError:
    if status == HTTPStatus.UNAUTHORIZED and message is not None:
        return _no_access(url, message, used)
    if status == HTTPStatus.FORBIDDEN and message is not None:
        return Denied(
            f"Label Studio at {url} does not let this token's user do that ({message})",
            "Ask for a role that may import into the project, or use another user's token.",
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return BadSettings(
            f"{url} leads to another address", "Name the one at which the browser ends, with --url."
        )
    return _by_status(url, status, message)


def _by_status(url: str, status: int, message: str | None) -> PipelineError:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(f"{url} answers 429: {message or 'too many requests'}")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return BadSettings(
            f"A proxy before {url} refuses bodies of a megabyte (413)",
            "Raise its limit (nginx: client_max_body_size).",
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Unavailable(f"{url} answers {status}: {message or 'a page that is not of its API'}")
    if message is None:
        return no_label_studio(url, f"it answers {status} with a page")
    if status == HTTPStatus.NOT_FOUND:
        return BadSettings(
            f"Label Studio at {url} has no such project, or none that this token's user may see "
            f"({message})",
            f"Its number stands in its address: {url}/projects/NUMBER.",
        )
    return TasksRefused(f"Label Studio at {url} refuses that ({status}): {message}")


def no_label_studio(url: str, why: str) -> BadSettings:
    """The address is not, or not only, that of a Label Studio."""
    return BadSettings(
        f"There is no Label Studio at {url}: {why}",
        "Give --url as the browser shows it, without /projects and what follows; a login page of "
        "a proxy in between must let the token pass.",
    )


def untrusted(url: str, why: str) -> ServiceUnreachable:
    """The server answers, and what it says can't be so."""
    return ServiceUnreachable(
        f"The answers of Label Studio at {url} can't be trusted: {why}",
        "A proxy or a cache in between may leave out what stands behind the ? of an address; or "
        "the server is of another version than 1.23.",
    )


def _no_access(url: str, message: str, used: Credential) -> PipelineError:
    if used is Credential.ACCESS:
        return Expired(f"Label Studio at {url} does not take the access token any more: {message}")
    if "legacy token authentication has been disabled" in message:
        why = "takes no legacy tokens any more: its organization has turned them off"
    elif used is Credential.PERSONAL:
        why = "does not take the personal access token: it is revoked, expired or another server's"
    else:
        why = f"does not know the token ({message.removesuffix('.')})"
    return NoAccess(f"Label Studio at {url} {why}", ACCESS_STEP)


def _message(body: bytes) -> str | None:
    """The server's own words on one line, cut before it quotes a task; None if it is no JSON."""
    try:
        answer = _decode(body)
    except Exception:  # noqa: BLE001 # whatever foreign text does to its reader
        return None
    found = list(_texts(answer.validation_errors)) or list(_texts(answer.detail))
    text = " ".join(redacted(" ".join(found).partition(" :: ")[0]).split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        values = value.values() if isinstance(value, dict) else value
        return [text for each in values for text in _texts(each)]
    return [str(value)] if value else []
