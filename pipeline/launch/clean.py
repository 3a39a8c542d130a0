"""A `clean` from its settings to its end."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from pipeline.config.shards import lane_of
from pipeline.launch.ending import ended
from pipeline.launch.services import services
from pipeline.naming import S3Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.aws.s3 import S3
    from pipeline.config.schema import Config
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.s3_output.claim import Lanes
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
        state.check_source()
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
    from pipeline.s3_output.lanes import opened_lane

    waiting, begun = WaitTimes(), time.monotonic()
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        _, _, session, s3 = await enter(services(config, S3Uri(states[0].bucket, ""), waiting))
        lanes = await _lanes_of(config, s3)
        profiles = [lane_of(lanes.profiles, each.shard) for each in states]
        sessions = {each: await enter(opened_lane(session, lanes, each)) for each in {*profiles}}
        transcribers = {
            name: Transcriber(lane, config.limits, waiting, JobSlots(1, waiting))
            for name, lane in sessions.items()
        }
        of_states = [(each, transcribers[of]) for each, of in zip(states, profiles, strict=True)]
        cleaner = Cleaner(of_states, s3, what, show)
        end = await ended(partial(cleaner.clean, config.budget))
    if not end.exit_code and cleaner.cleaned.deferred:
        end = end._replace(exit_code=1)
    called = chain(s3.operations, *(each.operations for each in transcribers.values()))
    calls: Counter[str] = Counter()
    for each in called:
        calls[each.name] += each.calls
    return Ended(cleaner.cleaned, dict(+calls), time.monotonic() - begun, *end)


async def _lanes_of(config: Config, s3: S3) -> Lanes:
    """The lanes of an output on S3; of any other one there are none."""
    from pipeline.s3_output.claim import Lanes, described
    from pipeline.s3_output.layout import Layout

    if not config.s3_output:
        return Lanes()
    return (await described(s3, Layout(config.s3_output, config.shard).description)).lanes
