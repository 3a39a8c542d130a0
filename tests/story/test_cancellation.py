"""A signal is obeyed wherever the run waits, and costs nothing."""

from __future__ import annotations

import signal
import time
from threading import Event

import pytest

from tests.conftest import endpoint
from tests.support.between import between

RESULTS = ("--results", "s3://audio/t/")
RECORDINGS = 6


def place(asked):
    """What a request is for, in the run's own terms."""
    if asked.operation:
        return asked.operation
    if "list-type=2" not in asked.path:
        return "reading a transcript"
    return "finding results" if "prefix=t%2F" in asked.path else "listing the source"


@pytest.mark.parametrize(
    "arrow",
    [
        "finding results",
        "listing the source",
        "StartTranscriptionJob",
        "ListTranscriptionJobs",
        "reading a transcript",
        "GetTranscriptionJob",
    ],
)
def test_run_that_waits_for_an_answer_stops_at_once(run, cloud, arrow):
    """An answer that never comes holds no stage back; the next run completes, paid once."""
    service = cloud("--seconds", "0.2")
    service.add(**{f"rec{n}": f"number {n}" for n in range(RECORDINGS)}, bad="!Unsupported media")
    hanging, end = Event(), Event()

    def reply(asked):
        answer = asked.forward()
        if place(asked) == arrow:
            hanging.set()
            end.wait(30)
        return answer

    with between(service, reply) as url:
        run.use(**endpoint(url))
        with run.start("run", "s3://audio/", *RESULTS) as process:
            assert hanging.wait(20)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            begun = time.monotonic()
            _, told = process.communicate(timeout=20)
            stopped_in = time.monotonic() - begun
        end.set()
    run.use(**endpoint(service.url))
    outcome = run("run", "s3://audio/", *RESULTS)

    assert (process.returncode, outcome.code) == (130, 1)
    assert stopped_in < 10  # the answer would have come after 30
    assert "Traceback" not in told
    assert len(run.tasks()) == len(run.texts()) == RECORDINGS
    assert set(service.counts()["created"].values()) == {1}


def test_run_under_nohup_goes_on_when_the_terminal_closes(run, cloud):
    """A signal that was ignored when the run was started stays ignored."""
    service = cloud("--seconds", "1")
    service.add(one="the first text")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = run.start("run", "s3://audio/", *RESULTS)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with process:
        while not service.counts()["created"]:
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=20)

    assert process.returncode == 0
    assert list(run.texts().values()) == ["the first text"]
