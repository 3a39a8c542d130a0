"""A `clean` from its settings to its end."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from itertools import chain
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
    from pipeline.aws.session import connect_lane
    from pipeline.jobs.cleanup import Cleaner
    from pipeline.jobs.cleanup_text import Ended
    from pipeline.jobs.client import Transcriber
    from pipeline.net.concurrency import JobSlots
    from pipeline.net.wait_times import WaitTimes

    waiting, begun = WaitTimes(), time.monotonic()
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        _, _, session, s3 = await enter(services(config, S3Uri(states[0].bucket, ""), waiting))
        lanes = {each: await enter(connect_lane(session, each)) for each in {*map(_lane, states)}}
        transcribers = {
            name: Transcriber(lane, config.limits, waiting, JobSlots(1, waiting))
            for name, lane in lanes.items()
        }
        of_states = [(each, transcribers[_lane(each)]) for each in states]
        cleaner = Cleaner(of_states, s3, what, show)
        end = await ended(partial(cleaner.clean, config.budget))
    if not end.exit_code and cleaner.cleaned.deferred:
        end = end._replace(exit_code=1)
    called = chain(s3.operations, *(each.operations for each in transcribers.values()))
    calls: Counter[str] = Counter()
    for each in called:
        calls[each.name] += each.calls
    return Ended(cleaner.cleaned, dict(+calls), time.monotonic() - begun, *end)


def _lane(state: Cleanup) -> str:
    """The profile whose account has the jobs of a state file."""
    return state.facts.value("lane") or ""
