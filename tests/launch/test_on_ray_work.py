"""The pieces of work that a node of a Ray cluster does, and what they are merged into."""

from __future__ import annotations

import asyncio
import pickle
from concurrent.futures import ProcessPoolExecutor
from functools import partial, reduce
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pipeline import __version__
from pipeline.config.loading import resolve
from pipeline.errors import CannotRun
from pipeline.launch.on_ray.collectors import with_nodes
from pipeline.launch.on_ray.driver import shards_of
from pipeline.launch.on_ray.pieces import do_piece, spread
from pipeline.launch.on_ray.work import survey_shard
from pipeline.launch.rebuild import settings_of_rebuild, source_of_rebuild, written_by_run
from pipeline.launch.run import RunOptions, complete
from pipeline.monitoring.summary import Counts, Failures
from pipeline.naming import S3Uri
from pipeline.plan.planning import Surveyed
from pipeline.plan.survey import BILLED, SECONDS
from pipeline.quality.metrics import sums_of
from pipeline.state.reader import read_state
from pipeline.terminal import Style
from tests.conftest import endpoint
from tests.support import made_media as made
from tests.support.reviews import THREE, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Here:
    """Does every piece in this process; as a cluster does, by bytes alone."""

    async def do(self, piece: tuple[str, bytes]) -> bytes:
        """What one answers, from a process of its own, as it begins a run."""
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return await loop.run_in_executor(pool, do_piece, *piece)

    def each(self, pieces: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
        """What each one answers."""
        return (do_piece(*each) for each in pieces)


HERE = Here()
PLACES = {"output": "s3://audio/tasks/", "results": "s3://audio/results/"}


def surveyed(shards):
    """What so many shards of the source hold together."""
    config = resolve({"engine": "ray", "shards": shards} | PLACES, {})
    options = RunOptions(config, S3Uri("audio", "calls/"), Style.QUIET)
    return reduce(Surveyed.merge, spread(HERE, survey_shard, shards_of(options)))


def test_a_plan_by_shards_is_that_of_the_whole_source(run, cloud, monkeypatch):
    """Each object is in one shard, also what is skipped, refused or done before."""
    service = cloud()
    for number in range(2):
        service.put(f"calls/{number}.mp3", f"number {number}")
    run("run", "s3://audio/calls/", *(f"--{name}={place}" for name, place in PLACES.items()))
    for number in range(12):
        made.wav(service.folder / "calls" / f"{number}.wav", 20 + number)
    service.put("calls/broken.wav", "no sound")
    service.put("calls/notes.txt", "no audio")
    for name, value in endpoint(service.url).items():
        monkeypatch.setenv(name, value)

    whole, calls = surveyed(1)
    found, of_shards = surveyed(3)

    assert (found.listed, found.recordings, found.bytes) == (whole.listed, 15, whole.bytes)
    assert found.bytes_to_start == whole.bytes_to_start
    assert found.standings == whole.standings
    assert found.skipped.by_reason == whole.skipped.by_reason == {"not audio": 1}
    assert found.skipped.not_audio == whole.skipped.not_audio == {".txt": 1}
    assert found.longest_job == whole.longest_job > 0
    assert found.sample.probed == whole.sample.probed == 13
    assert found.sample.facts() == whole.sample.facts()
    for fact in (SECONDS, BILLED):
        assert found.sample.total(fact) == whole.sample.total(fact)
    assert found.sample.total(SECONDS).value == sum(range(20, 32))
    assert of_shards["ListObjectsV2"] == calls["ListObjectsV2"]


def test_reviews_by_pieces_are_measured_as_all_at_once():
    """What a node sends back is the whole of what its reviews add up to."""
    pieces = [[each] for each in THREE]

    parts = list(spread(HERE, partial(sums_of, depth=2, doubtful={"ben"}), pieces))
    for each in parts[1:]:
        parts[0].merge(each)

    assert msgspec.json.encode(parts[0].quality()) == msgspec.json.encode(
        measure(THREE, 2, {"ben"})
    )


def test_tasks_made_elsewhere_are_those_of_the_command(run, cloud, monkeypatch):
    """With a fallback language, a silence, a failure; what is there already is not made again."""
    service = cloud()
    run.use(TRANSCRIBE_PIPELINE_FALLBACK_LANGUAGE="en-GB")
    service.add(quiet="", gone="lost later", **{f"n{n}": f"number {n} words" for n in range(5)})
    run("run", "s3://audio/", "--language", "auto", "--results", "s3://audio/t/")
    [lost] = [each for each in run.tasks() if "gone.mp3" in each["data"]["audio"]]
    (service.folder / "t" / f"{lost['data']['job_id']}.json").unlink()
    alone = run("tasks", "rebuild", "--task", "segments", "--to", "alone.jsonl", "--json")
    monkeypatch.chdir(run.folder)
    for name, value in run.env.items():
        monkeypatch.setenv(name, value)

    def rebuilt() -> Any:
        config = resolve({"kind": "segments"}, {})
        with read_state(Path("tasks.jsonl.state")) as read:
            settings = settings_of_rebuild(config, "made.jsonl", written_by_run(read))
            place = source_of_rebuild(settings, read)
            options = RunOptions(settings, place, Style.QUIET, earlier=read)
            return complete(with_nodes(HERE, options))

    first, again = rebuilt(), rebuilt()

    lines = [Path(f"{name}.jsonl").read_bytes().splitlines() for name in ("alone", "made")]
    assert sorted(lines[0]) == sorted(lines[1])
    assert (first.exit_code, first.counts.written, first.counts.silent) == (1, 6, 1)
    assert first.counts == msgspec.convert(alone.summary["counts"], Counts)
    assert first.failures == msgspec.convert(alone.summary["failures"], Failures)
    assert again.counts.written == 0
    assert first.balance.adds_up


def refused(_):
    raise CannotRun("The bucket is gone", "Make it again.")


def test_a_piece_that_can_not_be_done_ends_the_command_with_its_sentence():
    """The node's own, as if the command had done it itself."""
    with pytest.raises(CannotRun, match=r"The bucket is gone\. Make it again\."):
        list(spread(HERE, refused, [1]))


def test_a_node_of_another_version_does_no_piece():
    """What it was sent is not even unpacked."""
    _, (problem, advice) = pickle.loads(do_piece("0.0.1", b"no pickle"))

    assert f"has transcribe-pipeline {__version__}, and the command was given to 0.0.1" in problem
    assert "on every node" in advice


@pytest.mark.parametrize("more", [(), ("--sample", "9")])
def test_a_sample_is_for_one_machine(run, more):
    """A sentence says what to add; settings that name a cluster for runs hinder no plan."""
    outcome = run("plan", "s3://b/calls/", "--engine", "ray", *more)
    run.use(TRANSCRIBE_PIPELINE_ENGINE="ray", TRANSCRIBE_PIPELINE_OUTPUT="s3://b/tasks/")
    of_settings = run("plan", "s3://b/calls/", *more)

    assert outcome.code == 2
    assert "Add --exact" in outcome.err
    assert "--exact" not in of_settings.err
    assert "No AWS region is set" in of_settings.err
