"""The figures of a run as Prometheus metrics, read when they are asked for.

Nothing is counted twice: the run counts as it does without them, and pays for them only when
somebody reads. Names and units are those of Prometheus' conventions (base units, `_total`); the
values of labels are classes, so their number does not grow with the bucket.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from pipeline import __version__
from pipeline.stages.stage_times import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from pipeline.monitoring.exporters import RunStatus
    from pipeline.stages.stage_times import Histogram

PREFIX = "transcribe_pipeline_"


class RunCollector(Collector):
    """Every metric of one run, each with the label `source`.

    A node_exporter reads the files of all runs of a machine together, and takes no two that are
    named and labelled alike.
    """

    def __init__(self, watch: RunStatus) -> None:
        self._watch = watch
        self._run = watch.run
        self._source = watch.run.source.uri

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        yield from self._recordings()
        yield from self._jobs()
        yield from self._calls()
        yield from self._run_itself()

    def _recordings(self) -> Iterator[Metric]:
        figures, count = self._run.tracker.figures, self._count
        yield count("objects_listed", "Objects of the source that were listed.", figures.listed)
        yield self._gauge(
            "listing_complete",
            "Whether the source was listed to its end (1) or not yet (0).",
            figures.listing_done,
        )
        yield self._counts(
            "objects_skipped",
            "Objects that are no recordings for this run.",
            "reason",
            figures.skipped,
        )
        yield count("recordings_written", "Recordings whose task is written.", figures.written)
        yield count("recordings_silent", "Recordings in which nobody speaks.", figures.silent)
        yield self._counts(
            "recordings_failed", "Recordings that ended without a task.", "reason", figures.failures
        )
        yield count(
            "recordings_postponed",
            "Recordings that met faults for too long and are left to the next run.",
            figures.postponed,
        )
        yield count("billed_audio_seconds", "Seconds of audio billed.", figures.billed_seconds)
        tracker = self._run.tracker
        cost = {tracker.prices.currency: tracker.cost}
        yield self._counts("cost", "What that costs, by the prices set.", "currency", cost)
        yield self._stages()

    def _stages(self) -> Metric:
        family = HistogramMetricFamily(
            f"{PREFIX}stage_duration_seconds",
            "How long recordings spent in a stage: start, wait, collect, write.",
            labels=("source", "stage"),
        )
        for stage, histogram in self._run.tracker.figures.passage.stages.items():
            family.add_metric((self._source, stage), _cumulative(histogram), histogram.seconds)
        return family

    def _jobs(self) -> Iterator[Metric]:
        tracker, gauge = self._run.tracker, self._gauge
        figures, slots = tracker.figures, tracker.slots.slots
        yield self._count("jobs_started", "Jobs that were started.", figures.started)
        yield self._count(
            "jobs_adopted", "Jobs or results that existed and were not paid again.", figures.adopted
        )
        yield self._count(
            "jobs_resumed", "Jobs that an earlier run left in flight.", figures.resumed
        )
        yield gauge(
            "jobs_in_flight", "Jobs that run or queue at the service.", len(tracker.waiting)
        )
        yield gauge(
            "oldest_job_age_seconds",
            "How long ago the oldest job in flight was started; 0 where none is.",
            tracker.oldest_seconds,
        )
        yield gauge("slots_in_use", "Job slots that this run holds.", slots.held)
        yield gauge("slots_found", "Job slots that the account was found to have.", slots.limit)
        yield gauge("slots_allowed", "Job slots that max_in_flight allows.", slots.ceiling)

    def _calls(self) -> Iterator[Metric]:
        run = self._run
        operations = run.operations
        yield self._counts(
            "aws_calls",
            "Calls of AWS operations, refused ones included.",
            "operation",
            {each.name: each.calls for each in operations},
        )
        refused = CounterMetricFamily(
            f"{PREFIX}aws_calls_refused",
            "Calls that AWS refused: throttled, or for want of a free job slot.",
            labels=("source", "operation", "reason"),
        )
        for each in operations:
            refused.add_metric((self._source, each.name, "throttled"), each.refused)
        start = run.transcriber.start_calls.name
        refused.add_metric((self._source, start, "no free slot"), run.tracker.slots.refused_starts)
        yield refused
        yield self._counts(
            "brake_seconds",
            "Seconds in which a brake held something back: slots, or the pace of an operation.",
            "brake",
            run.tracker.braking.seconds(),
        )

    def _run_itself(self) -> Iterator[Metric]:
        gauge, watch = self._gauge, self._watch
        yield gauge(
            "running", "Whether the run goes on (1) or has ended (0).", watch.exit_code is None
        )
        yield gauge("start_timestamp_seconds", "When the run began.", watch.begun)
        yield gauge("heartbeat_timestamp_seconds", "When these figures were read.", time.time())
        yield gauge(
            "last_success_timestamp_seconds",
            "When the last run ended that settled all it listed (exit code 0 or 1); 0: never.",
            watch.last_success,
        )
        if watch.exit_code is not None:
            yield gauge("exit_code", "How the run ended; there is none before.", watch.exit_code)
        build = GaugeMetricFamily(
            f"{PREFIX}build_info", "The version of the program.", labels=("source", "version")
        )
        build.add_metric((self._source, __version__), 1)
        yield build

    def _count(self, name: str, meaning: str, value: float) -> Metric:
        family = CounterMetricFamily(PREFIX + name, meaning, labels=("source",))
        family.add_metric((self._source,), value)
        return family

    def _counts(self, name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
        family = CounterMetricFamily(PREFIX + name, meaning, labels=("source", label))
        for value, count in values.items():
            family.add_metric((self._source, value), count)
        return family

    def _gauge(self, name: str, meaning: str, value: float) -> Metric:
        family = GaugeMetricFamily(PREFIX + name, meaning, labels=("source",))
        family.add_metric((self._source,), value)
        return family


def registry_of(watch: RunStatus) -> CollectorRegistry:
    """The metrics of a run, and none of this process, as a server of them wants it."""
    registry = CollectorRegistry()
    registry.register(RunCollector(watch))
    return registry


def as_text(registry: CollectorRegistry) -> bytes:
    """The metrics in Prometheus' text format, as node_exporter's textfile collector takes them."""
    return generate_latest(registry)


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    """The buckets as Prometheus has them: each with all that are below it."""
    bounds = (*(str(float(bound)) for bound in BOUNDS), "+Inf")
    total, buckets = 0, []
    for bound, count in zip(bounds, histogram.buckets, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
