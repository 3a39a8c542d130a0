"""The jobs that an earlier run left in flight: whether their transcripts are still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.doctor.findings import Finding, ok, skipped, warning
from pipeline.errors import JobMissing, StateUnusable
from pipeline.model import JobStatus
from pipeline.naming import place_of_result
from pipeline.state.reader import read_state
from pipeline.text import count_of, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.aws.s3 import S3
    from pipeline.jobs.client import Transcriber
    from pipeline.model import Job

_MOST = 20
"""So many are asked for: each costs a call or two, and thirty a second are allowed."""
_ADVICE = (
    "A run fails such a recording alone; `transcribe-pipeline retry` then transcribes it again, "
    "which is paid for."
)


def jobs_of(state_path: Path) -> list[Job]:
    """The oldest jobs in flight of a state file; none where it can't be read: its line says so."""
    if not state_path.exists():
        return []
    try:
        with read_state(state_path) as opened:
            return [job for job, _ in opened.recordings.in_flight()[:_MOST]]
    except StateUnusable:
        return []


async def examine(jobs: Sequence[Job], transcriber: Transcriber, s3: S3) -> Finding:
    """Whether the transcripts of the jobs that have ended are where the service wrote them."""
    found = await asyncio.gather(*(_is_removed(each, transcriber, s3) for each in jobs))
    removed = [job for job, is_removed in zip(jobs, found, strict=True) if is_removed]
    if not removed:
        known = sum(each is not None for each in found)
        if not known:
            why = "The service knows none of the jobs in flight, so nothing of their transcripts."
            return skipped(why)
        of = f"{known} of " if known < len(jobs) else ""
        return ok(f"No transcript of {of}{count_of(len(jobs), 'job')} in flight was removed.")
    more = f", and {len(removed) - 1} more" if len(removed) > 1 else ""
    return warning(
        f"The job of {printable(removed[0].recording.key)} is complete, but its transcript is not "
        f"there{more}.",
        _ADVICE,
    )


async def _is_removed(job: Job, transcriber: Transcriber, s3: S3) -> bool | None:
    """Whether it is; None where the service, which may be another account's, knows no such job."""
    try:
        record = await transcriber.get(job.name)
    except JobMissing:
        return None  # a run finds its result, or starts it again
    uri = record.transcript_uri or ""
    kept_by_the_service = "X-Amz-" in uri  # it goes with the job's record
    place = place_of_result(uri)
    if record.status is not JobStatus.COMPLETED or kept_by_the_service or place is None:
        return False
    return await s3.look_up(place) is None
