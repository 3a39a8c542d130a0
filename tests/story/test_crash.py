"""Killed at any moment and run again: each recording is in the file once, each job started once."""

from __future__ import annotations

import random
import signal
import time

import pytest

RESULTS = ("--results", "s3://audio/t/")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_run_killed_at_random_moments_is_completed_by_the_next(run, cloud, seed):
    """SIGKILL at random moments, again and again, loses no line and pays for no job twice."""
    service = cloud("--slots", "20", "--seconds", "0.3")
    texts = {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(120)}
    service.add(**{uri[11:-4]: text for uri, text in texts.items()})
    moments = random.Random(seed)

    for _ in range(5):
        with run.start("run", "s3://audio/", *RESULTS) as process:
            time.sleep(moments.uniform(0.6, 2.0))
            process.kill()
    outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 0, outcome.err
    assert run.texts() == texts
    assert len(run.tasks()) == 120
    assert set(service.counts()["created"].values()) == {1}


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pipeline.cli import main
from pipeline.state.output import OutputState

place, left = sys.argv[1], int(sys.argv[2])
sys.argv = sys.argv[3:]
fsync, checkpoint = os.fsync, OutputState.checkpoint

def reached(here):
    global left
    left -= here == place
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def killed_fsync(file):
    reached("before fsync")
    fsync(file)
    reached("between fsync and commit")

@contextmanager
def killed_checkpoint(output):
    with checkpoint(output):
        yield
    reached("after commit")

os.fsync, OutputState.checkpoint = killed_fsync, killed_checkpoint
main()
"""
"""The command in a process that kills itself when it comes to a place for the n-th time."""


def test_half_a_line_left_by_a_crash_is_cut_off(run, cloud):
    """What follows the committed size is of an interrupted run and is rewritten."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/")
    service.add(two="second")
    with run.start("run", "s3://audio/", through=KILLED, before=("before fsync", "1")) as process:
        process.communicate(timeout=30)
    with (run.folder / "tasks.jsonl").open("ab") as file:
        file.write(b'{"data":{"audio":"s3://audio/two.mp3","jo')

    run("run", "s3://audio/")

    assert run.texts() == {"s3://audio/one.mp3": "first", "s3://audio/two.mp3": "second"}


@pytest.mark.parametrize("place", ["before fsync", "between fsync and commit", "after commit"])
def test_run_killed_at_a_boundary_of_the_checkpoint_is_completed(run, cloud, place):
    """SIGKILL on either side of the fsync and of the commit: the file and the state agree again."""
    service = cloud("--slots", "4", "--seconds", "0.5")
    texts = {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(30)}
    service.add(**{uri[11:-4]: text for uri, text in texts.items()})

    codes = []
    for nth in ("2", "1"):
        with run.start("run", "s3://audio/", through=KILLED, before=(place, nth)) as process:
            process.communicate(timeout=30)
        codes.append(process.returncode)
    outcome = run("run", "s3://audio/")

    assert (codes, outcome.code) == ([-signal.SIGKILL] * 2, 0)
    assert run.texts() == texts
    assert len(run.tasks()) == 30
    assert set(service.counts()["created"].values()) == {1}


FAULTS = ("server_error", "cut", "truncate", "lost_start", "stale_listing")
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


@pytest.mark.timeout(120)
def test_run_stopped_by_any_signal_under_faults_is_completed_by_the_next(run, cloud):
    """SIGINT, SIGTERM and SIGKILL at random moments of a bad night: each recording ends once."""
    faults = (word for name in FAULTS for word in ("--fault", f"{name}=0.05"))
    service = cloud("--slots", "20", "--seconds", "0.5", *faults)
    texts = {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(60)}
    service.add(bad="!Unsupported media format", **{u[11:-4]: text for u, text in texts.items()})
    moments = random.Random(3)

    for number in SIGNALS * 2:
        with run.start("run", "s3://audio/", *RESULTS) as process:
            time.sleep(moments.uniform(0.6, 1.6))
            process.send_signal(number)
            process.communicate(timeout=10)
    outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 1, outcome.err
    assert (run.texts(), len(run.tasks())) == (texts, 60)
    assert [each["uri"] for each in run.failures()] == ["s3://audio/bad.mp3"]
    assert set(service.counts()["created"].values()) == {1}
