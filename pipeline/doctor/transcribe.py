"""Amazon Transcribe, by trying what costs nothing: no job is started."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.doctor.findings import Finding, ok
from pipeline.errors import JobMissing
from pipeline.model import JobStatus
from pipeline.text import count_of

if TYPE_CHECKING:
    from pipeline.jobs.client import Transcriber


async def listing(transcriber: Transcriber, name_prefix: str) -> Finding:
    """Whether jobs may be listed, as every run does to see what has finished."""
    pages = transcriber.pages(JobStatus.IN_PROGRESS, name_prefix)
    async for names in pages:
        under_way = count_of(len(names), "job of ours is", "jobs of ours are")
        return ok(f"{under_way} under way." if names else "None is under way.")
    raise AssertionError  # there is always a page


async def getting(transcriber: Transcriber, name_prefix: str) -> Finding:
    """Whether jobs may be asked for one by one: the one that is asked for is not there."""
    with suppress(JobMissing):
        await transcriber.get(f"{name_prefix}check")
    return ok(f"Jobs named {name_prefix}... may be asked for.")
