"""Shards as tasks of a Ray cluster, whose nodes die, stop and lose their head."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from contextlib import suppress

import msgspec
import pytest

from pipeline.config.shards import Shard
from tests.support import made_media as made
from tests.support.lanes import LANES, created_in, lane_profiles
from tests.support.reviews import THREE

pytestmark = pytest.mark.timeout(240)

SLOTS = ("--slots", "480")
GIVEN_UP_SECONDS = 15
"""Of silence, after which the cluster of these tests counts a node as dead."""


def summary_of(process):
    """The summary of a command that has ended, and what it said."""
    out, err = process.communicate(timeout=120)
    assert out, (process.returncode, err)
    return json.loads(out), err


def test_a_node_that_dies_costs_no_recording_and_no_second_job(on_ray):
    """The shards of the node that had most of them go on elsewhere."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(480, seconds=15)

    with runs.run.start(*runs.command()) as process:
        _, *others = runs.wait_for(process, tasks=100)
        held = max(others)
        runs.cluster.nodes[1 + others.index(held)].kill()
        summary, err = summary_of(process)

    assert held > 0
    assert (process.returncode, summary["exit_code"]) == (0, 0), err
    assert runs.lines() == wanted
    assert runs.started_twice() == 0
    assert summary["balance"]["listed"] == summary["balance"]["written"] == 480
    assert "6 of 6 have" in err


def test_shards_of_several_accounts_run_their_jobs_there(on_ray, cloud):
    """Each node takes the profile of its shard's lane; the run's own has none."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(60, seconds=4)
    accounts = {"": runs.cloud} | {lane: cloud(*SLOTS) for lane in LANES}
    (runs.run.folder / "lanes.toml").write_text(f"[cluster]\nlanes = {json.dumps(LANES)}\n")
    command = [each for each in runs.command() if each not in ("--endpoint-url", runs.cloud.url)]
    config = runs.cluster.aws_config
    runs.run.use(AWS_CONFIG_FILE=str(config))
    del runs.run.env["AWS_ENDPOINT_URL"]

    try:
        with lane_profiles(accounts, config):
            outcome = runs.run(*command, "--config", "lanes.toml")
    finally:
        config.unlink()  # the nodes are those of the other tests too

    created = created_in(accounts)
    assert (outcome.code, outcome.summary["exit_code"]) == (0, 0), outcome.err
    assert {Shard.of(each, 6).number for each in created["account-a"]} <= {0, 2, 4}
    assert {Shard.of(each, 6).number for each in created["account-b"]} <= {1, 3, 5}
    assert [created[lane].total() > 0 for lane in ("", *LANES)] == [False, True, True]
    assert sum(created.values(), Counter()).total() == 60
    assert runs.lines() == wanted


def test_ctrl_c_at_the_driver_seals_what_was_collected(on_ray):
    """Each shard ends as a run of its own does, and the same command goes on."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(240, seconds=10)

    with runs.run.start(*runs.command()) as process:
        runs.wait_for(process, tasks=60)
        process.send_signal(signal.SIGINT)
        summary, err = summary_of(process)
    sealed = runs.lines().total()
    runs.run.use(RAY_ADDRESS=runs.cluster.address)  # as Ray sets it for the jobs that it keeps
    with runs.run.start(*runs.command("--ray-address", "auto")) as process:
        rest, _ = summary_of(process)

    assert summary["exit_code"] == 130, err
    assert summary["counts"]["written"] == summary["counts"]["tasks"] == sealed < 240
    assert "notes" not in summary
    assert (rest["exit_code"], rest["counts"]["written"]) == (0, 240 - sealed)
    assert runs.lines() == wanted
    assert runs.started_twice() == 0


def test_a_node_that_stops_and_comes_back_writes_nothing_twice(on_ray):
    """The cluster has given it up meanwhile: its shards begin again elsewhere when it is back."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(240, seconds=30)

    with runs.run.start(*runs.command()) as process:
        held = runs.wait_for(process, tasks=30)
        stopped = runs.cluster.nodes[-1]
        stopped.signal(signal.SIGSTOP)
        time.sleep(GIVEN_UP_SECONDS)
        stopped.signal(signal.SIGCONT)
        summary, err = summary_of(process)

    assert held[-1] > 0
    assert not stopped.lives
    assert (process.returncode, summary["exit_code"]) == (0, 0), err
    assert runs.lines() == wanted
    assert runs.started_twice() == 0


def test_a_shard_of_a_budget_is_not_begun_again(on_ray):
    """What its node had spent nobody knows: work may be left, but no more is paid than allowed."""
    runs = on_ray(*SLOTS)
    runs.add(240, seconds=15)

    with runs.run.start(*runs.command("--limit", "120")) as process:
        runs.wait_for(process, tasks=20)
        runs.cluster.nodes[-1].kill()
        summary, _ = summary_of(process)

    assert (process.returncode, summary["exit_code"]) == (2, 2)
    assert "did not finish a shard" in summary["problem"]
    assert len(runs.cloud.counts()["created"]) <= 120
    assert runs.started_twice() == 0


def test_a_shard_that_dies_each_time_is_given_up_and_the_others_go_on(on_ray):
    """It is begun again while it gets on, and not for ever; the same command goes on with it."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(120, seconds=4)

    with runs.run.start(*runs.command("--log-format", "json")) as process:
        while process.poll() is None:
            for pid in runs.processes_of(2):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        summary, err = summary_of(process)
    left = wanted - runs.lines()
    again = runs.run(*runs.command())

    deaths = [json.loads(line) for line in err.splitlines() if "shard.died" in line]
    assert (process.returncode, summary["exit_code"]) == (2, 2)
    assert "It died 5 times in a row" in summary["problem"]
    assert any(note.startswith("Shard 2 ended with exit code 2") for note in summary["notes"])
    assert [each["in_a_row"] for each in deaths][-1] == 5
    assert {each["shard"] for each in deaths} == {2}
    assert 0 < left.total() == 120 - summary["counts"]["written"]
    assert again.code == 0, again.err
    assert runs.lines() == wanted
    assert runs.started_twice() == 0


def test_nodes_compute_what_the_command_would_by_itself(on_ray):
    """The exact plan, the quality of reviews and tasks of the other kind are the same."""
    runs = on_ray()
    runs.cloud.put("calls/broken.wav", "no sound")
    for number in range(20):
        made.wav(runs.cloud.folder / "calls" / f"{number}.wav", 20 + number)
    lines = [msgspec.json.encode(each) for each in THREE]
    more = [lines[0].replace(b"s3://", b"s3://%d-" % number) for number in range(1_200)]
    (runs.run.folder / "ground_truth.jsonl").write_bytes(b"\n".join([*lines, *more, b""]))
    _, *of_run = runs.command()
    ray, alone = ("--ray-address", runs.cluster.address), ("--engine", "local")
    both = (of_run, [*of_run, *alone])

    plans = [runs.run("plan", *each, "--exact", "--quiet") for each in both]
    qualities = [
        runs.run("quality", "--json", *each) for each in (("--engine", "ray", *ray), alone)
    ]

    runs.run(*runs.command())
    rebuild = ("tasks", "rebuild", *of_run[of_run.index("--output") :][:2], "--task", "segments")
    account = ("--endpoint-url", runs.cloud.url)
    for name, engine in (("there", ("--engine", "ray", *ray)), ("here", alone)):
        outcome = runs.run(*rebuild, "--to", f"{name}.jsonl", *account, *engine, "--json")
        assert (outcome.code, outcome.counts["written"]) == (0, 21), outcome.err
    there, here = (runs.run.folder / f"{name}.jsonl" for name in ("there", "here"))

    assert sorted(there.read_bytes().splitlines()) == sorted(here.read_bytes().splitlines())
    for one, other in (plans, qualities):
        assert (one.code, other.code) == (0, 0), one.err + other.err
        assert one.summary == other.summary
    assert (plans[0].summary["probed"], plans[0].summary["hours"]["value"]) == (21, 590 / 3600)
    assert qualities[0].summary["total"]["reviews"] > 1_000


def test_a_cluster_that_asks_for_a_token_takes_no_one_without_it(on_ray):
    """Who has none, or another one, is told in a sentence where it is set."""
    runs = on_ray()
    token = runs.run.env.pop("RAY_AUTH_TOKEN")
    without = runs.run(*runs.command())
    runs.run.use(RAY_AUTH_TOKEN=token[::-1])
    wrong = runs.run(*runs.command())

    for outcome in (without, wrong):
        assert outcome.code == 2
        assert "takes no work from here" in outcome.err
        assert "RAY_AUTH_TOKEN" in outcome.err
        assert "Traceback" not in outcome.err


def test_a_head_that_is_gone_ends_the_command_with_a_sentence(on_ray):
    """Nothing can be started again without it; whatever runs the shards next goes on."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(240, seconds=60)

    with runs.run.start(*runs.command()) as process:
        runs.wait_for(process, tasks=20)
        begun = time.monotonic()
        runs.cluster.nodes[0].kill()
        summary, err = summary_of(process)
        seconds = time.monotonic() - begun
    runs.cluster.kill()
    each = [runs.command("--engine", "local", "--shard", str(number)) for number in range(6)]
    ends = [runs.run(*command).summary["exit_code"] for command in each]

    assert (process.returncode, summary["exit_code"]) == (2, 2)
    assert seconds < 60, seconds
    assert "has not answered for" in summary["problem"]
    assert "The head of the Ray cluster at 127.0.0.2" in err
    assert ends == [0] * 6
    assert runs.lines() == wanted
    assert runs.started_twice() == 0


def test_a_head_that_is_gone_ends_a_rebuild_with_a_sentence(on_ray):
    """What a node was doing comes to nothing; the same command goes on with it."""
    runs = on_ray(*SLOTS)
    wanted = runs.add(60, seconds=1)
    runs.run(*runs.command())
    rebuild = ("tasks", "rebuild", "--output", "s3://audio/tasks/", "--task", "segments", "--json")
    account = ("--endpoint-url", runs.cloud.url)
    engine = ("--engine", "ray", "--ray-address", runs.cluster.address)

    with runs.run.start(*rebuild, *account, *engine) as process:
        runs.wait_until(process, runs.pieces)
        for pid in runs.pieces():
            os.kill(pid, signal.SIGSTOP)
        runs.cluster.nodes[0].kill()
        summary, err = summary_of(process)
    again = runs.run(*rebuild, *account)

    assert (process.returncode, summary["exit_code"]) == (2, 2), err
    assert "has not answered for" in summary["problem"]
    assert (again.code, again.counts["written"]) == (0, wanted.total())
