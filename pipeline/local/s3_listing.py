"""ListObjectsV2: its arguments and its XML; pure."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from pipeline.local.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.local.bucket import Bucket, Entry, Page

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MOST_KEYS = 1000
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def page_for(query: Mapping[str, str], bucket: Bucket) -> Page:
    """The page of a listing that a request's query asks for; reads the folder.

    Raises:
        Refused: max-keys is no number, or the token was not made here.
    """
    token = query.get("continuation-token")
    after = query.get("start-after", "") if token is None else _from_token(token)
    limit = _max_keys(query.get("max-keys", str(_MOST_KEYS)))
    return bucket.page(query.get("prefix", ""), after, limit, query.get("delimiter", ""))


def listing(page: Page, bucket: str, query: Mapping[str, str]) -> str:
    """A page of a listing as S3's XML; keys are percent-encoded on request, "+" for a space."""
    encode = _quoted if query.get("encoding-type") == "url" else _text
    head = {
        "Name": bucket,
        "Prefix": encode(query.get("prefix", "")),
        "MaxKeys": escape(query.get("max-keys", str(_MOST_KEYS))),
        "EncodingType": "url" if encode is _quoted else None,
        "Delimiter": encode(query["delimiter"]) if "delimiter" in query else None,
        "StartAfter": encode(query["start-after"]) if "start-after" in query else None,
        "KeyCount": len(page.entries) + len(page.prefixes),
        "IsTruncated": "false" if page.more is None else "true",
        "NextContinuationToken": None if page.more is None else to_token(page.more),
    }
    groups = ({"Prefix": encode(prefix)} for prefix in page.prefixes)
    body = [
        _elements(head),
        *(
            f"<Contents>{_elements(_content(each, encode(each.key)))}</Contents>"
            for each in page.entries
        ),
        *(f"<CommonPrefixes>{_elements(group)}</CommonPrefixes>" for group in groups),
    ]
    return f'<ListBucketResult xmlns="{NAMESPACE}">{"".join(body)}</ListBucketResult>'


def _elements(values: Mapping[str, object]) -> str:
    return "".join(
        f"<{name}>{value}</{name}>" for name, value in values.items() if value is not None
    )


def _content(entry: Entry, key: str) -> dict[str, object]:
    modified = datetime.fromtimestamp(entry.modified, UTC)
    return {
        "Key": key,
        "LastModified": modified.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "ETag": f"&quot;{entry.etag}&quot;",
        "Size": entry.size,
        "StorageClass": "STANDARD",
    }


def _quoted(key: str) -> str:
    """A key as S3 writes it under `encoding-type=url`: slashes stay, a space becomes "+"."""
    return quote_plus(key, safe="/*-._")


def _text(key: str) -> str:
    # Control characters have no place in XML 1.0; S3's own answer is unreadable there too.
    return escape(_ILLEGAL.sub("\ufffd", key))


def _max_keys(text: str) -> int:
    if not text.isdecimal():
        message = "Provided max-keys not an integer or within integer range"
        raise Refused("InvalidArgument", message)
    return min(int(text), _MOST_KEYS)


def to_token(key: str) -> str:
    """Where a listing goes on, as an opaque word."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError:
        message = "The continuation token provided is incorrect"
        raise Refused("InvalidArgument", message) from None
