"""Killed at any moment and run again: each recording is in the file once, each job started once."""

from __future__ import annotations

import random
import time

import pytest


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
def test_run_killed_at_random_moments_is_completed_by_the_next(run, cloud, seed):
    """SIGKILL at random moments, again and again, loses no line and pays for no job twice."""
    service = cloud("--slots", "20", "--seconds", "0.3")
    texts = {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(120)}
    service.add(**{uri[11:-4]: text for uri, text in texts.items()})
    moments = random.Random(seed)

    for _ in range(5):
        with run.start("run", "s3://audio/", "--results", "s3://audio/t/") as process:
            time.sleep(moments.uniform(0.6, 2.0))
            process.kill()
    outcome = run("run", "s3://audio/", "--results", "s3://audio/t/")

    assert outcome.code == 0, outcome.err
    assert run.texts() == texts
    assert len(run.tasks()) == 120
    assert set(service.figures()["created"].values()) == {1}


def test_half_a_line_left_by_a_crash_is_cut_off(run, cloud):
    """What follows the committed size is of an interrupted run and is written anew."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/")
    service.add(two="second")
    with (run.folder / "tasks.jsonl").open("ab") as file:
        file.write(b'{"data":{"audio":"s3://audio/two.mp3","jo')

    run("run", "s3://audio/")

    assert run.texts() == {"s3://audio/one.mp3": "first", "s3://audio/two.mp3": "second"}
