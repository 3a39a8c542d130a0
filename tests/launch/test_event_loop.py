"""Signals and the event loop of a command."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.conftest import ROOT
from tests.support.fork_server import Forked

# Work that takes its time when it is cancelled, as a service that does not answer.
SLOW = """
import asyncio, os, sys
from pipeline.launch import event_loop

event_loop._GRACE_SECONDS = float(sys.argv[1])

async def work():
    print("working", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("ending", flush=True)
        await asyncio.sleep(float(sys.argv[2]))
        print("ended", flush=True)

try:
    print(event_loop.in_event_loop(event_loop.interruptible(work)), flush=True)
except KeyboardInterrupt:
    print("at once", flush=True)
    os._exit(0)  # the next one may come while the interpreter ends
"""


def started(grace: float, ending: float) -> subprocess.Popen[str]:
    """A process at work, with so many seconds of grace, which takes so many to end."""
    process = Forked(
        [sys.executable, "-c", SLOW, str(grace), str(ending)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert line_of(process) == "working\n"
    return process


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_within_the_grace_changes_nothing(first, second):
    """The work ends as it ends by one signal, whose number counts, whichever the second is."""
    with started(grace=60, ending=0.1) as process:
        process.send_signal(first)
        assert line_of(process) == "ending\n"
        process.send_signal(second)
        out, told = process.communicate(timeout=20)

    assert (out.split(), process.returncode, told) == (["ended", str(int(first))], 0, "")


def test_a_ctrl_c_after_the_grace_ends_at_once():
    """A person who presses it again means it; `kill` does not ask that way."""
    with started(grace=0.05, ending=60) as process:
        process.send_signal(signal.SIGINT)
        assert line_of(process) == "ending\n"
        process.send_signal(signal.SIGTERM)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        out, told = process.communicate(timeout=20)

    assert (out.split()[-2:], process.returncode) == (["at", "once"], 0), told
