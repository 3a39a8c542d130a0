"""What befalls machines and files of an output on S3: each goes on, or says what helps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from tests.conftest import SMALL_DISK
from tests.s3_output.conftest import FLAGS
from tests.support.between import between, refusal

OUTPUT = FLAGS[2:]
STATE = "tasks.s0000-of-0001.jsonl.state"
STOOD_STILL_SECONDS = 130
"""Longer than a machine that is not heard of counts as at work."""


def test_a_run_of_another_number_of_shards_waits_for_those_that_go_on(on_s3):
    """They read no part of each other: who begins beside one is refused, and starts nothing."""
    runs = on_s3("--seconds", "60")
    runs.add(3)
    beat = runs.cloud.folder / "tasks" / "beats" / "s0000-of-0001.json"

    with runs.run.start(*runs.command()) as process:
        runs.wait_for(beat.exists)
        outcome = runs.run(*runs.command("--shards", "2", "--shard", "0"))
        retried = runs.run("retry", *OUTPUT)
        process.kill()
    os.utime(beat, (0, 0))
    with runs.run.start(*runs.command("--shards", "2", "--shard", "0")) as process:
        runs.wait_for(beat.with_name("s0000-of-0002.json").exists)
        process.kill()

    assert outcome.code == 2
    assert "The shard s0000-of-0001 of s3://audio/tasks/ was heard of" in outcome.err
    assert "counts for two minutes" in outcome.err
    assert retried.code == 2
    assert "Runs of s3://audio/tasks/ go on: shard 0" in retried.err


def test_a_run_is_heard_of_while_it_brings_a_large_state(on_s3):
    """Until the copy is here others must not take the run for one that is dead."""
    runs = on_s3()
    runs.add(1)
    runs()
    runs.lose_the_disk()
    beats = []

    def slow(asked):
        if asked.method == "PUT" and "/tasks/beats/" in asked.path:
            beats.append(time.monotonic())
        if asked.method == "GET" and "/tasks/state/" in asked.path:
            time.sleep(0.7)
            beats.append(0.0)  # it is here
        return asked.forward()

    (runs.run.folder / "often.toml").write_text("[cluster]\nbeat_seconds = 0.2\n")
    with between(runs.cloud, slow) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        runs("--config", "often.toml")

    assert beats.index(0.0) >= 3


def test_a_run_is_heard_of_while_it_lists_results(on_s3):
    """A million take minutes: whoever cuts the source otherwise, or retries, is refused then."""
    runs = on_s3()
    said = runs.add(3)
    beat = runs.cloud.folder / "tasks" / "beats" / "s0000-of-0001.json"
    listing, go_on = Event(), Event()

    def held(asked):
        if "list-type" in asked.path and "prefix=results" in asked.path:
            listing.set()
            go_on.wait(20)
        return asked.forward()

    (runs.run.folder / "often.toml").write_text("[cluster]\nbeat_seconds = 0.2\n")
    with between(runs.cloud, held) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        with runs.run.start(*runs.command("--config", "often.toml")) as process:
            listing.wait(20)
            os.utime(beat, (0, 0))
            try:
                runs.wait_for(lambda: beat.stat().st_mtime > 0, 5)
                beside = runs.run(*runs.command("--shards", "2", "--shard", "0"))
                retried = runs.run("retry", *OUTPUT)
            finally:
                go_on.set()
            process.communicate(timeout=30)

    assert process.returncode == 0
    assert (beside.code, retried.code) == (2, 2)
    assert "The shard s0000-of-0001 of s3://audio/tasks/ was heard of" in beside.err
    assert "Runs of s3://audio/tasks/ go on: shard 0" in retried.err
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


@pytest.mark.parametrize("clock", [-3_600, 3_600], ids=["slow", "fast"])
def test_clocks_that_differ_change_nothing(on_s3, clock):
    """How old a beat is tells S3, also of a machine whose clock is an hour off."""
    runs = on_s3()
    runs.add(1)
    runs("--shards", "2", "--shard", "0")
    tasks = runs.cloud.folder / "tasks"
    beat, summary = (tasks / name / "s0000-of-0002.json" for name in ("beats", "summaries"))
    at = datetime.now(UTC) + timedelta(seconds=clock)
    beat.write_text(json.dumps(json.loads(beat.read_text()) | {"at": at.isoformat()}))
    os.utime(summary, (time.time() - 60,) * 2)

    beside = runs.run(*runs.command())
    os.utime(beat, (time.time() - 55,) * 2)
    os.utime(summary, (time.time() - 50,) * 2)
    ended = runs()

    assert beside.code == 2
    assert "The shard s0000-of-0002 of s3://audio/tasks/ was heard of" in beside.err
    assert ended["exit_code"] == 0


def test_a_state_file_belongs_to_one_shard_of_one_output(on_s3):
    """Named for another one it would have jobs of recordings that are not this shard's."""
    runs = on_s3()
    runs.add(6)
    runs("--state", "mine", "--shards", "2", "--shard", "0")

    outcome = runs.run(*runs.command("--state", "mine", "--shards", "2", "--shard", "1"))
    local = runs.run("run", "s3://audio/calls/", *FLAGS[:2])
    other = runs.run(*runs.command("--state", "tasks.jsonl.state"))

    assert outcome.code == 2
    assert "belongs to s3://audio/tasks/ s0000-of-0002, not to s3://audio/tasks/" in outcome.err
    assert local.code == 0
    assert (other.code, "belongs to tasks.jsonl" in other.err) == (2, True)


def test_two_outputs_of_one_name_are_told_apart(on_s3):
    """Their files here have one name: the second is refused instead of taken for the first."""
    runs = on_s3()
    runs.add(2)
    runs()

    outcome = runs.run(
        "run", "s3://audio/calls/", *FLAGS[:2], "--output", "s3://audio/other/tasks/"
    )

    assert outcome.code == 2
    assert "belongs to s3://audio/tasks/ s0000-of-0001, not to s3://audio/other/tasks/" in (
        outcome.err
    )
    assert "run the command in another folder" in outcome.err


def test_a_run_that_died_before_it_had_a_state_is_begun_again(on_s3):
    """An empty file is what is left of one that was killed while it brought the copy here."""
    runs = on_s3()
    said = runs.add(4)
    runs()
    runs.lose_the_disk()
    (runs.run.folder / STATE).touch()

    summary = runs()

    assert summary["counts"]["started"] == 0
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


def test_a_machine_that_comes_back_takes_up_what_another_has_finished(on_s3, tmp_path):
    """What it had half written of a task is in no part, and is cut away."""
    runs = on_s3()
    said = runs.add(4)
    runs()
    kept = tmp_path / "kept"
    shutil.copytree(runs.run.folder, kept)
    runs.lose_the_disk()
    said |= runs.add(4, begin=4)
    runs()
    runs.lose_the_disk()
    shutil.copytree(kept, runs.run.folder, dirs_exist_ok=True)
    with (runs.run.folder / "tasks.s0000-of-0001.jsonl").open("ab") as file:
        file.write(b'{"data": {"audio": "s3')

    summary = runs()

    assert summary["counts"]["started"] == 0
    assert summary["balance"]["tasks"] == 8
    assert runs.lines() == Counter(dict.fromkeys(said, 1))


def test_a_state_that_is_made_anew_is_not_made_of_the_copy(on_s3):
    """The copy may be what is damaged: the parts alone say what is written."""
    runs = on_s3()
    said = runs.add(4)
    runs()
    (runs.run.folder / STATE).write_bytes(b"SQLite format 3\0" + bytes(5000))

    refused = runs.run(*runs.command())
    summary = runs("--rebuild-state")

    assert (refused.code, "--rebuild-state" in refused.err) == (2, True)
    assert summary["counts"]["started"] == 0
    assert summary["balance"]["written"] == 4
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert (runs.run.folder / f"{STATE}.damaged").exists()


def test_a_right_to_write_that_is_taken_away_stops_the_run_and_loses_nothing(on_s3):
    """It ends with S3's own words; once the right is back, what waits here is sealed."""
    runs = on_s3()
    said = runs.add(6)
    denied = [True]

    def reply(asked):
        if denied and asked.method == "PUT" and "/tasks/parts/" in asked.path:
            return refusal(asked, "AccessDenied", "No rights today", 403)
        return asked.forward()

    with between(runs.cloud, reply) as url:
        runs.run.use(AWS_ENDPOINT_URL=url)
        outcome = runs.run(*runs.command())
        sealed = runs.parts()
        denied.clear()
        summary = runs()

    assert outcome.code == 2
    assert "s3:PutObject on s3://audio is not allowed" in outcome.err
    assert "No rights today" in outcome.err
    assert sealed == {}
    assert summary["counts"]["started"] == 0
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.jobs_started_twice() == 0


NO_BEATS = (b"", b"no json", b"[]", b'{"at": "2026-01-01T00:00:00", "tasks": 1}', b"[" * 100_000)


@pytest.mark.parametrize("command", ["run", "status"])
def test_what_is_no_word_of_a_run_is_not_taken_for_silence(on_s3, command):
    """A beat that can't be read may be of a run that goes on: its place is named."""
    runs = on_s3()
    runs.add(1)
    runs()
    beat = runs.cloud.folder / "tasks" / "beats" / "s0000-of-0002.json"

    for content in NO_BEATS:
        beat.write_bytes(content)
        outcome = runs.run(*(runs.command() if command == "run" else ("status", *OUTPUT)))

        assert outcome.code == 2, content[:50]
        assert f"s3://audio/tasks/beats/{beat.name} is not what a run writes there" in outcome.err
        assert "Take it away if it is nobody's" in outcome.err


def test_what_others_put_beside_the_files_of_runs_is_left_alone(on_s3):
    """A name that no run gives its files says nothing, whatever stands in it."""
    runs = on_s3()
    runs.add(1)
    runs()
    for name in ("notes.json", "s0003-of-0002.json", "s0000-of-9999.json", "s0000-of-0000.json"):
        (runs.cloud.folder / "tasks" / "beats" / name).write_bytes(b"mine")
        (runs.cloud.folder / "tasks" / "summaries" / name).write_bytes(b"mine")

    outcome = runs.run("status", *OUTPUT)

    assert (outcome.code, runs()["exit_code"]) == (0, 0), outcome.err
    assert "s3://audio/tasks/, 1 shard\n" in outcome.out


def test_a_description_that_is_gone_is_told_and_written_anew(on_s3):
    """Missing is not damaged: the next run of the source writes it again."""
    runs = on_s3()
    runs.add(1)
    runs()
    description = runs.cloud.folder / "tasks" / "cluster.json"
    before = description.read_bytes()
    description.unlink()

    outcome = runs.run("status", *OUTPUT)
    runs()

    assert outcome.code == 2
    assert "cluster.json, which says what this output is of, is missing" in outcome.err
    assert description.read_bytes() == before


def test_a_full_disk_on_one_machine_is_no_loss(on_s3):
    """It ends with 2 and says what helps; what was transcribed is sealed, and another goes on."""
    runs = on_s3()
    for n in range(40):
        runs.cloud.put(f"calls/{n}.mp3", "word " * 4_000)

    stopped = runs.run(*runs.command(), through=SMALL_DISK, before=("500000",))
    sealed = runs.lines()
    runs.lose_the_disk()
    summary = runs()

    assert stopped.code == 2
    assert "Make space and run the same command again" in stopped.err
    assert 0 < sealed.total() < 40
    assert summary["balance"]["written"] == 40
    assert runs.lines() == Counter({f"s3://audio/calls/{n}.mp3": 1 for n in range(40)})
    assert runs.jobs_started_twice() == 0


def test_a_machine_that_stood_still_doubles_nothing_when_it_comes_back(on_s3, tmp_path):
    """Another has finished its shard meanwhile: it drops what it has open, and ends well."""
    runs = on_s3("--slots", "10", "--seconds", "0.3")
    said = runs.add(40)
    other = tmp_path / "other"
    other.mkdir()

    with runs.run.start(*runs.command()) as first:
        collected = runs.run.folder / "tasks.s0000-of-0001.jsonl"
        runs.wait_for(lambda: collected.exists() and collected.read_bytes().count(b"\n") > 3)
        first.send_signal(signal.SIGSTOP)
        runs.run.folder = other
        second = runs()
        sealed = runs.lines()
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=30)

    assert (first.returncode, second["exit_code"]) == (0, 0), err
    assert sealed == runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.jobs_started_twice() == 0


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_machine_that_stood_still_for_minutes_goes_on(on_s3, tmp_path):
    """The other shard takes all slots and ends; `status` names the one that is silent meanwhile."""
    runs = on_s3("--slots", "10", "--seconds", "0.3")
    said = runs.add(80)
    other = tmp_path / "other"
    other.mkdir()
    shards = ("--shards", "2", "--shard")

    with runs.run.start(*runs.command(*shards, "0")) as first:
        collected = runs.run.folder / "tasks.s0000-of-0002.jsonl"
        runs.wait_for(lambda: collected.exists() and collected.read_bytes().count(b"\n") > 3)
        first.send_signal(signal.SIGSTOP)
        back = time.monotonic() + STOOD_STILL_SECONDS
        runs.run.folder = other
        second = runs(*shards, "1")
        time.sleep(back - time.monotonic())
        status = runs.run("status", *OUTPUT)
        before = runs.lines()
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=60)

    assert (first.returncode, second["exit_code"]) == (0, 0), err
    assert "Next:      run the same command again with --shards 2 and --shard 0" in status.out
    assert 0 < before.total() < len(said)
    assert runs.lines() == Counter(dict.fromkeys(said, 1))
    assert runs.jobs_started_twice() == 0
