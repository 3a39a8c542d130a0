"""A run as Prometheus metrics, made of a snapshot when they are asked for.

Nothing is counted twice: the run counts as it does without them, and pays for them only when
somebody reads. Names and units are those of Prometheus' conventions (base units, `_total`); the
values of labels are classes, so their number does not grow with the bucket.
"""

from __future__ import annotations

import time
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from pipeline import __version__
from pipeline.monitoring.snapshot import NO_FREE_SLOT, STARTS
from pipeline.stages.stage_times import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from pipeline.monitoring.snapshot import RunSnapshot, RunStatus, StageDurations

PREFIX = "transcribe_pipeline_"


class RunCollector(Collector):
    """Every metric of one run, each with the label `source`.

    A node_exporter reads the files of all runs of a machine together, and takes no two that are
    named and labelled alike.
    """

    def __init__(self, status: RunStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        snapshot = self._status.take()
        families = _Families(snapshot.source)
        yield from _recordings(families, snapshot)
        yield from _jobs(families, snapshot)
        yield from _calls(families, snapshot)
        yield from _run_itself(families, self._status)


class _Families:
    """Makes metrics of figures, whose first label is the source."""

    def __init__(self, source: str) -> None:
        self._source = source

    def gauge(self, name: str, meaning: str, value: float) -> Metric:
        family = GaugeMetricFamily(PREFIX + name, meaning, labels=("source",))
        family.add_metric((self._source,), value)
        return family

    def count(self, name: str, meaning: str, value: float) -> Metric:
        family = CounterMetricFamily(PREFIX + name, meaning, labels=("source",))
        family.add_metric((self._source,), value)
        return family

    def counts(self, name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
        """A count for each value of one more label."""
        family = CounterMetricFamily(PREFIX + name, meaning, labels=("source", label))
        for value, count in values.items():
            family.add_metric((self._source, value), count)
        return family

    def stages(self, stages: Mapping[str, StageDurations]) -> Metric:
        family = HistogramMetricFamily(
            f"{PREFIX}stage_duration_seconds",
            "How long recordings spent in a stage: start, wait, collect, write.",
            labels=("source", "stage"),
        )
        for stage, spent in stages.items():
            family.add_metric((self._source, stage), _cumulative(spent), spent.seconds)
        return family

    def refused(self, throttled: Mapping[str, int], without_slot: int) -> Metric:
        family = CounterMetricFamily(
            f"{PREFIX}aws_calls_refused",
            "Calls that AWS refused: throttled, or for want of a free job slot.",
            labels=("source", "operation", "reason"),
        )
        for name, count in throttled.items():
            family.add_metric((self._source, name, "throttled"), count)
        family.add_metric((self._source, STARTS, NO_FREE_SLOT), without_slot)
        return family

    def build(self) -> Metric:
        family = GaugeMetricFamily(
            f"{PREFIX}build_info", "The version of the program.", labels=("source", "version")
        )
        family.add_metric((self._source, __version__), 1)
        return family


def _recordings(make: _Families, run: RunSnapshot) -> Iterator[Metric]:
    yield make.count("objects_listed", "Objects of the source that were listed.", run.listed)
    yield make.gauge(
        "listing_complete",
        "Whether the source was listed to its end (1) or not yet (0).",
        run.listing_done,
    )
    skipped = "Objects that are no recordings for this run."
    yield make.counts("objects_skipped", skipped, "reason", run.skipped)
    yield make.count("recordings_written", "Recordings whose task is written.", run.written)
    yield make.count("recordings_silent", "Recordings in which nobody speaks.", run.silent)
    failed = "Recordings that ended without a task."
    yield make.counts("recordings_failed", failed, "reason", run.failures)
    yield make.count(
        "recordings_postponed",
        "Recordings that met faults for too long and are left to the next run.",
        run.postponed,
    )
    if cost := run.cost:
        yield make.count("billed_audio_seconds", "Seconds of audio billed.", cost.billed_seconds)
        amount = {cost.currency: cost.amount}
        yield make.counts("cost", "What that costs, by the prices set.", "currency", amount)
    yield make.stages(run.stages)


def _jobs(make: _Families, run: RunSnapshot) -> Iterator[Metric]:
    yield make.count("jobs_started", "Jobs that were started.", run.started)
    yield make.count(
        "jobs_adopted", "Jobs or results that existed and were not paid again.", run.adopted
    )
    yield make.count("jobs_resumed", "Jobs that an earlier run left in flight.", run.resumed)
    yield make.gauge("jobs_in_flight", "Jobs that run or queue at the service.", run.in_flight)
    yield make.gauge(
        "oldest_job_age_seconds",
        "How long ago the oldest job in flight was started; 0 where none is.",
        run.oldest_seconds,
    )
    slots = run.slots
    yield make.gauge("slots_in_use", "Job slots that this run holds.", slots.held)
    yield make.gauge("slots_found", "Job slots that the account was found to have.", slots.found)
    yield make.gauge("slots_allowed", "Job slots that max_in_flight allows.", slots.allowed)


def _calls(make: _Families, run: RunSnapshot) -> Iterator[Metric]:
    calls = "Calls of AWS operations, refused ones included."
    yield make.counts("aws_calls", calls, "operation", run.calls)
    yield make.refused(run.refused, run.refused_starts)
    yield make.counts(
        "limit_wait_seconds",
        "Seconds in which something waited for a limit: slots, or the rate of an operation.",
        "limit",
        run.waits,
    )


def _run_itself(make: _Families, status: RunStatus) -> Iterator[Metric]:
    goes_on = status.exit_code is None
    yield make.gauge("running", "Whether the run goes on (1) or has ended (0).", goes_on)
    yield make.gauge("start_timestamp_seconds", "When the run began.", status.begun)
    yield make.gauge("heartbeat_timestamp_seconds", "When these figures were read.", time.time())
    yield make.gauge(
        "last_success_timestamp_seconds",
        "When the last run ended that settled all it listed (exit code 0 or 1); 0: never.",
        status.last_success,
    )
    if status.exit_code is not None:
        how = "How the run ended; there is none before."
        yield make.gauge("exit_code", how, status.exit_code)
    yield make.build()


def registry_of(status: RunStatus) -> CollectorRegistry:
    """The metrics of a run, and none of this process, as a server of them wants it."""
    registry = CollectorRegistry()
    registry.register(RunCollector(status))
    return registry


def as_text(registry: CollectorRegistry) -> bytes:
    """The metrics in Prometheus' text format, as node_exporter's textfile collector takes them."""
    return generate_latest(registry)


def _cumulative(spent: StageDurations) -> list[tuple[str, float]]:
    """The buckets as Prometheus has them: each with all that are below it."""
    bounds = (*(str(float(bound)) for bound in BOUNDS), "+Inf")
    return list(zip(bounds, map(float, accumulate(spent.buckets)), strict=True))
