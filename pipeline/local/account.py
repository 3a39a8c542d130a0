"""What the parts of one local cloud share, and what it counts."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.local.errors import Refused
from pipeline.local.jobs import Jobs
from pipeline.local.presigned import Signer
from pipeline.local.signatures import Received, check
from pipeline.local.vocabularies import Vocabularies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from pipeline.local.bucket import Bucket
    from pipeline.local.options import CloudOptions
    from pipeline.local.store import Store


@dataclass
class Counts:
    """Counts since the cloud was opened.

    `calls` by operation; `refused` by error code; `created` and `executed` by job name (executed:
    work on the job has begun).
    """

    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    executed: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain dictionaries."""
        return {name: dict(counts) for name, counts in vars(self).items()}


class Account:
    """One account of the local cloud; `url` is where it can be reached."""

    def __init__(self, options: CloudOptions, bucket: Bucket, store: Store, url: str) -> None:
        self.options = options
        self.bucket = bucket
        self.store = store
        self.url = url
        self.jobs = Jobs(options.quotas)
        self.vocabularies = Vocabularies()
        self.counts = Counts()
        self.signer = Signer(url)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.options.clock()

    def check_signature(
        self, request: web.BaseRequest, service: str = "s3", body: bytes = b""
    ) -> str:
        """The hash that the body of a signed call must have, as `signatures.check` says it.

        Raises:
            Refused: the call is not signed with a key of this cloud.
        """
        received = Received(request.method, request.raw_path, request.headers, body)
        # By the caller's clock, and not by that of a cloud whose time is somebody's.
        return check(received, service, self.options.keys, time.time())

    def presigned(self, path: str, age: float = 0) -> str:
        """An address that opens a path of the store, signed `age` seconds ago."""
        return self.signer.sign(path, self.now() - age)

    def refuse_by_fault(
        self, operation: str, call: int, answers: Mapping[str, tuple[str, str, int]]
    ) -> None:
        """Refuse a call where a fault says so; `answers` are code, message and status by fault."""
        for fault, answer in answers.items():
            if self.options.faults.hits(fault, operation, call):
                raise Refused(*answer)
