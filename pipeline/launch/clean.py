"""A `clean` from its settings to its end."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from pipeline.launch.ending import ended
from pipeline.launch.services import services
from pipeline.naming import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.schema import Config
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.state.cleanup import Cleaning, Cleanup


async def clean(
    config: Config, state: Cleanup, what: Cleaning, show: Callable[[int], None]
) -> Ended:
    """Delete the jobs that are due, until it is done or must end; `show` gets the count so far."""
    from pipeline.jobs.cleanup import Cleaner
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.jobs.client import Transcriber
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

    waiting, begun = WaitTimes(), time.monotonic()
    async with services(config, S3Uri(state.bucket, ""), waiting) as (_, _, session, s3):
        transcriber = Transcriber(session, config.limits, waiting, JobSlots(1, waiting))
        cleaner = Cleaner(state, transcriber, s3, what, show)
        end = await ended(partial(cleaner.clean, config.budget))
    if not end.exit_code and cleaner.cleaned.deferred:
        end = end._replace(exit_code=1)
    operations = (*transcriber.operations, *s3.operations)
    calls = {each.name: each.calls for each in operations if each.calls}
    return Ended(cleaner.cleaned, calls, time.monotonic() - begun, *end)
