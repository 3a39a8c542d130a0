"""Addresses of the service's own buckets that are valid for 15 minutes."""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from pipeline.local.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

LIFETIME = 900
"""Seconds for which an address is valid, as at the service."""

_STAMP = "%Y%m%dT%H%M%SZ"


class Signer:
    """Signs paths and checks them; the same path never gets the same address twice.

    The query has the shape of S3's; its signature is this process's own.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sign(self, path: str, now: float) -> str:
        """`path` with the query that opens it from `now` (seconds since 1970) on."""
        stamp = datetime.fromtimestamp(now, UTC).strftime(_STAMP)
        query = {
            "X-Amz-Security-Token": secrets.token_urlsafe(24),
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Date": stamp,
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Expires": str(LIFETIME),
            "X-Amz-Credential": f"LOCAL/{stamp[:8]}/us-east-1/s3/aws4_request",
        }
        signature = self._signature(path, query)
        return f"{path}?{urlencode({**query, 'X-Amz-Signature': signature})}"

    def check(self, target: str, now: float) -> str:
        """The path of a request's target (path and query as sent), if its signature opens it.

        Raises:
            Refused: no signature, one that was not made here, or one that has expired.
        """
        path, _, text = target.partition("?")
        # Decoded, as at S3: clients write the same query in more than one way.
        query = dict(parse_qsl(text, keep_blank_values=True))
        signature = query.pop("X-Amz-Signature", "")
        if not signature:
            raise Refused("AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN)
        expected = self._signature(path, query)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise Refused(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                HTTPStatus.FORBIDDEN,
            )
        signed = datetime.strptime(query["X-Amz-Date"], _STAMP).replace(tzinfo=UTC).timestamp()
        if now >= signed + LIFETIME:
            raise Refused("AccessDenied", "Request has expired", HTTPStatus.FORBIDDEN)
        return path

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        text = f"{path}?{urlencode(sorted(query.items()))}"
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()
