"""An output on S3: a run outlives its machine, and no recording has two lines."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from tests.s3_output.conftest import FLAGS
from tests.support.between import Answer, between


def test_a_second_machine_knows_what_the_first_has_written(on_s3):
    """With nothing but the bucket it lists, finds every task in a part, and starts nothing."""
    runs = on_s3()
    said = runs.add(30)
    first = runs()
    parts = runs.parts()
    runs.lose_the_disk()

    second = runs()

    assert first["counts"]["written"] == 30
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.parts() == parts
    assert (second["counts"]["written"], second["counts"]["started"]) == (0, 0)
    assert second["balance"] == first["balance"] | {"written": 30}
    assert runs.cloud.counts()["calls"]["StartTranscriptionJob"] == 30


def test_without_the_copy_of_the_state_the_parts_alone_say_what_is_written(on_s3):
    """The copy may be lost, or be rubbish: nothing is written or started again."""
    runs = on_s3()
    said = runs.add(12)
    runs()
    copy = runs.cloud.folder / "tasks" / "state" / "s0000-of-0001.sqlite.gz"
    for content in (None, b"no gzip at all", copy.read_bytes()[:2000]):
        runs.lose_the_disk()
        copy.unlink() if content is None else copy.write_bytes(content)

        again = runs()

        assert again["counts"]["started"] == 0
        assert again["balance"]["written"] == 12
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kills", [4, pytest.param(8, marks=pytest.mark.long)])
def test_killed_on_one_machine_after_the_other(on_s3, kills):
    """So many SIGKILLs, each with a fresh disk after it: nothing lost, doubled or started twice."""
    runs = on_s3("--slots", "30", "--seconds", "0.3")
    said = runs.add(150)
    moments = random.Random(5)

    for _ in range(kills):
        with runs.run.start(*runs.command("--config", settings(runs, 0.5))) as process:
            time.sleep(moments.uniform(0.5, 1.6))
            process.kill()
        runs.lose_the_disk()
    summary = runs("--config", settings(runs, 0.5))

    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert summary["balance"]["written"] == 150
    assert runs.jobs_started_twice() == 0
    assert len(runs.parts()) > 1  # or nobody had anything to take up


def settings(runs, seconds: float) -> str:
    """A settings file by which a part is sealed after so many seconds."""
    path = runs.run.folder.parent / "settings.toml"
    path.write_text(f"[cluster]\nseal_seconds = {seconds}\n")
    return str(path)


@pytest.mark.timeout(120)
def test_two_live_runs_of_one_shard_share_the_work(on_s3, tmp_path):
    """With lost answers to writes among their faults, each recording is in one part once."""
    runs = on_s3("--slots", "20", "--seconds", "0.4")
    said = runs.add(120)
    lost = random.Random(7)

    def loses_answers(asked):
        answer = asked.forward()
        writes = asked.method == "PUT" and "/tasks/parts/" in asked.path
        return Answer(200, None, {}) if writes and lost.random() < 0.3 else answer

    with between(runs.cloud, loses_answers) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        other = tmp_path / "other"
        other.mkdir()
        flags = ("--config", settings(runs, 0.3), "--json", "--log-format", "json")
        command = [word for word in runs.command(*flags) if word != "--quiet"]
        with runs.run.start(*command) as first:
            runs.run.folder = other
            second = runs.run(*command)
            out, err = first.communicate(timeout=60)

    assert (first.returncode, second.code) == (0, 0), out + second.err
    assert "part.taken_up" in err  # one was overtaken by the other, or by its own lost answer
    assert "part.taken_up" in second.err
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.jobs_started_twice() == 0
    assert second.summary["balance"]["tasks"] == second.summary["balance"]["contents"] == 120


def test_an_interrupted_run_seals_every_line_that_was_collected(on_s3):
    """Ctrl-C: what another machine finds is all that was transcribed until then."""
    runs = on_s3("--slots", "5", "--seconds", "0.2")
    runs.add(60)

    with runs.run.start(*runs.command("--json")) as process:
        collected = runs.run.folder / "tasks.s0000-of-0001.jsonl"
        runs.wait_for(lambda: collected.exists() and collected.read_bytes().count(b"\n") > 5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert runs.lines().total() > 5
    assert f'"written":{runs.lines().total()},' in out


def test_shards_take_each_its_part_of_the_source(on_s3):
    """The counts of all shards add up to the source, and no recording is in two."""
    runs = on_s3()
    said = runs.add(40)
    runs.cloud.put("calls/readme.txt", "no audio")

    summaries = [runs("--shards", "3", "--shard", str(n)) for n in range(3)]

    assert sum(each["balance"]["listed"] for each in summaries) == 41
    assert sum(each["balance"]["skipped"] for each in summaries) == 1
    assert sum(each["counts"]["written"] for each in summaries) == 40
    assert all(each["counts"]["written"] for each in summaries)
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


def test_another_number_of_shards_goes_on_from_all_parts(on_s3):
    """Three shards, then two on fresh disks: what is written stays, what is new is added once."""
    runs = on_s3()
    said = runs.add(30)
    for n in range(3):
        runs("--shards", "3", "--shard", str(n))
    runs.lose_the_disk()
    said |= runs.add(10, begin=30)

    summaries = [runs("--shards", "2", "--shard", str(n)) for n in range(2)]

    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert sum(each["counts"]["written"] for each in summaries) == 10
    assert sum(each["balance"]["written"] for each in summaries) == 40
    assert runs.jobs_started_twice() == 0


def test_a_limit_is_shared_by_the_shards(on_s3):
    """--limit means all shards together: each may take its part, and ends with 3."""
    runs = on_s3()
    runs.add(40)

    summaries = [runs("--shards", "3", "--shard", str(n), "--limit", "4") for n in range(3)]

    assert [each["exit_code"] for each in summaries] == [3, 3, 3]
    assert [each["counts"]["written"] for each in summaries] == [2, 1, 1]


@pytest.mark.parametrize("harm", ["taken away", "edited", "a hole"])
def test_a_part_that_somebody_touched_stops_the_next_run(on_s3, harm):
    """It names the part and what to do, before anything is started or written."""
    runs = on_s3()
    runs.add(5)
    runs()
    runs.add(5, begin=5)
    runs()
    parts = runs.cloud.folder / "tasks" / "parts" / "s0000-of-0001"
    touched = parts / ("00000000.jsonl" if harm == "a hole" else "00000001.jsonl")
    if harm == "edited":
        touched.write_text("{}\n")
    else:
        touched.unlink()
    if harm == "a hole":
        runs.lose_the_disk()
        (runs.cloud.folder / "tasks" / "state" / "s0000-of-0001.sqlite.gz").unlink()
    runs.add(1, begin=10)

    outcome = runs.run(*runs.command())

    assert outcome.code == 2
    assert f"s3://audio/tasks/parts/s0000-of-0001/{touched.name} is" in outcome.err
    assert runs.cloud.counts()["calls"]["StartTranscriptionJob"] == 10


OF_ANOTHER = {
    "is of SOURCE s3://audio/calls/, not s3://audio/other/": ("s3://audio/other/", *FLAGS),
    "is of --task transcript, not segments": ("s3://audio/calls/", *FLAGS, "--task", "segments"),
    "is of --results s3://audio/results/, not s3://audio/r2/": (
        *("s3://audio/calls/", *FLAGS[2:]), *("--results", "s3://audio/r2/"),
    ),
}  # fmt: skip


def test_an_output_is_of_one_source_kind_and_place_of_results(on_s3):
    """Who asks for another is refused, also on a machine that has never seen the output."""
    runs = on_s3()
    runs.add(2)
    runs()

    for said, arguments in OF_ANOTHER.items():
        runs.lose_the_disk()
        outcome = runs.run("run", *arguments)

        assert outcome.code == 2
        assert said in outcome.err
        assert runs.lines().total() == 2


@pytest.mark.parametrize("heeds", ["ignores it", "answers 501"])
def test_a_bucket_without_conditional_writes_is_refused(on_s3, heeds):
    """A store that ignores If-None-Match, or does not know it, would lose tasks: it is tried."""
    runs = on_s3()
    runs.add(2)

    def ignores(asked):
        condition = asked.headers.pop("If-None-Match", "")
        if condition and heeds == "answers 501":
            body = b"<Error><Code>NotImplemented</Code><Message>Not here</Message></Error>"
            return Answer(501, body, {})
        return asked.forward()

    with between(runs.cloud, ignores) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        outcome = runs.run(*runs.command())

    assert outcome.code == 2
    assert "s3://audio ignores If-None-Match" in outcome.err
    assert "StartTranscriptionJob" not in runs.cloud.counts()["calls"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("recordings/", *FLAGS[2:]), "no other machine has the folder"),
        (("s3://audio/", "--output", "s3://audio/tasks/"), "--results s3://bucket/prefix/"),
        (("s3://audio/", *FLAGS, "--rebuild-output"), "is never rewritten"),
        (("s3://audio/", *FLAGS, "--shards", "4"), "--shard, 0 to 3"),
        (("s3://audio/", *FLAGS, "--shards", "4", "--shard", "4"), "the last one is 3"),
        (("s3://audio/", "--shards", "4", "--shard", "1"), "through S3 alone"),
    ],
)
def test_what_parts_are_not_for_is_refused_before_anything_is_asked(run, arguments, said):
    """A folder, no place for results, a rebuilt output, a shard that is none: each is told."""
    (run.folder / "recordings").mkdir()

    outcome = run("run", *arguments)

    assert outcome.code == 2
    assert said in outcome.err
    assert list(run.folder.iterdir()) == [run.folder / "recordings"]
