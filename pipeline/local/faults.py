"""Faults on request: what a network and a busy service do to a client, repeatable by a seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from hashlib import blake2b


@dataclass(frozen=True)
class Faults:
    """How often each fault happens, 0 (never) to 1 (always); all off by default.

    Which calls or jobs are hit depends only on `seed`, the fault, and what it is asked for (an
    operation and how many calls it has had, or a job's name), so that a run can be repeated.

    Faults of a call:
        throttle: ThrottlingException "Rate exceeded"; SlowDown (503) from the bucket.
        server_error: InternalFailureException (500); InternalError (500) from the bucket.
        cut: the connection closes before the call has any effect.
        slow: the answer comes `slow_seconds` late.
        truncate: a transcript's body ends early, every second time under a length that agrees.
        lost_start: the job is created, but the connection closes instead of answering.
        expired_url: Get hands out a transcript URL that has already expired.

    Faults of a listing of jobs:
        stale_listing: the listing learns of a job, and that it has finished, `stale_seconds` late.
        duplicate_entry, missing_entry: an entry is there twice, or not there.

    Faults of a job, chosen by its name:
        failed_job: ends as FAILED, its data isn't valid.
        internal_failure: ends as FAILED for a reason that begins with "Internal".
        endless_job: stays IN_PROGRESS and keeps its slot.

    A fault of a vocabulary, chosen by its name:
        failed_vocabulary: ends as FAILED, its content isn't valid.
    """

    seed: int = 0
    throttle: float = 0.0
    server_error: float = 0.0
    cut: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 1.0
    truncate: float = 0.0
    lost_start: float = 0.0
    expired_url: float = 0.0
    stale_listing: float = 0.0
    stale_seconds: float = 1.0
    duplicate_entry: float = 0.0
    missing_entry: float = 0.0
    failed_job: float = 0.0
    internal_failure: float = 0.0
    endless_job: float = 0.0
    failed_vocabulary: float = 0.0

    def __post_init__(self) -> None:
        """Refuse rates outside 0..1 and negative times."""
        for field in fields(self):
            value = getattr(self, field.name)
            most = float("inf") if field.name in {"slow_seconds", "stale_seconds"} else 1
            if field.name != "seed" and not 0 <= value <= most:
                raise ValueError(f"{field.name} must lie between 0 and {most}: {value}")

    def hits(self, fault: str, *what: object) -> bool:
        """Whether `fault` (a field's name) happens to `what`; the same answer every time."""
        rate: float = getattr(self, fault)
        if not rate:
            return False
        text = "\0".join(map(str, (self.seed, fault, *what)))
        draw = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
        return draw < rate * 2**64
