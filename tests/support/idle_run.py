"""A run that makes no calls, over a board with figures of the test's own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from pipeline.aws.s3 import S3
from pipeline.aws.session import Session
from pipeline.config.loading import resolve
from pipeline.naming import S3Uri
from pipeline.recordings.bucket import S3Source
from pipeline.run import Run
from pipeline.stages.job_tracker import JobTracker
from tests.support.state_files import begun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@asynccontextmanager
async def idle_run(folder: Path, most: int = 9) -> AsyncIterator[Run]:
    """A run over s3://calls/ whose state file is new and whose clients are not open."""
    config = resolve({"output": str(folder / "tasks.jsonl"), "max_in_flight": most}, {})
    with begun(folder / "state") as state:
        tracker = JobTracker(state, most)
        session = Session(config.aws, 1, None)
        async with aiohttp.ClientSession() as http:
            s3 = S3(session, http, tracker.waits)
            yield Run(config, S3Source(S3Uri("calls", ""), s3), tracker, session, s3)
