"""A run as Prometheus metrics, made of a snapshot when they are asked for.

Nothing is counted twice: the run counts as it does without them, and pays for them only when
somebody reads. Names and units are those of Prometheus' conventions (base units, `_total`); the
values of labels are classes, so their number does not grow with the bucket.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

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

    from pipeline.monitoring.snapshot import RunSnapshot, RunStatus

    Family = CounterMetricFamily | GaugeMetricFamily

PREFIX = "transcribe_pipeline_"
METRICS_BEGIN = f"# HELP {PREFIX}".encode()
"""What a file of these metrics begins with."""


_COUNTERS = (
    ("objects_listed", "listed", "Objects of the source that were listed."),
    ("recordings_written", "written", "Recordings whose task is written."),
    ("recordings_silent", "silent", "Recordings in which nobody speaks."),
    (
        "recordings_deferred",
        "deferred",
        "Recordings that met faults for too long and are left to the next run.",
    ),
    ("jobs_started", "started", "Jobs that were started."),
    ("jobs_adopted", "adopted", "Jobs or results that existed and were not paid again."),
    ("jobs_resumed", "resumed", "Jobs that an earlier run left in flight."),
)
"""Each with the field of a snapshot that it is, and what it means; so are those below."""

_BY_CLASS = (
    ("objects_skipped", "skipped", "Objects that are no recordings for this run.", "reason"),
    ("recordings_failed", "failures", "Recordings that ended without a task.", "reason"),
    ("aws_calls", "calls", "Calls of AWS operations, refused ones included.", "operation"),
    (
        "limit_wait_seconds",
        "waits",
        "Seconds in which something waited for a limit: slots, or the rate of an operation.",
        "limit",
    ),
)
"""Counters with one more label."""

_GAUGES = (
    (
        "listing_complete",
        "listing_done",
        "Whether the source was listed to its end (1) or not yet (0).",
    ),
    ("jobs_in_flight", "in_flight", "Jobs that run or queue at the service."),
    (
        "oldest_job_age_seconds",
        "oldest_seconds",
        "How long ago the oldest job in flight was started; 0 where none is.",
    ),
    ("slots_in_use", "slots_held", "Job slots that this run holds."),
    ("slots_found", "slots_found", "Job slots that the account was found to have."),
    ("slots_allowed", "slots_allowed", "Job slots that max_in_flight allows."),
)


class RunCollector(Collector):
    """Every metric of one run, each with the label `source`.

    A node_exporter reads the files of all runs of a machine together, and takes no two that are
    named and labelled alike.
    """

    def __init__(self, status: RunStatus) -> None:
        self._status = status
        self._source = ""

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        run = self._status.take()
        self._source = run.source
        for name, field, meaning in _COUNTERS:
            yield self._one(CounterMetricFamily, name, meaning, getattr(run, field))
        for name, field, meaning, label in _BY_CLASS:
            yield self._counts(name, meaning, getattr(run, field), label)
        for name, field, meaning in _GAUGES:
            yield self._one(GaugeMetricFamily, name, meaning, getattr(run, field))
        yield from self._calls_and_costs(run)
        yield self._stages(run)
        yield from self._run_itself()

    def _calls_and_costs(self, run: RunSnapshot) -> Iterator[Metric]:
        refused = {(name, "throttled"): count for name, count in run.refused.items()}
        yield self._counts(
            "aws_calls_refused",
            "Calls that AWS refused: throttled, or for want of a free job slot.",
            refused | {(STARTS, NO_FREE_SLOT): run.refused_starts},
            *("operation", "reason"),
        )
        if cost := run.cost:
            billed, audio = "billed_audio_seconds", "Seconds of audio billed."
            yield self._one(CounterMetricFamily, billed, audio, cost.billed_seconds)
            amount = {cost.currency: cost.amount}
            yield self._counts("cost", "What that costs, by the prices set.", amount, "currency")

    def _stages(self, run: RunSnapshot) -> Metric:
        family = HistogramMetricFamily(
            f"{PREFIX}stage_duration_seconds",
            "How long recordings spent in a stage: start, wait, collect, write.",
            labels=("source", "stage"),
        )
        bounds = (*(str(float(bound)) for bound in BOUNDS), "+Inf")
        for stage, spent in run.stages.items():
            at_most = list(zip(bounds, map(float, accumulate(spent.buckets)), strict=True))
            family.add_metric((self._source, stage), at_most, spent.seconds)
        return family

    def _run_itself(self) -> Iterator[Metric]:
        status, one = self._status, partial(self._one, GaugeMetricFamily)
        goes_on = status.exit_code is None
        yield one("running", "Whether the run goes on (1) or has ended (0).", goes_on)
        yield one("start_timestamp_seconds", "When the run began.", status.begun)
        yield one("heartbeat_timestamp_seconds", "When these figures were read.", time.time())
        yield one(
            "last_success_timestamp_seconds",
            "When the last run ended that settled all it listed (exit code 0 or 1); 0: never.",
            status.last_success,
        )
        if status.exit_code is not None:
            yield one("exit_code", "How the run ended; there is none before.", status.exit_code)
        family = GaugeMetricFamily(
            f"{PREFIX}build_info", "The version of the program.", labels=("source", "version")
        )
        family.add_metric((self._source, __version__), 1)
        yield family

    def _one(self, kind: type[Family], name: str, meaning: str, value: float) -> Metric:
        family = kind(PREFIX + name, meaning, labels=("source",))
        family.add_metric((self._source,), value)
        return family

    def _counts(self, name: str, meaning: str, counts: Mapping[Any, float], *labels: str) -> Metric:
        """A count for each value of a label, or for each tuple of values of several."""
        family = CounterMetricFamily(PREFIX + name, meaning, labels=("source", *labels))
        for value, count in counts.items():
            values = value if isinstance(value, tuple) else (value,)
            family.add_metric((self._source, *values), count)
        return family


def registry_of(status: RunStatus) -> CollectorRegistry:
    """The metrics of a run, and none of this process, as a server of them wants it."""
    registry = CollectorRegistry()
    registry.register(RunCollector(status))
    return registry


def as_text(registry: CollectorRegistry) -> bytes:
    """The metrics in Prometheus' text format, as node_exporter's textfile collector takes them."""
    return generate_latest(registry)
