"""How a run stands, written down now and then, for those who look at it later or from beside."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.state.history import Sample, Settings, add_sample, thin_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config.schema import Config
    from pipeline.net.retry import RateLimitedCall
    from pipeline.stages.job_tracker import JobTracker

MOST_SAMPLES = 600
_SECONDS = 1.0


def settings_of(config: Config, source: str) -> Settings:
    """What a run over `source` begins with."""
    return Settings(
        version=__version__,
        source=source,
        output=str(config.output_path),
        language=config.transcribe.language,
        kind=config.tasks.kind,
        results=config.output.results,
        most_in_flight=config.most_in_flight,
        start_rate=config.limits.start_rate,
        currency=config.prices.currency,
        prices_date=config.prices.prices_date,
    )


async def keep_history(tracker: JobTracker, operations: Sequence[RateLimitedCall]) -> None:
    """Keep samples of the run until cancelled, and one of its end.

    There is one every second at first. Whenever there are 600, every other one is forgotten, and
    they come half as often: a night of eight hours ends with one a minute.
    """
    number, step = 0, 1
    try:
        while True:
            add_sample(tracker.state, number, sample(tracker, operations))
            if number == step * MOST_SAMPLES:
                step *= 2
                thin_samples(tracker.state, step)
            number += step
            await asyncio.sleep(step * _SECONDS)
    finally:
        add_sample(tracker.state, number, sample(tracker, operations))


def sample(tracker: JobTracker, operations: Sequence[RateLimitedCall]) -> Sample:
    """The run at this moment."""
    figures = tracker.figures
    return Sample(
        at=time.time(),
        listed=figures.listed,
        started=figures.started + figures.adopted + figures.resumed,
        in_flight=len(tracker.waiting),
        slots=tracker.slots.slots.limit,
        written=figures.written,
        silent=figures.silent,
        failed=figures.failed,
        refused=sum(each.refused for each in operations) + tracker.slots.refused_starts,
        brakes={brake: round(s, 2) for brake, s in tracker.braking.seconds().items()},
        cost=round(tracker.cost, 4),
    )
