"""What is made for Prometheus and Grafana, held to the programs themselves.

`make test-prometheus` needs promtool, prometheus and node_exporter on PATH, which are Debian's
packages prometheus and prometheus-node-exporter, and npm.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT, end, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(180)

HERE = Path(__file__).parent
ALERTS = ROOT / "deploy" / "prometheus-alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
SCHEMA = ROOT / ".venv-prometheus" / "node_modules"

# A string of a type's enumeration stands in JSON as itself.
TYPES = """\
import type {{ Dashboard }} from '{schema}/dashboard/x/types.gen';
import type * as bargauge from '{schema}/composable/bargauge/panelcfg/x/types.gen';
import type * as stat from '{schema}/composable/stat/panelcfg/x/types.gen';
import type * as timeseries from '{schema}/composable/timeseries/panelcfg/x/types.gen';
type Json<T> = T extends string ? `${{T}}` : T extends (infer U)[] ? Json<U>[]
  : T extends object ? {{ [K in keyof T]: Json<T[K]> }} : T;
const dashboard: Json<Dashboard> = {dashboard};
"""


def program(*names: str) -> str:
    """The path of a program that the test needs, by one of its names."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail(
            f"There is no {names[0]} on PATH: install it (Debian: prometheus, "
            "prometheus-node-exporter)."
        )
    return path


def said(*command: str, stdin: bytes = b"") -> str:
    """What a program says; it must be content."""
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


@pytest.fixture(name="metrics")
def metrics_of_a_run(run, cloud):
    """The metrics file of a run in which something of everything has happened."""
    service = cloud("--slots", "2", "--start-rate", "3", "--fault", "throttle=0.1")
    service.add(**{f"rec{n}": "one two" for n in range(12)}, bad="!Unsupported media format")
    service.put("notes.txt", "no audio")
    outcome = run("run", "s3://audio/", "--metrics-file", "run.prom")
    assert outcome.code == 1
    return run.folder / "run.prom"


def test_promtool_finds_nothing_wrong_with_the_metrics(metrics):
    """Names, units, types and helps are as Prometheus' own linter wants them."""
    assert said(program("promtool"), "check", "metrics", stdin=metrics.read_bytes()) == ""


def test_promtool_loads_the_alerts(metrics):
    """The rule file is one, and its expressions are of the language."""
    assert "9 rules found" in said(program("promtool"), "check", "rules", str(ALERTS))


def test_the_alerts_fire_when_they_should():
    """Each alert fires for what it is for, and not for what is alike."""
    assert "SUCCESS" in said(program("promtool"), "test", "rules", str(HERE / "alerts.yml"))


def test_the_dashboard_is_one_of_grafana(tmp_path):
    """The JSON is of the types that Grafana itself is generated from, panels' options included."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    (tmp_path / "node_modules").symlink_to(SCHEMA)
    schema = "./node_modules/@grafana/schema/dist/types/raw"
    lines = [TYPES.format(schema=schema, dashboard=json.dumps(dashboard, indent=1))]
    for number, panel in enumerate(dashboard["panels"]):
        kind, options = panel["type"], json.dumps(panel.get("options"))
        if kind != "row":
            lines.append(f"const options{number}: Json<{kind}.Options> = {options};")
        if kind == "timeseries":
            drawn = json.dumps(panel["fieldConfig"]["defaults"]["custom"])
            lines.append(f"const drawn{number}: Json<timeseries.FieldConfig> = {drawn};")
    (tmp_path / "dashboard.ts").write_text("\n".join(lines), encoding="utf-8")

    flags = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--moduleResolution",
        "bundler",
        "--module",
        "esnext",
    ]
    tsc = str(SCHEMA / ".bin" / "tsc")

    assert said(tsc, *flags, str(tmp_path / "dashboard.ts")) == ""


@contextmanager
def prometheus(folder: Path, metrics: Path) -> Iterator[str]:
    """A Prometheus with the alerts that reads the metrics every second; yields its URL."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(metrics.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        target = {
            "job_name": "run",
            "metrics_path": f"/{metrics.name}",
            "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}],
        }
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config = {"global": every, "rule_files": [str(ALERTS)], "scrape_configs": [target]}
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML too
        address = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"http://{address}"
        finally:
            end(process)
            server.shutdown()


def asked(url: str, path: str, **query: str) -> Any:
    """What Prometheus answers."""
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(query)}") as answer:
        return json.load(answer)["data"]


def wait_for_samples(url: str, count: int) -> None:
    """Wait until the metrics were read so many times."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = asked(url, "query", query="count_over_time(transcribe_pipeline_running[1m])")
        except (urllib.error.URLError, ConnectionError):
            found = {"result": []}
        if found["result"] and int(found["result"][0]["value"][1]) >= count:
            return
        time.sleep(0.2)
    pytest.fail("Prometheus did not read the metrics.")


def test_every_panel_shows_something_of_a_run(metrics, tmp_path):
    """A real Prometheus loads the alerts, reads the metrics, and answers each query with data."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]

    with prometheus(tmp_path, metrics) as url:
        wait_for_samples(url, 5)
        answers = {
            query: asked(
                url,
                "query",
                query=query.replace("$source", ".*").replace("$__rate_interval", "10s"),
            )["result"]
            for query in queries
        }
        rules = asked(url, "rules")["groups"][0]["rules"]

    assert len(answers) > 30
    assert [query for query, result in answers.items() if not result] == []
    assert {rule["health"] for rule in rules} == {"ok"}
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()


def test_node_exporter_reads_the_files_of_several_runs(run, cloud):
    """Two runs of one machine differ in their source, so that neither hides the other."""
    cloud().add(a="one", b="two")
    (run.folder / "textfiles").mkdir()
    for name in ("a", "b"):
        files = ("--output", f"{name}.jsonl", "--metrics-file", f"textfiles/{name}.prom")
        assert run("run", f"s3://audio/{name}", *files).code == 0
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            program("node_exporter", "prometheus-node-exporter"),
            *("--collector.disable-defaults", "--collector.textfile"),
            f"--collector.textfile.directory={run.folder / 'textfiles'}",
            f"--web.listen-address={address}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        read = page(f"http://{address}/metrics")
    finally:
        end(process)

    assert "\nnode_textfile_scrape_error 0\n" in read
    for name in ("a", "b"):
        assert f'recordings_written_total{{source="s3://audio/{name}"}} 1\n' in read


def page(url: str) -> str:
    """What a server that has just been started answers."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"No answer at {url}.")
