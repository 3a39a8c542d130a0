"""A run at one moment, as one value: all that progress, metrics, history and summary are made of.

Taking one costs some microseconds, and more only with thousands of jobs in flight (a millisecond
for 10,000), so it may be taken several times a second.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from pipeline.config.pricing import FREE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.run import Run
    from pipeline.stages.job_tracker import JobTracker

    Take = Callable[[], "RunSnapshot"]

STARTS = "StartTranscriptionJob"
NO_FREE_SLOT = "no free slot"
_SETTLED = (0, 1)


class Slots(msgspec.Struct, frozen=True):
    """Job slots: held by this run, found in the account so far, allowed by `max_in_flight`."""

    held: int = 0
    found: int = 0
    allowed: int = 0


class Cost(msgspec.Struct, frozen=True):
    """What the transcripts cost that a run has collected, and by what that is reckoned.

    `billed_seconds` are of audio; `prices_date` says when and where the prices held.
    """

    amount: float
    currency: str
    billed_seconds: int
    prices_date: str


class StageDurations(msgspec.Struct, frozen=True):
    """How long recordings spent in one stage: the counts of a `Histogram`, and their seconds."""

    buckets: tuple[int, ...]
    seconds: float

    @property
    def count(self) -> int:
        """How many recordings have passed the stage."""
        return sum(self.buckets)


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A run at one moment. Counts are of recordings, but for `listed` and `skipped`, of objects.

    `at` is in seconds since the epoch, `seconds` is how long the run has been going on. `waits` are
    seconds by the limit that was waited for: "slots", or an operation's rate. `calls` and `refused`
    are by operation, refused calls are in both; `refused_starts` found no free slot. `cost` is None
    where nothing is paid, as for a folder. `touched` recordings are in the listing and were not
    written before as they are now. `oldest_seconds` is the age of the oldest job in flight,
    0 without any.
    """

    source: str
    at: float = 0.0
    seconds: float = 0.0
    listed: int = 0
    listing_done: bool = False
    touched: int = 0
    skipped: dict[str, int] = {}
    started: int = 0
    adopted: int = 0
    resumed: int = 0
    in_flight: int = 0
    oldest_seconds: float = 0.0
    written: int = 0
    silent: int = 0
    failures: dict[str, int] = {}
    postponed: int = 0
    notes: tuple[str, ...] = ()
    slots: Slots = Slots()
    waits: dict[str, float] = {}
    calls: dict[str, int] = {}
    refused: dict[str, int] = {}
    refused_starts: int = 0
    cost: Cost | None = None
    stages: dict[str, StageDurations] = {}

    @property
    def failed(self) -> int:
        """How many recordings failed in this run."""
        return sum(self.failures.values())

    @property
    def jobs(self) -> int:
        """How many jobs were started, found existing or taken over from an earlier run."""
        return self.started + self.adopted + self.resumed


def take_snapshot(run: Run) -> RunSnapshot:
    """The run as it is now."""
    tracker, figures, slots = run.tracker, run.tracker.figures, run.tracker.slots
    return RunSnapshot(
        source=run.source.uri,
        at=time.time(),
        seconds=figures.seconds,
        listed=figures.listed,
        listing_done=figures.listing_done,
        touched=figures.touched,
        skipped=dict(figures.skipped),
        started=figures.started,
        adopted=figures.adopted,
        resumed=figures.resumed,
        in_flight=len(tracker.waiting),
        oldest_seconds=tracker.oldest_seconds,
        written=figures.written,
        silent=figures.silent,
        failures=dict(figures.failures),
        postponed=figures.postponed,
        notes=tuple(figures.notes),
        slots=Slots(slots.limit.held, slots.limit.limit, slots.limit.ceiling),
        waits=tracker.braking.seconds(),
        calls={each.name: each.calls for each in run.operations},
        refused={each.name: each.refused for each in run.operations},
        refused_starts=slots.refused_starts,
        cost=_cost(tracker),
        stages={
            stage.value: StageDurations(tuple(spent.buckets), spent.seconds)
            for stage, spent in figures.passage.stages.items()
        },
    )


def _cost(tracker: JobTracker) -> Cost | None:
    prices = tracker.prices
    if prices == FREE:
        return None
    return Cost(tracker.cost, prices.currency, tracker.figures.billed_seconds, prices.prices_date)


class RunStatus:
    """The life of a run, for those who look at it; moments in seconds since the epoch.

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
        if settles(exit_code):
            self.last_success = time.time()


def settles(exit_code: int | None) -> bool:
    """Whether a run that ends so has settled all it listed: written, or failed."""
    return exit_code in _SETTLED
