"""A `clean` from its settings to its end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pipeline.launch.ending import ended
from pipeline.launch.services import services
from pipeline.naming import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.config.schema import Config
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.state.cleanup import Cleaning, Cleanup


@contextmanager
def opened_for_cleaning(config: Config, what: Cleaning) -> Iterator[Sequence[Cleanup]]:
    """The state files of the runs that have ended: one, or that of each shard.

    Raises:
        CannotRun: a run holds one, or the tasks are not there to whose transcripts are deleted.
    """
    if config.s3_output:
        from pipeline.launch.on_s3 import states_to_clean

        with states_to_clean(config, what) as states:
            yield states
        return
    from pipeline.state.cleanup import open_for_cleaning

    with open_for_cleaning(config.state_path) as state:
        if state.loses_transcripts(what):
            state.check_output()
        yield [state]


async def clean(
    config: Config, states: Sequence[Cleanup], what: Cleaning, show: Callable[[int], None]
) -> Ended:
    """Delete the jobs that are due, until it is done or must end; `show` gets the count so far."""
    from pipeline.jobs.cleanup import Cleaner
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.jobs.client import Transcriber
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

    waiting, begun = WaitTimes(), time.monotonic()
    async with services(config, S3Uri(states[0].bucket, ""), waiting) as (_, _, session, s3):
        transcriber = Transcriber(session, config.limits, waiting, JobSlots(1, waiting))
        cleaner = Cleaner(states, transcriber, s3, what, show)
        end = await ended(partial(cleaner.clean, config.budget))
    if not end.exit_code and cleaner.cleaned.deferred:
        end = end._replace(exit_code=1)
    operations = (*transcriber.operations, *s3.operations)
    calls = {each.name: each.calls for each in operations if each.calls}
    return Ended(cleaner.cleaned, calls, time.monotonic() - begun, *end)
