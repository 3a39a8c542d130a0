"""Whether a request was signed with a key of this endpoint: AWS Signature Version 4; pure.

The signature is made again by botocore's own signers from what was received, and compared. What is
checked and how it is refused is as at the service: "Authenticating Requests" in S3's API reference.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pipeline.local.errors import Refused
from pipeline.local.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from multidict import CIMultiDictProxy

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"
_SKEW = 900
"""Seconds by which a caller's clock may be wrong."""

_LONGEST = 604_800
"""Seconds for which an address may be presigned."""

_SCOPE = r"([^/,\s]+)/(\d{8})/([\w-]+)/(s3|transcribe)/aws4_request"
_CREDENTIAL = re.compile(_SCOPE)
_AUTHORIZATION = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={_SCOPE}, *SignedHeaders=([\w;-]+), *Signature=([0-9a-f]{{64}})"
)
_CODES = {
    "s3": ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
    "transcribe": (
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "InvalidSignatureException",
    ),
}


class Received(NamedTuple):
    """A request as it came; `target` is path and query as sent, `body` what is read already."""

    method: str
    target: str
    headers: CIMultiDictProxy[str]
    body: bytes = b""


class Claim(NamedTuple):
    """What a request says of its signature; `expires` in seconds, None for one in the header."""

    access_key: str
    day: str
    region: str
    service: str
    names: tuple[str, ...]
    signature: str
    moment: str
    expires: int | None


def check(received: Received, service: str, keys: Iterable[Keys], now: float) -> str:
    """The SHA-256 that the body must have, in hex, or `UNSIGNED` where any will do.

    The service is "s3" or "transcribe", the keys are those that open it, `now` seconds since 1970.

    Raises:
        Refused: it is not signed, by another key, wrongly, too early or too late.
    """
    missing, unknown, wrong, late = _CODES[service]
    claim = _claim(received)
    if claim is None or claim.service != service or not _all_signed(received, claim):
        raise _refused(missing, "Access Denied")
    secret_keys = dict(keys)
    if claim.access_key not in secret_keys:
        raise _refused(unknown, "The AWS access key id you provided does not exist in our records.")
    pair = Keys(claim.access_key, secret_keys[claim.access_key])
    expected, payload = _signature(received, claim, pair)
    if not hmac.compare_digest(expected, claim.signature):
        raise _refused(
            wrong,
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )
    _check_time(claim, late, now)
    return payload


def is_presigned(target: str) -> bool:
    """Whether a request's target carries a signature in its query."""
    return "X-Amz-Signature=" in target.partition("?")[2]


def _claim(received: Received) -> Claim | None:
    """What the header or the query says; None where neither says it well."""
    query = dict(_query(received))
    if "X-Amz-Signature" in query:
        return _presigned(query)
    found = _AUTHORIZATION.fullmatch(received.headers.get("Authorization", ""))
    if found is None:
        return None
    names = tuple(found[5].lower().split(";"))
    moment = received.headers.get("X-Amz-Date", "")
    return Claim(found[1], found[2], found[3], found[4], names, found[6], moment, None)


def _presigned(query: Mapping[str, str]) -> Claim | None:
    found = _CREDENTIAL.fullmatch(query.get("X-Amz-Credential", ""))
    expires = query.get("X-Amz-Expires", "")
    known = query.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256" and re.fullmatch(r"\d{1,6}", expires)
    if found is None or not known or int(expires) > _LONGEST:
        return None
    names = tuple(query.get("X-Amz-SignedHeaders", "").lower().split(";"))
    moment, signature = query.get("X-Amz-Date", ""), query["X-Amz-Signature"]
    if not signature.isascii():
        return None
    return Claim(found[1], found[2], found[3], found[4], names, signature, moment, int(expires))


def _all_signed(received: Received, claim: Claim) -> bool:
    """Whether nothing that has a meaning could have been added on the way."""
    meant = {name.lower() for name in received.headers if name.lower().startswith("x-amz-")}
    in_header = claim.service == "s3" and claim.expires is None
    meant |= {"host", *(["x-amz-content-sha256"] if in_header else [])}
    return meant <= set(claim.names)


def _signature(received: Received, claim: Claim, keys: Keys) -> tuple[str, str]:
    """The signature that the request should have, and the hash of the body that it holds for."""
    kinds = {("s3", False): S3SigV4Auth, ("s3", True): S3SigV4QueryAuth}
    kind = kinds.get((claim.service, claim.expires is not None), SigV4Auth)
    headers = received.headers
    signed = [(name, value) for name, value in headers.items() if name.lower() in claim.names]
    request = AWSRequest(
        method=received.method,
        url=f"http://{headers.get('Host', '')}{received.target.partition('?')[0]}",
        params=[pair for pair in _query(received) if pair[0] != "X-Amz-Signature"],
        data=received.body,
    )
    for name, value in signed:
        request.headers[name] = value
    request.context["timestamp"] = claim.moment
    signer = kind(Credentials(*keys), claim.service, claim.region)
    canonical = signer.canonical_request(request)
    payload = str(canonical).rpartition("\n")[2]
    return str(signer.signature(signer.string_to_sign(request, canonical), request)), payload


def _query(received: Received) -> list[tuple[str, str]]:
    # Decoded, as at S3: clients write the same query in more than one way.
    return parse_qsl(received.target.partition("?")[2], keep_blank_values=True)


def _check_time(claim: Claim, late: str, now: float) -> None:
    try:
        signed = datetime.strptime(claim.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _refused(late, "The date of the request can't be read.") from None
    if claim.moment[:8] != claim.day or now < signed - _SKEW:
        raise _refused(late, "The request is not yet valid.")
    if claim.expires is not None and now >= signed + claim.expires:
        raise _refused("AccessDenied", "Request has expired")
    if claim.expires is None and now > signed + _SKEW:
        raise _refused(
            late, "The difference between the request time and the current time is too large."
        )


def check_digest(payload: str, digest: str) -> None:
    """Hold the SHA-256 of a body, in hex, against what was signed.

    Raises:
        Refused: it is another one.
    """
    if payload not in {UNSIGNED, digest}:
        raise Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )


def _refused(code: str, message: str) -> Refused:
    status = HTTPStatus.BAD_REQUEST if code.endswith("Exception") else HTTPStatus.FORBIDDEN
    return Refused(code, message, status)
