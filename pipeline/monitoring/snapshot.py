"""A run at one moment, as one value: all that progress, metrics, history and summary are made of.

Taking one costs some microseconds, and more only with thousands of jobs in flight (a millisecond
for 10,000), so it may be taken several times a second.
"""

from __future__ import annotations

import time
from copy import deepcopy
from typing import TYPE_CHECKING

import msgspec
from msgspec import field
from msgspec.structs import replace

from pipeline.config.pricing import FREE, cost
from pipeline.model import Cost
from pipeline.stages.stage_times import Histogram  # noqa: TC001 # msgspec reads the annotation
from pipeline.state.history import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.run import Run

    Take = Callable[[], "RunSnapshot"]

STARTS = "StartTranscriptionJob"
NO_FREE_SLOT = "no free slot"
SETTLED = (0, 1)
"""The exit codes of a run that settled all it listed: each recording is written, or failed."""


class RunSnapshot(Sample, frozen=True, kw_only=True):
    """A run at one moment: what is kept of it as a sample, and more.

    Counts are of recordings, but for `listed` and `skipped`, of objects; those that are `not_audio`
    by extension. `seconds` is how long the run has been going on. `unchanged` recordings are in the
    listing and were written before as they are; `duplicates` is how often one was named once more.
    `oldest_seconds` is the age of the oldest job in flight, 0 without any. `calls` and `refused`
    are by operation; `refused_starts` found no free slot.
    """

    source: str = ""
    seconds: float = 0.0
    listing_done: bool = False
    unchanged: int = 0
    duplicates: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    not_audio: dict[str, int] = field(default_factory=dict)
    started: int = 0
    adopted: int = 0
    resumed: int = 0
    oldest_seconds: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)
    deferred: int = 0
    notes: tuple[str, ...] = ()
    slots_held: int = 0
    slots_allowed: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    refused_starts: int = 0
    stages: dict[str, Histogram] = field(default_factory=dict)


def take_snapshot(run: Run) -> RunSnapshot:
    """The run as it is now; what the counters count has the same names in a snapshot."""
    tracker, counters, slots = run.tracker, run.tracker.counters, run.tracker.slots
    refused = {each.name: each.refused for each in run.operations}
    return replace(
        msgspec.convert(counters, RunSnapshot, from_attributes=True),
        source=run.source.uri,
        at=time.time(),
        jobs=counters.started + counters.adopted + counters.resumed,
        in_flight=len(tracker.waiting),
        oldest_seconds=tracker.clock.oldest_seconds(tracker.waiting),
        slots_held=slots.limit.held,
        slots_found=slots.limit.found,
        slots_allowed=slots.limit.ceiling,
        waits={limit: round(each, 3) for limit, each in tracker.waits.seconds().items()},
        calls={each.name: each.calls for each in run.operations},
        refused=refused,
        refused_starts=slots.refused_starts,
        refused_calls=sum(refused.values()) + slots.refused_starts,
        cost=_cost(run),
        stages={
            stage.value: deepcopy(spent) for stage, spent in counters.stage_times.stages.items()
        },
    )


def _cost(run: Run) -> Cost | None:
    prices, counters = run.config.prices, run.tracker.counters
    if prices == FREE:
        return None
    amount = round(cost(counters.billed, prices), 4)
    return Cost(amount, prices.currency, counters.billed_seconds, prices.prices_date)


class RunStatus:
    """A run and how it ended, as exporters need it; moments in seconds since the epoch.

    `last_success` is when the last run ended that settled all it listed, 0 where there was none;
    `exit_code` is None while the run goes on.
    """

    def __init__(self, take: Take, last_success: float) -> None:
        self.take = take
        self.begun = time.time()
        self.last_success = last_success
        self.exit_code: int | None = None

    def end(self, exit_code: int) -> None:
        """The run has ended."""
        self.exit_code = exit_code
        if exit_code in SETTLED:
            self.last_success = time.time()
