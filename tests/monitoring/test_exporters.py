"""How others watch a run: port, metrics file, heartbeat, log."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.schema import Monitoring
from pipeline.errors import BadSettings, OutputUnusable
from pipeline.monitoring.exporters import ExportedFile, exported, last_success, refreshed
from pipeline.monitoring.snapshot import take_snapshot
from tests.conftest import ROOT, free_port
from tests.support.idle_run import idle_run
from tests.support.sockets import listeners
from tests.support.state_files import begun

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

METRICS = "transcribe_pipeline_"
WRITTEN = re.compile(r"transcribe_pipeline_recordings_written_total\{[^}]*\} (\S+)")


def lines_of(text: str) -> list[dict[str, Any]]:
    """The events of a log; every line of it is one."""
    return [json.loads(line) for line in text.splitlines()]


def scraped(
    port: int, *, accept: str = "*/*", path: str = "/metrics", host: str = "127.0.0.1"
) -> tuple[str, str]:
    """What the port answers, and as what."""
    headers = {"Accept": accept, "Host": host}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


@contextmanager
def watched_run(run: Any, port: int) -> Iterator[subprocess.Popen[str]]:
    """A run with its metrics at the port, from when both jobs are in flight until it is stopped."""
    with run.start("run", "s3://audio/", "--metrics-port", port) as process:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError):
                if 'jobs_in_flight{source="s3://audio/"} 2.0' in scraped(port)[0]:
                    break
            time.sleep(0.1)
        else:
            process.kill()
            pytest.fail("The metrics did not come.")
        yield process
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


# The log


def test_everything_that_a_run_says_is_a_line_of_json(run, cloud):
    """With `--log-format json` stderr holds one object a line, from the start to the summary."""
    service = cloud()
    service.add(one="first", bad="!Unsupported media format")
    service.put("hostile\u2028\x1b[2J\x9b{}.mp3", "!Unsupported media format")

    outcome = run("run", "s3://audio/", "--log-format", "json", "--json")

    events = lines_of(outcome.err)
    assert outcome.err.isascii()
    assert [line["event"] for line in events] == [
        *("account.unknown", "run.started", "listing.ended"),
        *("recording.failed", "recording.failed", "run.ended"),
    ]
    assert len({line["run_id"] for line in events}) == 1
    failed = {line["recording"]: line for line in events if line["event"] == "recording.failed"}
    assert set(failed) == {"bad.mp3", "hostile\u2028\x1b[2J\x9b{}.mp3"}
    assert failed["bad.mp3"]["reason"] == "unsupported format"
    assert failed["bad.mp3"]["level"] == "warning"
    assert events[-1]["summary"] == outcome.summary
    assert events[-1]["message"].startswith("Done in ")


def test_each_run_has_a_name_of_its_own(run, cloud):
    """`run_id` tells the lines of one run from those of the next."""
    cloud().add(one="first")

    names = {run("run", "s3://audio/", "--json").summary["run_id"] for _ in range(2)}

    assert len(names) == 2


def test_a_log_in_text_is_as_it_was(run, cloud):
    """Without it people are told in text, and no line of it is JSON."""
    cloud().add(one="first", bad="!Unsupported media format")

    outcome = run("run", "s3://audio/")

    assert outcome.err.startswith("Done in ")
    assert "{" not in outcome.err


def test_tasks_are_rebuilt_under_the_same_log_and_watched_by_nobody(run, cloud):
    """Another command with the run's settings tells in its format, and leaves its files alone."""
    cloud().add(one="first")
    run.use(TRANSCRIBE_PIPELINE_LOG_FORMAT="json", TRANSCRIBE_PIPELINE_HEARTBEAT_FILE="alive")
    run("run", "s3://audio/")
    before = (run.folder / "alive").read_bytes()

    outcome = run("tasks", "rebuild", "--task", "segments")

    assert [line["event"] for line in lines_of(outcome.err)] == ["run.started", "run.ended"]
    assert (run.folder / "alive").read_bytes() == before


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_what_cannot_run_says_so_as_json_too(run, how):
    """An error is an event with its sentence, wherever the format was set."""
    (run.folder / "c.toml").write_text('[monitoring]\nlog_format = "json"\n')
    flags = {"flag": ["--log-format", "json"], "file": ["--config", "c.toml"]}.get(how, [])
    if how == "environment":
        run.use(TRANSCRIBE_PIPELINE_LOG_FORMAT="json")

    outcome = run("run", "nowhere\n{}", *flags)

    (line,) = lines_of(outcome.err)
    assert outcome.code == 2
    assert (line["event"], line["level"]) == ("error", "error")
    assert line["message"].startswith("There is no folder nowhere\n{}")


def test_complaints_about_settings_are_json_where_that_was_asked_for(run):
    """Before the settings can be read the command line tells how to complain about them."""
    outcome = run("run", ".", "--log-format", "json", "--until", "x", "--language", "y")

    (line,) = lines_of(outcome.err)
    assert line["message"].count("\n") == 1


def test_a_quiet_log_of_a_good_run_is_empty(run, cloud):
    """`--quiet` says only what failed, in either format."""
    cloud().add(one="first")

    assert run("run", "s3://audio/", "--log-format", "json", "--quiet").err == ""


def test_the_documents_name_every_event():
    """Each event that a log may hold is on the page about logs."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py"))
    page = (ROOT / "docs" / "reference" / "logs-and-metrics.md").read_text(encoding="utf-8")
    names = set(re.findall(r'\bevent\(\s*"([\w.]+)"', code))

    assert len(names) > 8
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_recording_passes_every_stage(run, cloud):
    """The summary tells of each stage how many passed it, and the seconds they spent there."""
    cloud("--slots", "2", "--seconds", "1").add(a="one", b="two", c="three", d="four")

    stages = run("run", "s3://audio/", "--json").summary["stages"]

    assert {name: spent["count"] for name, spent in stages.items()} == {
        **dict.fromkeys(("start", "wait", "collect", "write"), 4)
    }
    assert stages["wait"]["seconds"] > 4 * 0.9
    assert stages["start"]["seconds"] > 2 * 0.9  # two of them waited for a slot


# The port


def test_prometheus_reads_the_figures_while_the_run_goes_on(run, cloud):
    """The port answers with the figures of the moment, in the format that is asked for."""
    cloud("--seconds", "60").add(one="first", two="second")
    port = free_port()

    with watched_run(run, port):
        text, kind = scraped(port)
        _, strict = scraped(port, accept="application/openmetrics-text; version=1.0.0")

    assert kind.startswith("text/plain; version=0.0.4")
    assert strict.startswith("application/openmetrics-text; version=1.0.0")
    assert f'{METRICS}running{{source="s3://audio/"}} 1.0' in text
    assert f'{METRICS}jobs_started_total{{source="s3://audio/"}} 2.0' in text
    with pytest.raises(OSError, match="refused"):
        scraped(port)


def test_nothing_but_metrics_is_served(run, cloud):
    """Other paths are not there, and neither other machines nor other sites reach the port."""
    cloud("--seconds", "60").add(one="first", two="second")
    port = free_port()

    with watched_run(run, port) as process:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            scraped(port, path="/")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            scraped(port, host="evil.example")
        scraped(port, host=f"localhost:{port}")
        listening = listeners(process.pid)

    assert listening == {("127.0.0.1", port)}


def test_a_port_that_is_taken_is_told_before_anything_is_started(run, cloud):
    """One sentence says which port it is and what to do; no job was started."""
    service = cloud()
    service.add(one="first")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        outcome = run("run", "s3://audio/", "--metrics-port", port)

    assert outcome.code == 2
    assert outcome.err == (
        f"transcribe-pipeline: metrics_port = {port}: 127.0.0.1:{port} can't be listened at: "
        "Address already in use. Name another port, or --metrics-file, which each run may have of "
        "its own.\n"
    )
    assert service.counts()["calls"] == {}


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
async def test_an_address_that_is_not_ours_is_told(tmp_path, host):
    """Whatever the system says about the address, it is one sentence about the setting."""
    settings = Monitoring(metrics_port=free_port(), metrics_host=host)

    async with idle_run(tmp_path) as run:
        with pytest.raises(BadSettings, match=f"metrics_port = .*{host}.* can't be listened at"):
            async with exported(partial(take_snapshot, run), settings, 0, print):
                pass


# The files


def test_the_metrics_file_stays_with_the_last_values(run, cloud):
    """After the run the file tells what it did and how it ended, and anyone may read it."""
    cloud().add(one="first", bad="!Unsupported media format")

    outcome = run("run", "s3://audio/", "--metrics-file", "night/m.prom")

    path = run.folder / "night" / "m.prom"
    text = path.read_text(encoding="utf-8")
    assert outcome.code == 1
    assert WRITTEN.findall(text) == ["1.0"]
    failed = 'recordings_failed_total{reason="unsupported format",source="s3://audio/"} 1.0'
    assert METRICS + failed in text
    assert f'{METRICS}exit_code{{source="s3://audio/"}} 1.0' in text
    assert f'{METRICS}running{{source="s3://audio/"}} 0.0' in text
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["m.prom"]


def test_the_next_run_remembers_the_last_success(run, cloud):
    """A night that can't go on tells when one last did."""
    cloud().add(one="first")
    run("run", "s3://audio/", "--metrics-file", "m.prom")
    success = value("last_success_timestamp_seconds", run)

    outcome = run("run", "s3://audio/", "--metrics-file", "m.prom", "--results", "s3://nowhere/")

    assert outcome.code == 2
    assert value("exit_code", run) == 2
    assert value("last_success_timestamp_seconds", run) == pytest.approx(success, abs=2)
    assert success == pytest.approx(time.time(), abs=60)


def value(name: str, run: Any) -> float:
    """One metric of the metrics file."""
    text = (run.folder / "m.prom").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^{METRICS}{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE)
    return float(found)


def test_the_heartbeat_tells_that_the_run_is_alive_and_how_it_ended(run, cloud):
    """The file is fresh while the loop turns, stops with it, and ends with the exit code."""
    cloud("--seconds", "30").add(one="first")
    path = run.folder / "alive"

    with run.start("run", "s3://audio/", "--heartbeat-file", "alive") as process:
        first = beat_after(path, 0)
        second = beat_after(path, path.stat().st_mtime_ns)
        process.send_signal(signal.SIGSTOP)
        stopped = path.stat().st_mtime_ns
        time.sleep(6)
        still = path.stat().st_mtime_ns
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert (first["pid"], first["exit_code"]) == (process.pid, None)
    assert second["in_flight"] == 1
    assert stopped == still
    assert json.loads(path.read_bytes())["exit_code"] == 143


def beat_after(path: Path, moment: int) -> dict[str, Any]:
    """The heartbeat once it is newer than that (nanoseconds)."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_mtime_ns > moment:
            found: dict[str, Any] = json.loads(path.read_bytes())
            return found
        time.sleep(0.05)
    pytest.fail("No heartbeat.")


async def test_a_file_is_whole_whenever_it_is_read(tmp_path):
    """A reader sees one writing or the next, and a part of neither."""
    settings = Monitoring(
        heartbeat_file=str(tmp_path / "alive"), metrics_file=str(tmp_path / "m.prom")
    )
    inodes = set()

    async with (
        idle_run(tmp_path) as run,
        exported(partial(take_snapshot, run), settings, 0, print) as status,
    ):
        inodes.add((tmp_path / "alive").stat().st_ino)
        before = (tmp_path / "alive").open("rb")  # held across the replacement
        status.end(0)
    inodes.add((tmp_path / "alive").stat().st_ino)

    with before:
        assert json.loads(before.read())["exit_code"] is None
    assert len(inodes) == 2


@pytest.mark.parametrize("name", ["metrics_file", "heartbeat_file"])
async def test_a_file_that_cannot_be_written_is_told_before_anything_is_started(tmp_path, name):
    """A folder that is a file is found out at once."""
    (tmp_path / "file").touch()
    settings = Monitoring(**{name: str(tmp_path / "file" / "m.prom")})  # type: ignore[arg-type] # both are names of files

    async with idle_run(tmp_path) as run:
        with pytest.raises(OutputUnusable, match=r"m\.prom can't be written"):
            async with exported(partial(take_snapshot, run), settings, 0, print):
                pass


async def test_a_file_that_can_no_longer_be_written_does_not_stop_the_run(tmp_path):
    """Who watches loses sight, is told so once, and the run goes on."""
    folder = tmp_path / "gone"
    said: list[str] = []
    tries, often = iter(range(6)), asyncio.Event()

    def content() -> bytes:
        if next(tries, None) is None:
            often.set()
        return b""

    async with refreshed(ExportedFile(folder / "alive", b"{", content), 0.01, said.append):
        (folder / "alive").unlink()
        folder.rmdir()
        folder.touch()
        await often.wait()

    assert len(said) == 1
    assert said[0].endswith("The run goes on without it.")


async def test_a_run_that_breaks_is_not_alive(tmp_path):
    """Where the run ends by an error of the program the files say that it has ended."""
    settings = Monitoring(heartbeat_file=str(tmp_path / "alive"))

    with pytest.raises(ZeroDivisionError):
        async with (
            idle_run(tmp_path) as run,
            exported(partial(take_snapshot, run), settings, 0, print),
        ):
            raise ZeroDivisionError

    assert json.loads((tmp_path / "alive").read_bytes())["exit_code"] == 2


async def test_nothing_is_watched_unless_it_is_asked_for(tmp_path):
    """Without settings there is no file, no port and no task."""
    async with idle_run(tmp_path) as run:
        before = len(asyncio.all_tasks())
        async with exported(partial(take_snapshot, run), Monitoring(), 0, print):
            assert len(asyncio.all_tasks()) == before

    assert [path.name for path in tmp_path.iterdir() if "state" not in path.name] == []


def test_there_is_no_last_success_before_the_first(tmp_path):
    """A new state file knows of none."""
    with begun(tmp_path / "state") as state:
        assert last_success(state.reader) == 0.0
