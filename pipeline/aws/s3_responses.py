"""What S3 answers, from its XML; pure."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

import msgspec

from pipeline.errors import Denied, NoSuchSource, Unavailable
from pipeline.model import SourceObject
from pipeline.net.density import is_bounded
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.errors import PipelineError

# An object as S3 itself writes it when keys are percent-encoded: nothing in it needs an XML parser,
# which takes five times as long (measured: 6 ms a page of 1,000, with this 0.9 ms).
_CONTENTS = re.compile(
    "<Contents><Key>([!-%'-;=-~]*)</Key><LastModified>([^<]*)</LastModified>"
    '<ETag>(?:&quot;|")?([^<&"]*)(?:&quot;|")?</ETag>'
    "(?:<ChecksumAlgorithm>[^<]*</ChecksumAlgorithm>|<ChecksumType>[^<]*</ChecksumType>)*"
    "<Size>([0-9]{1,18})</Size><StorageClass>([^<&]*)</StorageClass></Contents>"
)
_GROUPS = _CONTENTS.groups + 1
_USER_METADATA = "x-amz-meta-"
_SIZE = re.compile("[0-9]{1,18}")


def parse_listing(body: bytes) -> tuple[list[SourceObject], str | None]:
    """The entries of a ListObjectsV2 answer and the token of the next page.

    The listing was asked for with `encoding-type=url`: keys are percent-encoded, with `+` for a
    space.

    Raises:
        Unavailable: the answer is no listing, or was cut short.
    """
    _check_size(body)
    rest, entries = _cut_out(body)
    root, space = _listing(rest)
    if root.find(f"{space}Contents") is not None:  # written in another way than S3's own
        root, space = _listing(body)
        try:
            entries = [_listed(each, space) for each in root.iterfind(f"{space}Contents")]
        except ValueError as error:
            raise Unavailable(f"A listing can't be read: {error}.") from error
    return entries, root.findtext(f"{space}NextContinuationToken")


def parse_folders(body: bytes) -> tuple[list[str], str | None]:
    """The prefixes that a listing with a delimiter has in common; otherwise as `parse_listing`."""
    _check_size(body)
    root, space = _listing(body)
    names = [
        unquote_plus(each.findtext(f"{space}Prefix", ""))
        for each in root.iterfind(f"{space}CommonPrefixes")
    ]
    return names, root.findtext(f"{space}NextContinuationToken")


def _check_size(body: bytes) -> None:
    if not is_bounded(body):
        raise Unavailable("A listing's page has more than the 1,000 objects that S3 writes on one.")


def _cut_out(body: bytes) -> tuple[bytes, list[SourceObject]]:
    """The objects that are written as S3 does, and the answer without them."""
    parts = _CONTENTS.split(body.decode(errors="surrogateescape"))
    columns = (parts[n::_GROUPS] for n in range(1, _GROUPS))
    entries = [
        SourceObject(
            unquote_plus(key) if "%" in key or "+" in key else key,
            etag,
            int(size),
            storage,
            b"",
            modified,
        )
        for key, modified, etag, size, storage in zip(*columns, strict=True)
    ]
    return "".join(parts[::_GROUPS]).encode(errors="surrogateescape"), entries


def _listing(body: bytes) -> tuple[ET.Element, str]:
    """The answer to ListObjectsV2 and the namespace that its tags are in."""
    root = _root(body, "ListBucketResult", "A listing")
    return root, root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""


def _root(body: bytes, name: str, what: str) -> ET.Element:
    try:
        root = ET.fromstring(body)  # noqa: S314 # expat bounds entity expansion since 2.4
    except Exception as error:  # its encoding may be unknown, or none that expat reads
        raise Unavailable(f"{what} can't be read: {error}.") from error
    if root.tag.rpartition("}")[2] != name:
        raise Unavailable(f"{what} was asked for, but the answer is <{root.tag}>.")
    return root


def _listed(contents: ET.Element, space: str) -> SourceObject:
    # One pass over the children: four searches would cost as much as parsing the XML did.
    facts = {each.tag: each.text or "" for each in contents}
    key = facts.get(f"{space}Key", "")
    return SourceObject(
        unquote_plus(key) if "%" in key or "+" in key else key,
        facts.get(f"{space}ETag", "").strip('"'),
        _size(facts.get(f"{space}Size", "")),
        facts.get(f"{space}StorageClass", ""),
        modified=facts.get(f"{space}LastModified", ""),
    )


def _size(text: str) -> int:
    """Bytes, in 63 bits as SQLite holds them.

    Raises:
        Unavailable: it is no size.
    """
    if not _SIZE.fullmatch(text):
        raise Unavailable(f"S3 gives {printable(text[:40])!r} as the size of an object.")
    return int(text)


def parse_head(key: str, headers: Mapping[str, str]) -> SourceObject:
    """The facts of an object as HeadObject's headers have them.

    One that is restored from an archive is read as any other, whatever its storage class.
    """
    storage, etag = headers.get("x-amz-storage-class", ""), headers.get("ETag", "")
    if 'ongoing-request="false"' in headers.get("x-amz-restore", ""):
        storage = ""
    size, metadata = _size(headers.get("Content-Length", "0")), _user_metadata(headers)
    return SourceObject(key, etag.strip('"'), size, storage, metadata)


def _user_metadata(headers: Mapping[str, str]) -> bytes:
    """The user-defined metadata of an object as JSON, b"" for none.

    S3 writes what is no ASCII as RFC 2047 has it (`=?UTF-8?B?w5w=?=`).
    """
    names = [name for name in headers if name.lower().startswith(_USER_METADATA)]
    found = {n.lower().removeprefix(_USER_METADATA): _unicode(headers[n]) for n in names}
    return msgspec.json.encode(found) if found else b""


def _unicode(value: str) -> str:
    with suppress(LookupError, ValueError, MessageError):  # of a charset that nobody knows
        decoded = str(make_header(decode_header(value)))
        decoded.encode()  # some charsets give half a letter
        value = decoded
    return value.encode(errors="surrogateescape").decode(errors="replace")


def parse_tags(body: bytes) -> dict[str, str]:
    """The tags of an object, from the answer to GetObjectTagging.

    Raises:
        Unavailable: it is no such answer.
    """
    if not is_bounded(body):
        raise Unavailable("A set of tags has more than the 10 that S3 keeps of an object.")
    tags = _root(body, "Tagging", "A set of tags").iterfind("{*}TagSet/{*}Tag")
    return {each.findtext("{*}Key", ""): each.findtext("{*}Value", "") for each in tags}


def parse_age(headers: Mapping[str, str]) -> float:
    """Seconds since the object was written, by S3's own clock; infinite where it does not say."""
    now, written = (parsedate_tz(headers.get(name, "")) for name in ("Date", "Last-Modified"))
    if now is None or written is None:
        return math.inf
    try:
        return max(0.0, float(mktime_tz(now) - mktime_tz(written)))
    except (OverflowError, ValueError):  # of a year that no calendar has
        return math.inf


def head_error(status: int) -> bytes:
    """The body that an error answer to HEAD would have had: it names no error."""
    return b"<Error><Code>%s</Code></Error>" % {403: b"AccessDenied"}.get(
        status, str(status).encode()
    )


def error_details(body: bytes) -> tuple[str, str, str]:
    """Code, message and region of an S3 error answer; empty where it has none."""
    if not is_bounded(body):
        return "", "", ""
    try:
        root = ET.fromstring(body)  # noqa: S314 # as above
    except Exception:  # noqa: BLE001 # as above
        return "", "", ""
    return root.findtext("Code", ""), root.findtext("Message", ""), root.findtext("Region", "")


def of_the_object(body: bytes) -> str:
    """What an error answer says of one object alone; "" where it may be of the whole bucket.

    A listing does not show that Intelligent-Tiering has archived an object, nor with which key one
    is encrypted (InvalidObjectState and KMS.DisabledException of S3's error responses).
    """
    code, message, _ = error_details(body)
    return f"{code}: {message}" if code == "InvalidObjectState" or code.startswith("KMS.") else ""


def url_denied(body: bytes) -> Denied:
    """What the refusal of the service's own presigned URL means, by its body."""
    code, words, _ = error_details(body)
    said = f"{code}: {words}" if code else "the answer names no reason"
    return Denied(
        f"The service's URL of a transcript may not be read ({said})",
        "A VPC endpoint's policy must allow s3:GetObject on the service's own buckets, whose names "
        "begin with aws-transcribe-; with --results the transcripts are in your bucket.",
        action="s3:GetObject",
        message=f"{code}: {words}" if code else "",
    )


def no_bucket(name: str) -> NoSuchSource:
    """The error that a missing bucket is."""
    return NoSuchSource(f"There is no bucket s3://{name}", "Check its name and the account.")


def unexpected(bucket: str, code: str, message: str) -> PipelineError:
    """What an answer means that is about neither access nor load, nor about a missing object."""
    if not code:
        return Unavailable(f"{bucket}: an answer that is not S3's.")
    return NoSuchSource(f"The bucket {bucket} can't be read: {code}: {message}")
