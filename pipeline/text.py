"""Words for people: durations, counts, and foreign text that does no harm and tells no secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

_MASK = "***"
_SHORTEST_SECRET = 8
"""Characters; what is shorter guards nothing, and would be found in every other word."""

_hidden: set[str] = set()

# In a line of JSON too; without the backslash no escape is cut in two.
_PRESIGNED = re.compile(r"\?[^\s\"'<>\\]*(?:x-amz-|signature=|token=)[^\s\"'<>\\]*", re.IGNORECASE)
_VALUE = r"[^\s\"'<>,;\\]+"
_AUTHORIZATION = re.compile(
    rf"(authorization\W{{1,4}})(?:(?:token|bearer|basic) +)?{_VALUE}", re.IGNORECASE
)
# With a digit, or "Token authentication" would be one.
_CREDENTIALS = re.compile(r"\b(token|bearer|basic)( +)(?=\S*\d)[^\s\"'<>,;\\]{8,}", re.IGNORECASE)
_SIGNATURE = re.compile(r"(signature=)[0-9a-f]{16,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")


def hide(secret: str) -> None:
    """From now on a secret is printed and logged nowhere, whoever repeats it."""
    if len(secret) >= _SHORTEST_SECRET:
        _hidden.update((secret, quote(secret, safe="")))


def redacted(text: str) -> str:
    """Foreign words without what was hidden, and without what looks like a secret.

    That is the query of a presigned URL, an `Authorization` header, and a token.
    """
    for secret in _hidden:
        text = text.replace(secret, _MASK)
    text = _PRESIGNED.sub("?...", text)
    text = _AUTHORIZATION.sub(rf"\1{_MASK}", text)
    text = _CREDENTIALS.sub(rf"\1\2{_MASK}", text)
    text = _SIGNATURE.sub(rf"\1{_MASK}", text)
    return _JWT.sub(_MASK, text)


def storable(text: str) -> str:
    """The same text in which each lone surrogate, which no file or SQLite takes, is a `?`."""
    return text.encode("utf-8", "replace").decode()


def duration(seconds: float) -> str:
    """A duration in words of at most two units."""
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    whole = max(0, round(seconds))
    index = next((i for i, (size, _) in enumerate(units) if whole >= size), len(units) - 1)
    parts: list[str] = []
    for size, name in units[index : index + 2]:
        count, whole = divmod(whole, size)
        if count or not parts:
            parts.append(f"{count} {name}")
    return " ".join(parts)


def count_of(count: int, one: str, several: str = "") -> str:
    """A count with its noun, which a verb may follow: `1 recording is`, `2,000 recordings are`.

    Args:
        count: how many.
        one: what stands behind 1.
        several: what stands behind any other number, where that is not `one` with an s.
    """
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def printable(text: str) -> str:
    """A key or message on one line, control characters escaped, other Unicode as it is.

    What is secret in it is left out.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in redacted(text))


def tally(counts: Mapping[str, int]) -> str:
    """How many there are of each kind, the most frequent first: `9 not audio, 2 excluded`."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in ordered)
