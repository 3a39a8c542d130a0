"""The figures of a run as Prometheus metrics."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as metrics_of

from pipeline import __version__
from pipeline.failures import REFUSED, advice, classify
from pipeline.monitoring.prometheus import PREFIX, as_text, registry_of
from pipeline.monitoring.snapshot import RunStatus, take_snapshot
from pipeline.naming import S3Uri
from pipeline.recordings.bucket import S3Source
from pipeline.stages.stage_times import BOUNDS, Stage
from tests.conftest import ROOT
from tests.support.idle_run import idle_run

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.run import Run

ALERTS = ROOT / "deploy" / "prometheus-alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"


def busy(run: Run) -> None:
    """Something of everything has happened in the run."""
    figures = run.tracker.counters
    figures.listed, figures.started, figures.written, figures.adopted = 20, 9, 5, 1
    figures.skipped["not audio"] = 2
    figures.failures["too long"] = 3
    run.tracker.slots.refused_starts = 4
    run.transcriber.start_calls.calls, run.transcriber.start_calls.refused = 13, 2
    for job, took in (("a", 2), ("b", 40)):
        figures.stage_times.taken(job, 0)
        figures.stage_times.runs(job, took)


def samples(text: bytes) -> dict[str, float]:
    """Every sample by its name and labels, without the source."""
    found = {}
    for family in metrics_of(text.decode()):
        for each in family.samples:
            labels = {name: value for name, value in each.labels.items() if name != "source"}
            assert each.labels["source"] == "s3://calls/"
            shown = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
            found[each.name.removeprefix(PREFIX) + (f"{{{shown}}}" if shown else "")] = each.value
    return found


async def text_of(folder: Path, *, exit_code: int | None = None, last_success: float = 0) -> bytes:
    """The metrics of a run in which something of everything has happened."""
    async with idle_run(folder) as run:
        busy(run)
        status = RunStatus(partial(take_snapshot, run), last_success)
        with run.tracker.waits.on("slots"):
            registry = registry_of(status)
            if exit_code is not None:
                status.end(exit_code)
            return as_text(registry)


async def test_the_figures_of_the_run_are_its_metrics(tmp_path):
    """Counts come from the board, by class where there are classes."""
    found = samples(await text_of(tmp_path))

    expected = {
        "objects_listed_total": 20,
        "objects_skipped_total{reason=not audio}": 2,
        "recordings_written_total": 5,
        "recordings_failed_total{reason=too long}": 3,
        "jobs_started_total": 9,
        "jobs_adopted_total": 1,
        "slots_allowed": 9,
        "aws_calls_total{operation=StartTranscriptionJob}": 13,
        "aws_calls_refused_total{operation=StartTranscriptionJob,reason=throttled}": 2,
        "aws_calls_refused_total{operation=StartTranscriptionJob,reason=no free slot}": 4,
        f"build_info{{version={__version__}}}": 1,
        "running": 1,
        "listing_complete": 0,
    }
    assert expected == {name: found[name] for name in expected}
    assert "limit_wait_seconds_total{limit=slots}" in found


async def test_a_histogram_counts_upwards(tmp_path):
    """Each bucket holds those below it too, and the last one all."""
    found = samples(await text_of(tmp_path))

    start = {name: value for name, value in found.items() if f"stage={Stage.START}" in name}
    bucket = "stage_duration_seconds_bucket{{le={},stage=start}}"
    assert [start[bucket.format(bound)] for bound in ("1.0", "2.5", "30.0", "60.0", "+Inf")] == [
        *(0, 1, 1, 2, 2)
    ]
    assert start["stage_duration_seconds_count{stage=start}"] == 2
    assert start["stage_duration_seconds_sum{stage=start}"] == 42
    assert len(start) == len(BOUNDS) + 1 + 2


@pytest.mark.parametrize(("code", "success"), [(0, True), (1, True), (2, False), (3, False)])
async def test_the_last_values_tell_how_the_run_ended(tmp_path, code, success):
    """An end with everything settled is the new last success, another leaves the one before."""
    found = samples(await text_of(tmp_path, exit_code=code, last_success=7.0))

    assert (found["running"], found["exit_code"]) == (0, code)
    assert (found["last_success_timestamp_seconds"] > 10**9) == success
    assert success or found["last_success_timestamp_seconds"] == 7.0


async def test_the_exit_code_is_not_there_before_the_end(tmp_path):
    """A run that goes on has no exit code, which 0 would be."""
    assert "exit_code" not in samples(await text_of(tmp_path))


async def test_names_and_units_are_those_of_prometheus(tmp_path):
    """Counters end in `_total`, others do not; every metric has a type, a help and the prefix."""
    families = list(metrics_of((await text_of(tmp_path, exit_code=0)).decode()))

    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert re.fullmatch(PREFIX + r"[a-z][a-z0-9_]*[a-z0-9]", family.name)
        assert family.documentation.endswith((".", ")")) or ";" in family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        assert not family.name.endswith(("_count", "_sum", "_bucket", "_minutes", "_hours"))
        names = {each.name for each in family.samples}
        assert (family.type == "counter") == all(name.endswith("_total") for name in names)


async def test_every_format_that_prometheus_asks_for_can_be_read(tmp_path):
    """The same families come as OpenMetrics, which is stricter."""
    async with idle_run(tmp_path) as run:
        busy(run)
        registry = registry_of(RunStatus(partial(take_snapshot, run), 0))
        from prometheus_client.openmetrics.exposition import generate_latest

        strict = [family.name for family in open_metrics(generate_latest(registry).decode())]
        plain = [family.name for family in metrics_of(as_text(registry).decode())]

    assert strict == plain


async def test_a_hostile_source_forges_no_sample(tmp_path):
    """Quotes and newlines in a source stay within its label."""
    async with idle_run(tmp_path) as run:
        run.source = S3Source(S3Uri("calls", '"} 1\nforged 1\n\\'), run.s3)
        families = list(
            metrics_of(as_text(registry_of(RunStatus(partial(take_snapshot, run), 0))).decode())
        )

    assert {each.labels["source"] for family in families for each in family.samples} == {
        's3://calls/"} 1\nforged 1\n\\'
    }
    assert all(family.name.startswith(PREFIX) for family in families)


@given(st.text())
def test_what_the_service_says_is_no_label(words):
    """Whatever words a recording fails with, the label is one of the classes that have advice."""
    reason = classify(words)

    assert reason == REFUSED or advice(reason)


def named_in(text: str) -> set[str]:
    """The metrics that an alert file or a dashboard speaks of, without a histogram's suffixes."""
    names = set(re.findall(rf"\b{PREFIX}\w+", text))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


async def exported(folder: Path) -> set[str]:
    """Every metric as queries name it."""
    families: list[Any] = list(metrics_of((await text_of(folder, exit_code=0)).decode()))
    return {family.name + ("_total" * (family.type == "counter")) for family in families}


@pytest.mark.parametrize("path", [ALERTS, DASHBOARD], ids=lambda path: path.name)
async def test_alerts_and_dashboard_name_only_metrics_that_exist(tmp_path, path):
    """A query for a metric that nobody exports would never fire, and show nothing."""
    assert named_in(path.read_text(encoding="utf-8")) <= await exported(tmp_path)


async def test_every_metric_is_shown_or_watched(tmp_path):
    """What the program exports is in the dashboard or an alert, and explained on its page."""
    shown = named_in(ALERTS.read_text(encoding="utf-8") + DASHBOARD.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "reference" / "logs-and-metrics.md").read_text(encoding="utf-8")

    assert await exported(tmp_path) <= shown
    assert [name for name in await exported(tmp_path) if name not in page] == []
