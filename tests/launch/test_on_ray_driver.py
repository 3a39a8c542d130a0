"""What the driver hands to each shard, what it refuses, and when a cluster takes nothing."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pipeline.config.loading import resolve
from pipeline.config.shards import Shard
from pipeline.errors import BadSettings, MissingExtra, ServiceUnreachable
from pipeline.extras import EXTRAS
from pipeline.launch.on_ray.cluster import RayCluster, ShardDied, connected
from pipeline.launch.on_ray.driver import Deaths, complete_on_ray, given_up, shards_of
from pipeline.launch.on_ray.merged import ShardEnd
from pipeline.launch.on_ray.shard_task import ShardRun, run_shard
from pipeline.launch.run import RunOptions
from pipeline.naming import S3Uri
from pipeline.terminal import Style

FLAGS = {"engine": "ray", "output": "s3://b/tasks/", "results": "s3://b/results/", "shards": 3}
SOURCE = S3Uri("b", "calls/")


def options(place=SOURCE, *, manifest=None, rebuild_output=False, **flags):
    config = resolve(FLAGS | flags, {})
    return RunOptions(config, place, Style.QUIET, manifest, rebuild_output=rebuild_output)


def test_each_shard_gets_the_command_that_runs_it_alone():
    """The same settings with its number; the time is kept by the driver, for all of them."""
    shards = shards_of(
        options(until="06:00", max_hours=2.0, include=["*.mp3"], limit=7, lanes=["a", "b"])
    )
    configs = [each.config for each in shards]

    assert [each.shard for each in configs] == [Shard(number, 3) for number in range(3)]
    assert [each.lane for each in configs] == ["a", "b", "a"]
    assert {each.cluster.engine for each in configs} == {"local"}
    assert {(each.budget.until, each.budget.max_hours) for each in configs} == {("", 0.0)}
    assert [each.most_starts for each in configs] == [3, 2, 2]
    assert {tuple(each.input.include) for each in configs} == {("*.mp3",)}
    assert msgspec.json.decode(msgspec.json.encode(shards[1]), type=ShardRun) == shards[1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"output": "tasks.jsonl", "shards": 1}, "With --engine ray name a place on S3"),
        ({"shard": 1}, "Leave --shard out"),
        ({"lanes": ["a", "b", "c", "d"]}, "lanes names 4 profiles"),
        ({"state": "mine"}, "are of one run on one machine"),
        ({"metrics_port": 9000}, "are of one run on one machine"),
        ({"place": Path("/recordings")}, "can't be written to S3"),
        ({"manifest": Path("list.csv")}, "Copy it to S3"),
        ({"results": ""}, "Name one with --results"),
        ({"rebuild_output": True}, "is never rewritten"),
    ],
)
def test_what_nodes_can_not_do_is_refused_before_a_cluster_is_asked(wrong, sentence):
    """A sentence says what to name instead."""
    with pytest.raises(BadSettings, match=sentence):
        shards_of(options(**wrong))


def test_an_array_that_the_driver_is_part_of_numbers_no_shard():
    """A driver that SLURM or Kubernetes starts still runs all of them."""
    config = resolve(FLAGS, {"SLURM_ARRAY_TASK_ID": "2", "JOB_COMPLETION_INDEX": "1"})

    assert (config.cluster.shard, config.cluster.shards) == (-1, 3)


@pytest.mark.parametrize("shards", [0, 1])
def test_a_cluster_may_run_the_whole_source_as_one_shard(shards):
    """It still begins on another node when its own has died."""
    [only] = shards_of(options(shards=shards))

    assert only.config.shard == Shard(0, 1)


def test_without_the_extra_nothing_is_tried(monkeypatch):
    """One sentence has the line that installs it."""
    monkeypatch.setitem(EXTRAS, "ray", ("no_such_module",))

    with pytest.raises(MissingExtra, match="'ray'"):
        complete_on_ray(options())


@pytest.mark.parametrize(
    "address",
    ["here", "ray://10.0.0.1:10001", ":6379", "head:port", "h:99999", "a..b:1", "h:" + "9" * 5000],
)
def test_what_is_no_address_of_a_head_is_refused(address):
    """Ray itself would look for it for two minutes, or want another protocol's packages."""
    with pytest.raises(BadSettings, match="is not HOST:PORT"), connected(address):
        pass


def test_a_head_that_does_not_answer_is_one_sentence(monkeypatch):
    """Whether it is named by the flag or by what Ray itself sets for its jobs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", address)

    for named in (address, "auto"):
        with (
            pytest.raises(ServiceUnreachable, match="No head of a Ray cluster answers") as refused,
            connected(named),
        ):
            pass
        assert "ray start --head" in refused.value.advice


async def test_a_head_that_comes_back_in_time_is_not_gone(monkeypatch):
    """It counts as gone once it has not answered for some time, and not by one look."""
    monkeypatch.setattr("pipeline.launch.on_ray.cluster._LOOK_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as head:
        port = head.getsockname()[1]
        watching = asyncio.create_task(RayCluster(f"127.0.0.1:{port}").watch_head(0.1))
        await asyncio.sleep(0.2)
        assert not watching.done()
    await asyncio.sleep(0.03)
    with socket.create_server(("127.0.0.1", port)):
        await asyncio.sleep(0.2)
        assert not watching.done()

    with pytest.raises(ServiceUnreachable, match="has not answered for"):
        await asyncio.wait_for(watching, 2)


def test_deaths_in_a_row_are_those_without_a_part_in_between():
    """A part more shows that a shard gets on, and parts that can't be seen do not."""
    deaths = [Deaths()]
    for parts in (0, 0, 3, 3, 0, 4):
        deaths.append(deaths[-1].one_more(parts))

    assert [each.in_a_row for each in deaths] == [0, 1, 2, 1, 2, 3, 1]
    died = ShardDied("A node did not finish a shard: it crashed", "Look at it.")
    assert str(given_up(died, Deaths(1, 0))) == str(died)
    assert "it crashed. It died 5 times in a row" in str(given_up(died, Deaths(5, 2)))


def test_a_node_of_another_version_runs_nothing():
    """Settings that it might read otherwise are not even decoded."""
    end = msgspec.json.decode(run_shard(b'{"version": "0.0.1", "config": 3}'), type=ShardEnd)

    assert end.exit_code == 2
    assert "and the command was given to 0.0.1" in end.problem
    assert "on every node" in end.advice


def test_a_shard_that_can_not_run_says_so_and_leaves_no_file(monkeypatch, tmp_path):
    """Its folder on the node is private, and goes with it."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    shard = shards_of(options(profile="nobody's"))[0]
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")

    end = msgspec.json.decode(run_shard(msgspec.json.encode(shard)), type=ShardEnd)

    assert (end.exit_code, end.summary) == (2, None)
    assert "nobody's" in end.problem
    assert [*here.iterdir(), *temporary.iterdir()] == []


def test_the_command_is_refused_as_any_other(run):
    """Before Ray is looked for: exit code 2, and a sentence."""
    outcome = run("run", "s3://b/calls/", "--engine", "ray")

    assert outcome.code == 2
    assert "With --engine ray name a place on S3" in outcome.err


def test_a_run_without_the_flag_loads_nothing_of_it():
    """Ray is for those who ask for it."""
    program = "import sys, pipeline.cli.run, pipeline.launch.run; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert not [
        each for each in loaded.stdout.decode().split() if each == "ray" or "on_ray" in each
    ]
