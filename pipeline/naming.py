"""Identity is computed, never remembered: job names and the places of results.

A job's name is a function of the recording and of the settings that change its result, so that
starting twice is a conflict at the service and not a second bill. Pure.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

import orjson

if TYPE_CHECKING:
    from pipeline.model import Recording

GROUP_BYTES = 4
IDENTITY_BYTES = 16
_ATTEMPT_DIGITS = 9


class S3Uri(NamedTuple):
    """A bucket and a key or prefix in it, as in `s3://bucket/key`."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_s3_uri(uri: str) -> S3Uri | None:
    """Split `s3://bucket/key` without decoding anything; None when it is not such a URI."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return S3Uri(bucket, key) if scheme == "s3" and bucket else None


def identity(bucket: str, recording: Recording, fingerprint: str) -> bytes:
    """16 bytes that differ when the bucket, key, content or result-affecting settings differ."""
    parts = orjson.dumps([bucket, recording.key, recording.etag, fingerprint])
    return hashlib.blake2b(parts, digest_size=IDENTITY_BYTES).digest()


def job_name_prefix(prefix: str, bucket: str) -> str:
    """The start that the names of all jobs of one bucket share: what the poller lists by.

    It depends on the bucket alone, so that the same recording listed through another prefix
    still has the same job name.
    """
    digest = hashlib.blake2b(bucket.encode(), digest_size=GROUP_BYTES).hexdigest()
    return f"{prefix}-{digest}-"


def job_name(name_prefix: str, identity: bytes, attempt: int) -> str:
    """The job's name, valid for the service (`[0-9a-zA-Z._-]{1,200}`).

    Args:
        name_prefix: from `job_name_prefix`.
        identity: from `identity`.
        attempt: 1 for the first job of a recording; a failed name can't be used again.
    """
    suffix = "" if attempt == 1 else f"-{attempt}"
    return f"{name_prefix}{identity.hex()}{suffix}"


def parse_job_name(name_prefix: str, name: str) -> tuple[bytes, int] | None:
    """The identity and attempt that a job name was made of; None for another program's name."""
    if not name.startswith(name_prefix):
        return None
    identity, _, attempt = name.removeprefix(name_prefix).partition("-")
    if len(attempt) > _ATTEMPT_DIGITS:  # anybody may write such a name; ours stay below a hundred
        return None
    try:
        found = bytes.fromhex(identity), int(attempt or 1)
    except ValueError:
        return None
    whole = len(found[0]) == IDENTITY_BYTES and found[1] > 0
    ours = whole and job_name(name_prefix, *found) == name
    return found if ours else None


REDACTED = "redacted-"
"""What the service writes before the name of a redacted file."""


def result_place(results: S3Uri, name: str, *, redacted: bool = False) -> S3Uri:
    """Where the service writes the transcript of the job `name` under `--results`.

    A redacted one lies beside the place that the request names, under another name.
    """
    file = f"{REDACTED if redacted else ''}{name}.json"
    return S3Uri(results.bucket, f"{as_folder(results).key}{file}")


def subtitle_place(transcript: S3Uri, suffix: str) -> S3Uri:
    """Where the service writes subtitles (`vtt`, `srt`): beside the transcript they are made of."""
    return transcript._replace(key=f"{transcript.key.removesuffix('json')}{suffix}")


def folder_name(place: S3Uri) -> str:
    """What a prefix is called: its last folder, or the bucket."""
    return place.key.rstrip("/").rpartition("/")[2] or place.bucket


def as_folder(place: S3Uri) -> S3Uri:
    """The same prefix with a slash at its end, as the places of results have it."""
    whole = not place.key or place.key.endswith("/")
    return place if whole else place._replace(key=f"{place.key}/")


def places_of_results(results: S3Uri, name: str) -> list[S3Uri]:
    """Wherever the service may have written for the job `name`: transcripts and subtitles."""
    places = [result_place(results, name, redacted=each) for each in (False, True)]
    return [*places, *(subtitle_place(p, suffix) for p in places for suffix in ("vtt", "srt"))]


def trial_place(results: S3Uri) -> S3Uri:
    """Where `check` writes to see whether it may: below the prefix, and no name of a result."""
    folder = as_folder(results)
    return folder._replace(key=f"{folder.key}.transcribe-pipeline-check")


def place_of_result(url: str) -> S3Uri | None:
    """The bucket and key behind an unsigned path-style URL, `https://s3.REGION.../bucket/key`."""
    try:
        path = urlsplit(url).path
    except ValueError:  # such as a host in brackets that is no address
        return None
    bucket, _, key = path.removeprefix("/").partition("/")
    return S3Uri(unquote(bucket), unquote(key)) if bucket and key else None


class Queue(NamedTuple):
    """What a queue's URL says; AWS's own hosts name its region, see `aws.partitions`."""

    host: str
    account: str
    name: str


def parse_queue_url(url: str) -> Queue | None:
    """Split `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`; None when it is not such a URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    path = re.fullmatch(r"/(\d{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)", parts.path)
    if parts.scheme not in ("http", "https") or not host or not path or parts.query:
        return None
    return Queue(host, *path.groups())
