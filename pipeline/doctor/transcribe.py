"""Amazon Transcribe, by trying what costs nothing: no job is started."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.doctor.findings import Finding, ok
from pipeline.errors import JobMissing
from pipeline.model import JobStatus

if TYPE_CHECKING:
    from pipeline.jobs.client import Transcriber


async def listing(transcriber: Transcriber, name_prefix: str) -> Finding:
    """Whether jobs may be listed, as every run does to see what has finished."""
    pages = transcriber.pages(JobStatus.IN_PROGRESS, name_prefix)
    async for names in pages:
        return ok(f"{len(names)} jobs of ours are under way." if names else "None is under way.")
    raise AssertionError  # there is always a page


async def getting(transcriber: Transcriber, name_prefix: str) -> Finding:
    """Whether jobs may be asked for one by one: the one that is asked for is not there."""
    with suppress(JobMissing):
        await transcriber.get(f"{name_prefix}check")
    return ok(f"Jobs named {name_prefix}... may be asked for.")
