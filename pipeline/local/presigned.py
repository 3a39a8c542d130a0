"""Addresses of the service's own buckets that are valid for 15 minutes."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.credentials import Credentials

from pipeline.aws.presign import Call, signed
from pipeline.local.keys import new_keys
from pipeline.local.signatures import REGION, check

if TYPE_CHECKING:
    from pipeline.local.signatures import Received


class Signer:
    """Signs the addresses of one cloud with a key of its own, and checks them.

    The same path never gets the same address twice.
    """

    def __init__(self, url: str) -> None:
        self._url = url.removesuffix(":80")  # the host is signed, and no client sends this port
        self._keys = new_keys()

    def sign(self, path: str, now: float) -> str:
        """The address that opens `path` from `now` (seconds since 1970) on."""
        credentials = Credentials(*self._keys, secrets.token_urlsafe(24))
        call = Call("GET", self._url + path, {})
        return signed(call, credentials, REGION, datetime.fromtimestamp(now, UTC))

    def check(self, received: Received, now: float) -> str:
        """The path of a request, if its signature opens it.

        Raises:
            Refused: no signature, one that was not made here, or one that has expired.
        """
        check(received, "s3", [self._keys], now)
        return received.target.partition("?")[0]
