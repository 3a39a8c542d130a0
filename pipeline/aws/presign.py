"""Presigned URLs of S3: AWS Signature Version 4 in the query string.

botocore's `generate_presigned_url` takes 0.35 ms, of which 0.29 ms go to evaluating S3's endpoint
rules and validating parameters again for each key. Its `S3SigV4QueryAuth` alone, measured on one
machine beside this module, takes 0.059 ms a URL and this 0.015: nothing to a page of a listing, but
a twentieth of the CPU that a recording costs, whose transcript is one such URL. So the rules are
evaluated once for a bucket, by botocore, and the signing key is made once a day. A test compares
any URL with botocore's.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.session import Session
    from pipeline.naming import S3Uri

LIFETIME = 900
"""Seconds for which a URL is good."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_READING = ("GET", "HEAD")
_PAYS = {"x-amz-request-payer": "requester"}  # in a signed URL it is part of the query
_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Protocol):
    """botocore's frozen credentials; the token is None for those of a user."""

    access_key: str
    secret_key: str
    token: str | None


class Call(NamedTuple):
    """A call to be signed: the URL is encoded and has no query; the headers are signed too."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = {}


class Presigner:
    """URLs for calls to S3 in the session's region, good for 15 minutes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._buckets: dict[str, str] = {}

    async def url(
        self,
        method: str,
        place: S3Uri,
        query: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The URL, encoded, of a call on an object, or on the bucket where the key is empty.

        Args:
            method: GET, HEAD, PUT or DELETE.
            place: bucket and key, nothing encoded.
            query: the parameters of the call as S3's REST interface names them.
            headers: those that the call can't be made without.
        """
        credentials = await self._session.credentials.get_frozen_credentials()
        base = self._buckets.get(place.bucket) or await self._base(place.bucket)
        if self._session.settings.requester_pays and method in _READING:
            query = {**query, **_PAYS}
        call = Call(method, f"{base}/{quote(place.key, safe='/~')}", query, headers or {})
        return signed(call, credentials, self._session.s3.meta.region_name, datetime.now(UTC))

    async def _base(self, bucket: str) -> str:
        """The URL of a bucket by botocore's endpoint rules, without a slash at its end.

        Without a default port too: no client sends it, and the host is part of the signature.
        """
        url: str = await self._session.s3.generate_presigned_url(
            "head_bucket", Params={"Bucket": bucket}
        )
        parts = urlsplit(url)
        host = parts.netloc.removesuffix(_DEFAULT_PORTS[parts.scheme])
        base = f"{parts.scheme}://{host}{parts.path}".rstrip("/")
        self._buckets[bucket] = base
        return base


def signed(call: Call, credentials: Credentials, region: str, now: datetime) -> str:
    """The presigned URL of a call. Pure.

    The steps are those of "Authenticating Requests: Using Query Parameters" in S3's API reference.
    """
    host, _, path = call.url.partition("://")[2].partition("/")
    headers = {name.lower(): value for name, value in call.headers.items()} | {"host": host}
    names = ";".join(sorted(headers))
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    token = {"X-Amz-Security-Token": credentials.token} if credentials.token else {}
    query = {
        **call.query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(LIFETIME),
        "X-Amz-SignedHeaders": names,
        **token,
    }
    whole = _encoded(tuple(query.items()))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{call.method}\n/{path}\n{whole}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_key, scope)
    return f"{call.url}?{whole}&X-Amz-Signature={hmac.digest(key, text.encode(), sha256).hex()}"


@lru_cache(maxsize=4)
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    """A query in its order; that of one transcript is that of all which are asked for with it."""
    return "&".join(f"{quote(name, '~')}={quote(value, '~')}" for name, value in sorted(query))


@lru_cache(maxsize=4)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), sha256)
    return key
