"""However a command ends: one exit code, one line of JSON where it was asked for, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.state.lock import hold
from tests.conftest import ROOT, clean_environment

NO_ACCOUNT = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}


def answer(outcome):
    """The one line of JSON on stdout."""
    [line] = outcome.out.splitlines()
    return json.loads(line)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("run", "s3://audio/"), "credentials"),
        (("run", "missing"), "There is no folder missing"),
        (("run", "s3://audio/", "--include", ""), "empty glob"),
        (("run",), "Missing argument"),
        (("run", "s3://audio/", "--no-such-flag"), "No such option"),
        (("run", "s3://audio/", "--config", "none.toml"), "can't be read"),
        (("plan", "s3://audio/"), "credentials"),
        (("clean", "--older-than", "1d"), "There is no state file"),
        (("clean", "--older-than", "a month"), "is no age"),
        (("status",), "There is no state file"),
        (("quality",), "ground_truth.jsonl"),
        (("push",), "Label Studio"),
        (("tasks", "rebuild"), "There is no state file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_can_not_run_says_so_in_one_line_of_json(run, command, problem):
    """The exit code, the problem and the advice are on stdout as they are on stderr."""
    run.use(**NO_ACCOUNT)

    outcome = run(*command, "--json")

    found = answer(outcome)
    assert outcome.code == found["exit_code"] == 2
    assert problem in found["problem"]
    assert "Traceback" not in outcome.err
    assert outcome.err


def test_a_locked_state_file_is_told_in_json(run, recordings):
    """A run that another one keeps out has its line, with what to do."""
    with hold(run.folder / "tasks.jsonl.state"):
        found = answer(run("run", recordings, "--json"))

    assert found["exit_code"] == 2
    assert "Another run" in found["problem"]
    assert "Wait for it" in found["advice"]


def test_a_run_that_had_to_stop_tells_problem_and_advice_in_its_summary(run, cloud):
    """The facts of the error stand beside the sentence."""
    cloud().add(one="first")

    outcome = run("run", "s3://missing/", "--json")

    found = answer(outcome)
    assert outcome.code == found["exit_code"] == 2
    assert found["stopped"].startswith(found["problem"])
    assert found["stopped"].endswith(found["advice"])


def test_a_failures_file_that_can_not_be_written_costs_no_summary(run, cloud):
    """The run has ended all the same: its exit code, its line and the heartbeat say one thing."""
    cloud().add(one="first", bad="!Unsupported media format")
    (run.folder / "tasks.failures.jsonl").mkdir()

    outcome = run("run", "s3://audio/", "--json", "--heartbeat-file", "alive")

    found, beat = answer(outcome), json.loads((run.folder / "alive").read_bytes())
    assert outcome.code == found["exit_code"] == beat["exit_code"] == 1
    assert (found["counts"]["written"], found["counts"]["failed"]) == (1, 1)
    assert "failures" not in found["files"]
    assert any("tasks.failures.jsonl can't be written" in note for note in found["notes"])
    assert "tasks.failures.jsonl can't be written" in outcome.err


@pytest.mark.parametrize("command", [("run", "s3://audio/", "--json"), ("status", "--json")])
def test_a_reader_that_is_gone_is_no_failed_recording(run, cloud, command):
    """`run --json | true` ends as whatever SIGPIPE ends does, and everything is written."""
    cloud().add(one="first")
    run("run", "s3://audio/")
    reading, writing = os.pipe()
    os.close(reading)

    with run.start(*command, stdout=writing) as process:
        os.close(writing)
        _, told = process.communicate(timeout=30)

    assert process.returncode == 141
    assert "Traceback" not in told
    assert "Broken" not in told
    assert len(run.tasks()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_twice_changes_nothing(run, cloud, number):
    """`timeout` and shells send it to the child and to its group: the run ends as by one."""
    service = cloud("--seconds", "30")
    service.add(one="first", two="second")
    with run.start("run", "s3://audio/", "--json") as process:
        while len(service.counts()["created"]) < 2:
            time.sleep(0.05)
        for _ in range(6):
            process.send_signal(number)
            time.sleep(0.005)
        out, told = process.communicate(timeout=20)

    assert process.returncode == 128 + number, told
    assert json.loads(out)["stopped"] == "interrupted"
    assert "Traceback" not in told


WHILE_IT_IS_LOADED = """
import os, signal, sys
wanted = sys.argv[1]
class Finder:
    def find_spec(self, name, path, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from pipeline.cli import main
sys.argv[1:] = ["run", "."]
main()
"""


@pytest.mark.parametrize("module", ["pipeline.cli.app", "pipeline.launch.run", "uvloop"])
def test_ctrl_c_while_it_starts_shows_no_traceback(tmp_path, module):
    """Whoever presses it while the libraries are loaded sees the prompt, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", WHILE_IT_IS_LOADED, module],
        cwd=tmp_path, env=clean_environment(PYTHONPATH=str(ROOT)), capture_output=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (130, b"")


FULL = Path("/dev/full")
"""Linux's device that takes nothing."""


def ended(folder, *command, **streams):
    """A command in a process of its own, with streams of its own."""
    program = [sys.executable, "-c", "from pipeline.cli import main; main()", *command]
    return subprocess.run(
        program, cwd=folder, env=clean_environment(), text=True, timeout=60, check=False, **streams
    )


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has it")
@pytest.mark.parametrize("words", [("config", "example"), ("--version",)], ids=["long", "short"])
def test_an_answer_that_has_no_room_is_told(tmp_path, words):
    """A full disk under stdout is exit code 2 and one sentence: half an answer is none."""
    with FULL.open("w") as full:
        command = ended(tmp_path, *words, stdout=full, stderr=subprocess.PIPE)

    assert command.returncode == 2
    assert command.stderr == (
        "transcribe-pipeline: stdout can't be written: No space left on device. "
        "Write it to another place.\n"
    )


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has it")
def test_a_log_that_has_no_room_ends_nothing(tmp_path):
    """A full disk under stderr changes no exit code: what is said there is lost, no work is."""
    (tmp_path / "empty").mkdir()
    with FULL.open("w") as full:
        run = ended(tmp_path, "run", "empty", "--json", stdout=subprocess.PIPE, stderr=full)

    assert run.returncode == 0
    assert json.loads(run.stdout)["exit_code"] == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_said_can_be_read_at_once(unbuffered):
    """A night's log is followed while it goes on; many images set PYTHONUNBUFFERED."""
    says = (
        "import os, sys; from pipeline.cli.streams import ready_streams; ready_streams(); "
        "sys.stderr.write('said\\n'); os._exit(0)"  # which writes nothing that is held back
    )
    environment = {**clean_environment(), "PYTHONUNBUFFERED": unbuffered}

    program = subprocess.run(
        [sys.executable, "-c", says], env=environment, stderr=subprocess.PIPE, check=True
    )

    assert program.stderr == b"said\n"


def test_a_folders_run_has_nothing_to_clean_and_says_only_that(run):
    """The reason stands alone: no count of jobs that there can't be."""
    (run.folder / "empty").mkdir()
    run("run", "empty")

    refused = run("clean", "--older-than", "1d")

    assert refused.code == 2
    [line] = refused.err.splitlines()
    assert "only a bucket's jobs have records at the service. There is nothing to clean." in line
