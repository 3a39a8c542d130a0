"""What a service, or whoever stands before it, may answer instead of an answer.

Each is said as the service that was asked says it: S3 in XML, Transcribe and its kin in JSON, STS
and IAM in XML of their own, Label Studio in JSON of its API. What a service never says has no
answer here.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import NamedTuple

REGION = "eu-west-1"
USER = "arn:aws:iam::123456789012:user/nightly"


class Hostile(StrEnum):
    """What is answered; the value is how tables head the column."""

    DENIED = "refused by a policy"
    KEY = "refused by a key"
    GONE = "gone"
    REGION = "another region"
    MISSIGNED = "signed for another region"
    PAGE = "a page of HTML"
    FOUND = "redirect (302)"
    MOVED = "redirect (307)"
    CUT = "cut short"
    ENDLESS = "endless"
    HUGE = "too large"
    DRIPPING = "a byte a second"
    THROTTLED = "throttled for a while"
    SKEWED = "clock is wrong"
    EXPIRED = "token has expired"


class Wire(StrEnum):
    """How a service writes what it refuses."""

    S3 = "s3"
    JSON = "json"
    QUERY = "query"
    LABELS = "labels"


class Refusal(NamedTuple):
    """A refusal: status, code and words; `headers` beside those that every answer has."""

    status: int
    code: str
    words: str
    headers: tuple[tuple[str, str], ...] = ()


BODIES = frozenset({Hostile.PAGE, Hostile.CUT, Hostile.ENDLESS, Hostile.HUGE, Hostile.DRIPPING})
"""Answers that are so by their body: what asks for headers alone never gets one.

An endless one is ended by the time that an answer may take, a huge one by its bytes.
"""

REDIRECTS = {Hostile.FOUND: 302, Hostile.MOVED: 307}
PAGE = b"<!doctype html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"

_BECAUSE = "because no identity-based policy allows the"
_SIGNED = (
    "Signature expired: 20261128T100000Z is now earlier than 20261128T111500Z "
    "(20261128T112000Z - 5 min.)"
)
_RATE = "Rate exceeded"
_OLD = "The security token included in the request is expired"
_MISSIGNED = (
    f"The authorization header is malformed; the region 'us-east-1' is wrong; expecting '{REGION}'"
)
_ELSEWHERE = (
    "The bucket you are attempting to access must be addressed using the specified endpoint. "
    "Please send all future requests to this endpoint."
)
_WORDS: dict[Wire, dict[Hostile, Refusal]] = {
    Wire.S3: {
        Hostile.DENIED: Refusal(403, "AccessDenied", "{denied}"),
        Hostile.KEY: Refusal(403, "AccessDenied", "{key}"),
        Hostile.GONE: Refusal(404, "NoSuchKey", "The specified key does not exist."),
        Hostile.REGION: Refusal(
            301, "PermanentRedirect", _ELSEWHERE, (("x-amz-bucket-region", REGION),)
        ),
        Hostile.MISSIGNED: Refusal(400, "AuthorizationHeaderMalformed", _MISSIGNED),
        Hostile.THROTTLED: Refusal(503, "SlowDown", "Please reduce your request rate."),
        Hostile.SKEWED: Refusal(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        Hostile.EXPIRED: Refusal(400, "ExpiredToken", "The provided token has expired."),
    },
    Wire.JSON: {
        Hostile.DENIED: Refusal(400, "AccessDeniedException", "{denied}"),
        Hostile.KEY: Refusal(400, "AccessDeniedException", "{key}"),
        Hostile.GONE: Refusal(400, "NotFoundException", "{gone}"),
        Hostile.THROTTLED: Refusal(400, "ThrottlingException", _RATE),
        Hostile.SKEWED: Refusal(400, "InvalidSignatureException", _SIGNED),
        Hostile.EXPIRED: Refusal(400, "ExpiredTokenException", _OLD),
    },
    Wire.QUERY: {
        Hostile.DENIED: Refusal(403, "AccessDenied", "{denied}"),
        Hostile.THROTTLED: Refusal(400, "Throttling", _RATE),
        Hostile.SKEWED: Refusal(403, "SignatureDoesNotMatch", _SIGNED),
        Hostile.EXPIRED: Refusal(403, "ExpiredToken", _OLD),
    },
    Wire.LABELS: {
        Hostile.DENIED: Refusal(403, "", "You do not have permission to perform this action."),
        Hostile.GONE: Refusal(404, "", "No Project matches the given query."),
        Hostile.THROTTLED: Refusal(429, "", "Request was throttled."),
        Hostile.EXPIRED: Refusal(401, "", "Invalid token."),
    },
}


def refusal(wire: Wire, answer: Hostile, action: str, gone: Refusal | None) -> Refusal:
    """The refusal that an answer is; `gone` where this call has one of its own."""
    found = _WORDS[wire][answer]
    if answer is Hostile.GONE and gone:
        found = gone
    words = found.words.format(
        denied=f"User: {USER} is not authorized to perform: {action} {_BECAUSE} {action} action",
        key=f"User: {USER} is not authorized to perform: kms:Decrypt on resource: "
        f"arn:aws:kms:us-east-1:123456789012:key/1 {_BECAUSE} kms:Decrypt action",
        gone="",
    )
    return found._replace(words=words)


def says(wire: Wire, answer: Hostile) -> bool:
    """Whether a service of this wire ever refuses so."""
    return answer in _WORDS[wire]


def written(wire: Wire, refused: Refusal) -> tuple[bytes, dict[str, str]]:
    """The body of a refusal and its headers."""
    code, words = refused.code, refused.words
    if wire is Wire.LABELS:
        body = json.dumps({"status_code": refused.status, "detail": words}).encode()
        return body, {"Content-Type": "application/json"}
    if wire is Wire.JSON:
        body = json.dumps({"__type": code, "Message": words, "message": words}).encode()
        return body, {"Content-Type": "application/x-amz-json-1.1"}
    quoted = words.replace("&", "&amp;").replace("<", "&lt;")
    error = f"<Error><Code>{code}</Code><Message>{quoted}</Message>"
    if code == "AuthorizationHeaderMalformed":
        error += f"<Region>{REGION}</Region>"
    error += "</Error>"
    whole = f"<ErrorResponse>{error}</ErrorResponse>" if wire is Wire.QUERY else error
    return whole.encode(), {"Content-Type": "application/xml", **dict(refused.headers)}
