"""Where the service keeps transcripts that have no bucket of their own, and who may read them.

One anonymous file holds them all: private to this process, and gone with it however it ends.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlencode

from pipeline.local.s3_wire import S3Error, no_such_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LIFETIME = 900
"""Seconds for which the address of a transcript is valid, as at the service."""

ACCOUNT = "000000000000"
SERVICE_BUCKET = "aws-transcribe-us-east-1-prod"
VOCABULARY_BUCKET = "aws-transcribe-dictionary-model-us-east-1-prod"
_STAMP = "%Y%m%dT%H%M%SZ"
_FORBIDDEN = 403


class Store:
    """The transcripts' bytes, by position and length."""

    def __init__(self) -> None:
        # Read and written by position through its descriptor for as long as the cloud is open.
        self._file = tempfile.TemporaryFile(prefix="transcripts-")  # noqa: SIM115 (see __exit__)
        self._end = 0

    def __enter__(self) -> Self:
        """The file is open from the start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the space back."""
        self._file.close()

    def add(self, content: bytes) -> tuple[int, int]:
        """Keep `content`; returns where it is."""
        position = self._end
        os.pwrite(self._file.fileno(), content, position)
        self._end += len(content)
        return position, len(content)

    def read(self, place: tuple[int, int]) -> bytes:
        """What was kept there."""
        position, length = place
        return os.pread(self._file.fileno(), length, position)


class Signer:
    """Makes and checks addresses that are valid for 15 minutes; each one is another."""

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

    def check(self, target: str, now: float) -> None:
        """Let a request's target (path and query as sent) pass, or not.

        Raises:
            S3Error: no signature, one that was not made here, or one that has expired.
        """
        path, _, text = target.partition("?")
        # Decoded, as at S3: clients write the same query in more than one way.
        query = dict(parse_qsl(text, keep_blank_values=True))
        signature = query.pop("X-Amz-Signature", "")
        if not signature:
            raise S3Error("AccessDenied", "Access Denied", _FORBIDDEN)
        expected = self._signature(path, query)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise S3Error(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                _FORBIDDEN,
            )
        signed = datetime.strptime(query["X-Amz-Date"], _STAMP).replace(tzinfo=UTC).timestamp()
        if now >= signed + LIFETIME:
            raise S3Error("AccessDenied", "Request has expired", _FORBIDDEN)

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        text = f"{path}?{urlencode(sorted(query.items()))}"
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()


def transcript_path(job_name: str, number: int, suffix: str = "json") -> str:
    """The path of a job's transcript, or subtitles, in the service's own bucket."""
    unique = f"{number:032x}"
    dashed = "-".join((unique[:8], unique[8:12], unique[12:16], unique[16:20], unique[20:]))
    return f"/{SERVICE_BUCKET}/{ACCOUNT}/{job_name}/{dashed}/asrOutput.{suffix}"


def vocabulary_path(name: str) -> str:
    """The path of a vocabulary's table in the service's own bucket."""
    return f"/{VOCABULARY_BUCKET}/{ACCOUNT}/{name}/input.txt"


def job_number(path: str) -> int:
    """Which job a path of the service's bucket belongs to.

    Raises:
        S3Error: it belongs to none.
    """
    try:
        return int(path.split("/")[4].replace("-", ""), 16)
    except (IndexError, ValueError):
        raise no_such_key() from None
