"""The commands beside a run, for an output on S3: on any machine, with nothing but the bucket."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest

from tests.s3_output.conftest import FLAGS
from tests.support.between import between

pytestmark = pytest.mark.usefixtures("in_this_process")

OUTPUT = FLAGS[2:]


def test_status_names_the_shards_that_are_to_be_run_again(on_s3):
    """Of four shards two are complete, one was stopped, one never ran: both are named."""
    runs = on_s3()
    runs.add(40)
    for flags in (("0",), ("1", "--limit", "4"), ("3",)):
        runs("--shards", "4", "--shard", *flags)
    runs.lose_the_disk()

    outcome = runs.run("status", *OUTPUT)
    found = json.loads(runs.run("status", *OUTPUT, "--json").out)

    assert outcome.code == 0, outcome.err
    assert "s3://audio/tasks/, 4 shards" in outcome.out
    assert "Not done:  1 (exit code 3, limit 1), 2 (no run of it has ended)" in outcome.out
    assert "run the same command again with --shards 4 and --shard 1, --shard 2" in outcome.out
    assert found["incomplete"] == [1, 2]
    assert found["tasks"] == runs.lines().total()
    assert found["source"] == "s3://audio/calls/"


def test_status_shows_a_run_that_goes_on_and_one_that_died(on_s3):
    """A run is heard of every half minute; one that was killed is to be run again after a while."""
    runs = on_s3("--seconds", "60")
    runs.add(3)
    beat = runs.cloud.folder / "tasks" / "beats" / "s0000-of-0001.json"

    with runs.run.start(*runs.command()) as process:
        runs.wait_for(beat.exists)
        running = json.loads(runs.run("status", *OUTPUT, "--json").out)
        process.kill()
    os.utime(beat, (0, 0))
    dead = json.loads(runs.run("status", *OUTPUT, "--json").out)

    assert running["incomplete"] == []
    assert running["shards"][0]["seen_seconds"] < 60
    assert dead["incomplete"] == [0]


def test_tasks_are_exported_and_each_later_part_is_added(on_s3):
    """The local copy grows by what is new; what a command remembers of it stays right."""
    runs = on_s3()
    said = runs.add(5)
    runs()
    said_next = runs.run(*[word for word in runs.command() if word != "--quiet"]).err
    first = runs.run("export", *OUTPUT, "--format", "jsonl-parts")
    said |= runs.add(3, begin=5)
    runs()

    second = runs.run("export", *OUTPUT, "--format", "jsonl-parts")

    assert "export --output s3://audio/tasks/ makes the file" in said_next
    assert (first.code, second.code) == (0, 0), first.err + second.err
    exported = [runs.run.tasks(name) for name in (first.out.strip(), second.out.strip())]
    assert [len(each) for each in exported] == [5, 3]
    audio = [task["data"]["audio"] for each in exported for task in each]
    assert Counter(audio) == Counter(dict.fromkeys(said, 1))


def test_a_part_that_somebody_touched_is_not_pushed_or_exported(on_s3):
    """The copy was made of it: what is there now is another's word against it."""
    runs = on_s3()
    runs.add(2)
    runs()
    assert runs.run("export", *OUTPUT).code == 0
    part = runs.cloud.folder / "tasks" / "parts" / "s0000-of-0001" / "00000000.jsonl"
    part.write_text("{}\n")

    outcome = runs.run("export", *OUTPUT)

    assert outcome.code == 2
    assert "is not what was written there" in outcome.err


def test_what_failed_is_put_back_for_every_shard(on_s3):
    """`retry` changes the copies of the states; the next run of each shard takes it up."""
    runs = on_s3()
    runs.add(8)
    for n in range(6):
        runs.cloud.put(f"calls/bad{n}.mp3", "!Unsupported media format")
    shards = [("--shards", "2", "--shard", str(n)) for n in range(2)]
    failed = sum(runs(*each)["counts"]["failed"] for each in shards)
    runs.lose_the_disk()

    outcome = runs.run("retry", *OUTPUT)
    for n in range(6):
        runs.cloud.put(f"calls/bad{n}.mp3", "!Unsupported media format")
    again = [runs(*each) for each in shards]

    assert failed == 6
    assert "6 put back (6 with a new job, 0 with the one they have)" in outcome.err
    assert sum(each["counts"]["started"] for each in again) == 6
    assert (
        "Nothing failed for the reason 'rain'" in runs.run("retry", *OUTPUT, "--reason", "rain").err
    )


def test_a_report_is_made_of_one_shard(on_s3):
    """From the copy of its state, on a machine that ran nothing."""
    runs = on_s3()
    runs.add(6)
    for n in range(2):
        runs("--shards", "2", "--shard", str(n))
    runs.lose_the_disk()

    outcome = runs.run("report", *OUTPUT, "--shards", "2", "--shard", "1")

    assert outcome.code == 0, outcome.err
    assert outcome.out.strip() == "tasks.s0001-of-0002.report.html"
    assert "s3://audio/tasks/" in (runs.run.folder / outcome.out.strip()).read_text()


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("export",),
        ("retry",),
        ("report",),
        ("clean", "--older-than", "1d"),
        ("tasks", "rebuild"),
    ],
)
def test_an_output_that_nobody_wrote_is_told(on_s3, command):
    """A slip in the address ends in a sentence, not in an empty answer."""
    runs = on_s3()

    outcome = runs.run(*command, "--output", "s3://audio/other/")

    assert outcome.code == 2
    assert "s3://audio/other/" in outcome.err
    assert "--output" in outcome.err


@pytest.mark.parametrize("heeds", [True, False])
def test_check_tries_whether_the_bucket_keeps_what_is_there(on_s3, heeds):
    """A second writer is refused by S3, and not by every store that speaks its language."""
    runs = on_s3()
    runs.add(1)

    def reply(asked):
        if not heeds:
            asked.headers.pop("If-None-Match", "")
        return asked.forward()

    with between(runs.cloud, reply) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        to = ("--transcripts", "s3://audio/texts")
        outcome = runs.run("check", "s3://audio/calls/", *FLAGS, *to, "--json")

    lines = {each["check"]: each for each in outcome.summary["lines"]}
    for name, folder in (("output write", "tasks"), ("transcripts write", "texts")):
        line = lines[name]
        assert line["verdict"] == ("ok" if heeds else "problem")
        assert ("ignores If-None-Match" in line["message"]) != heeds
        assert not (runs.cloud.folder / folder / ".transcribe-pipeline-check").exists()
