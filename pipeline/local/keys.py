"""Key pairs that calls of a local cloud are signed with."""

from __future__ import annotations

import secrets
from typing import NamedTuple


class Keys(NamedTuple):
    """An access key and its secret."""

    access_key: str
    secret_key: str


def new_keys() -> Keys:
    """A pair that nobody can guess."""
    return Keys(f"LOCAL{secrets.token_hex(8).upper()}", secrets.token_hex(20))
