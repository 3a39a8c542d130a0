"""When jobs were started, and how long one takes."""

from __future__ import annotations

import time

import pytest

from pipeline.stages.job_clock import JobClock


def learnt(clock: JobClock, *seconds: float) -> float | None:
    """How long a job takes after jobs that took so long."""
    for each in seconds:
        clock.start("job", time.monotonic() - each)
        clock.learn("job")
        clock.forget("job")
    return clock.typical_seconds


def test_a_tenth_of_what_a_job_took_is_learnt():
    """The typical duration follows the jobs, and one that is odd moves it little."""
    clock = JobClock()

    assert learnt(clock, 100) == pytest.approx(100, abs=0.1)
    assert learnt(clock, 200) == pytest.approx(110, abs=0.1)
    assert learnt(clock, 10) == pytest.approx(100, abs=0.1)
    assert learnt(clock, *[20] * 100) == pytest.approx(20, abs=0.1)


def test_a_job_of_an_earlier_run_teaches_nothing():
    """How long it lay about while no run looked is not how long it took."""
    clock = JobClock()
    clock.resume("job", time.time() - 80_000)
    clock.learn("job")

    assert clock.typical_seconds is None
    assert clock.seconds_since_start("job") is None
    assert clock.age("job") == pytest.approx(80_000, abs=1)
