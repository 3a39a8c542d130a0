"""`clean` over an output on S3: the states of all shards, and never beside a run."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.s3_output.conftest import FLAGS
from tests.support.between import between

pytestmark = pytest.mark.usefixtures("in_this_process")

CLEAN = ("clean", *FLAGS[2:], "--older-than", "0h", "--yes")
SHARDS = [("--shards", "2", "--shard", str(n)) for n in range(2)]


@pytest.fixture
def written(on_s3):
    """Two shards have written eight recordings, and nothing of them is on this machine."""
    runs = on_s3()
    runs.add(8)
    for each in SHARDS:
        runs(*each)
    runs.lose_the_disk()
    return runs


def transcripts(runs) -> int:
    """How many transcripts are below --results."""
    return len(list((runs.cloud.folder / "results").glob("*.json")))


def test_the_jobs_of_all_shards_are_deleted_once(written):
    """What was deleted is noted in the copies: another machine asks for nothing again."""
    first = written.run(*CLEAN, "--json").summary
    written.lose_the_disk()
    second = written.run(*CLEAN, "--json").summary

    assert (first["deleted"], first["exit_code"]) == (8, 0)
    of_the_lanes = {"GetObject": 1}
    assert (second["deleted"], second["gone"], second["calls"]) == (0, 0, of_the_lanes)
    assert transcripts(written) == 8
    assert [written(*each)["counts"]["started"] for each in SHARDS] == [0, 0]


def test_a_look_first_names_the_jobs_and_changes_nothing(written):
    """The names of all shards' jobs, and what it means; the copies stay as they are."""
    copies = sorted((written.cloud.folder / "tasks" / "state").iterdir())
    before = [each.read_bytes() for each in copies]

    outcome = written.run(*CLEAN, "--dry-run")

    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 8
    assert "job records of 8 recordings of s3://audio" in outcome.err
    assert [each.read_bytes() for each in copies] == before


def test_transcripts_are_deleted_where_their_tasks_are_in_parts(written):
    """With --results-too the tasks are all that is left, and they are looked at first."""
    outcome = written.run(*CLEAN, "--results-too", "--json")

    assert outcome.code == 0, outcome.err
    assert outcome.summary["results"] == 8
    assert transcripts(written) == 0
    assert written.lines().total() == 8


@pytest.mark.parametrize("harm", ["taken away", "edited"])
def test_no_transcript_is_deleted_whose_part_was_touched(written, harm):
    """It would be the only copy: nothing is deleted, at the service or in the bucket."""
    part = written.cloud.folder / "tasks" / "parts" / "s0001-of-0002" / "00000000.jsonl"
    part.unlink() if harm == "taken away" else part.write_text("{}\n")

    outcome = written.run(*CLEAN, "--results-too")

    assert outcome.code == 2
    assert f"{part.name} is" in outcome.err
    assert transcripts(written) == 8
    assert "DeleteTranscriptionJob" not in written.cloud.counts()["calls"]


def test_nothing_is_cleaned_beside_a_run(written):
    """A run would not see the change, and would save over it."""
    beat = written.cloud.folder / "tasks" / "beats" / "s0001-of-0002.json"
    summary = written.cloud.folder / "tasks" / "summaries" / beat.name
    os.utime(beat)
    os.utime(summary, (time.time() - 60,) * 2)

    outcome = written.run(*CLEAN)

    assert outcome.code == 2
    assert "Runs of s3://audio/tasks/ go on: shard 1" in outcome.err
    assert "DeleteTranscriptionJob" not in written.cloud.counts()["calls"]


def test_what_no_run_has_ended_on_is_not_cleaned(written):
    """A run that was killed first of all has saved no state: what it started is known by none."""
    tasks = written.cloud.folder / "tasks"
    for each in (*tasks.glob("summaries/*"), *tasks.glob("state/*")):
        each.unlink()
    for beat in tasks.glob("beats/*"):
        os.utime(beat, (time.time() - 3_600,) * 2)

    outcome = written.run(*CLEAN)

    assert outcome.code == 2
    assert "No run of s3://audio/tasks/ has ended yet" in outcome.err


def test_a_run_that_saves_its_state_meanwhile_is_not_overwritten(written):
    """The jobs are gone, and the run's copy is what stands; the next clean finds them gone."""
    copy = written.cloud.folder / "tasks" / "state" / "s0000-of-0002.sqlite.gz"

    def saves(asked):
        if "DeleteTranscriptionJob" in asked.headers.get("X-Amz-Target", ""):
            copy.write_bytes(copy.read_bytes() + bytes(8))
        return asked.forward()

    with between(written.cloud, saves) as url:
        written.run.use(AWS_ENDPOINT_URL=url)
        outcome = written.run(*CLEAN)
        again = written.run(*CLEAN, "--json").summary

    assert outcome.code == 2
    assert "has saved its state at s3://audio/tasks/state/s0000-of-0002.sqlite.gz" in outcome.err
    assert again["deleted"] == 0
    assert 0 < again["gone"] < 8  # what was noted of the other shard stands


def test_a_clean_that_is_interrupted_has_noted_what_it_did(written):
    """What is deleted stands in the copies: the same command on another machine does the rest."""
    asked_for, answered = [], []

    def slow(asked):
        if asked.operation != "DeleteTranscriptionJob":
            return asked.forward()
        asked_for.append(asked)
        time.sleep(0.3)
        answered.append(asked)
        return asked.forward()

    with between(written.cloud, slow) as url:
        written.run.use(AWS_ENDPOINT_URL=url)
        with written.run.start(*CLEAN, "--json") as process:
            written.wait_for(lambda: len(answered) > 1)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
    first = json.loads(out)
    written.run.use(AWS_ENDPOINT_URL=written.cloud.url)
    written.lose_the_disk()
    second = written.run(*CLEAN, "--json").summary

    assert process.returncode == first["exit_code"] == 130
    assert 0 < first["deleted"] < 8
    assert first["deleted"] + second["deleted"] + second["gone"] == 8
    assert second["gone"] <= len(asked_for) - first["deleted"]
