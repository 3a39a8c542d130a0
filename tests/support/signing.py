"""Calls of the local endpoint, signed with the one key pair of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pipeline.local import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = Keys("test", "test")
REGION = "us-east-1"


def presigned(url: str, method: str = "GET", *, keys: Keys = KEYS, seconds: int = 900) -> str:
    """The URL of a call, byte for byte, with a query that opens it for so many seconds."""
    request = AWSRequest(method, url)
    S3SigV4QueryAuth(Credentials(*keys), "s3", REGION, expires=seconds).add_auth(request)
    return str(request.url)


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    keys: Keys = KEYS,
) -> dict[str, str]:
    """The headers of a call, with those that sign it; of Transcribe where they name a target."""
    request = AWSRequest(method, url, dict(headers or {}), data=body)
    transcribe = any(name.lower() == "x-amz-target" for name in request.headers)
    kind, service = (SigV4Auth, "transcribe") if transcribe else (S3SigV4Auth, "s3")
    kind(Credentials(*keys), service, REGION).add_auth(request)
    return dict(request.headers.items())


def unsigned_query(target: str) -> str:
    """A path and query without what presigns it."""
    path, _, query = target.partition("?")
    kept = [pair for pair in parse_qsl(query, True) if not pair[0].startswith("X-Amz-")]  # noqa: FBT003
    return f"{path}?{urlencode(kept)}" if kept else path
