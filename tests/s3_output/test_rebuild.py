"""`tasks rebuild` over an output on S3: another kind in a file; the parts stay as they are."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter

import msgspec
import pytest

from pipeline.naming import job_name, job_name_prefix
from pipeline.s3_output.claim import Description
from pipeline.s3_output.written_tasks import Origin, note_written
from pipeline.state.run_state import open_state
from tests.s3_output.conftest import FLAGS

pytestmark = pytest.mark.usefixtures("in_this_process")

PREFIX = job_name_prefix("transcribe-pipeline", "audio")

REBUILD = ("tasks", "rebuild", *FLAGS[2:], "--task", "segments", "--json")


def audio_of(runs, name="tasks.segments.jsonl"):
    """How many lines the new file has of each recording."""
    return Counter(task["data"]["audio"] for task in runs.run.tasks(name))


def test_the_tasks_of_all_shards_are_made_into_a_file_of_another_kind(on_s3):
    """On a machine that ran nothing: no job is started, no part is changed."""
    runs = on_s3()
    said = runs.add(8)
    for n in range(2):
        runs("--shards", "2", "--shard", str(n), "--language", "en-GB")
    parts, starts = runs.parts(), runs.cloud.counts()["calls"]["StartTranscriptionJob"]
    runs.lose_the_disk()

    outcome = runs.run(*REBUILD)

    assert outcome.code == 0, outcome.err
    assert audio_of(runs) == Counter(dict.fromkeys(said, 1))
    [task] = [each for each in runs.run.tasks("tasks.segments.jsonl") if "/7.mp3" in str(each)]
    texts = [
        one["value"]["text"] for one in task["predictions"][0]["result"] if one["type"] != "labels"
    ]
    assert texts == [["number 7"]]
    assert task["predictions"][0]["model_version"] == "amazon-transcribe/en-GB"
    assert task["data"]["language"] == "en-GB"  # as the jobs' settings were, not today's
    assert runs.parts() == parts
    assert runs.cloud.counts()["calls"]["StartTranscriptionJob"] == starts


def test_a_task_that_is_made_again_says_the_same_of_its_recording(on_s3):
    """Byte for byte: also what only its first run had, as a manifest and a fallback language."""
    runs = on_s3()
    runs.run.use(TRANSCRIBE_PIPELINE_FALLBACK_LANGUAGE="en-GB")
    runs.cloud.add(quiet="", clear="words enough")
    rows = [
        {"key": "quiet.mp3", "agent": "\u00dc.\u2028Meier", "score": 7.50, "sure": False},
        {"key": "clear.mp3", "agent": "s3://no/address", "score": -3},
    ]
    manifest = "\n".join(map(json.dumps, rows))
    (runs.run.folder / "calls.jsonl").write_text(manifest, encoding="utf-8")
    settings = '[metadata]\nsource = "manifest"\nkey_pattern = "{name}.mp3"'
    config = runs.run.folder.parent / "night.toml"
    config.write_text(settings, encoding="utf-8")
    of_run = ("--manifest", "calls.jsonl", "--language", "auto", "--config", str(config))
    outcome = runs.run("run", "s3://audio/", *FLAGS, *of_run)
    runs.lose_the_disk()
    runs.run.use(TRANSCRIBE_PIPELINE_FALLBACK_LANGUAGE="fr-FR")

    again = ("tasks", "rebuild", *FLAGS[2:], "--to", "again.jsonl", "--config", str(config))
    rebuilt = runs.run(*again)

    assert (outcome.code, rebuilt.code) == (0, 0), outcome.err + rebuilt.err
    before = data_of(b"".join(runs.parts().values()))
    assert data_of((runs.run.folder / "again.jsonl").read_bytes()) == before
    assert [b'"language":"en-GB"' in each for each in before].count(True) == 1
    assert [b'"score":7.5,"sure":false' in each for each in before].count(True) == 1


def data_of(lines):
    """The `data` of each task, in bytes."""
    return sorted(
        bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["data"])
        for line in lines.splitlines()
    )


def test_what_is_new_is_added_and_what_changed_is_written_again(on_s3):
    """The same command behind every run; of a changed recording the newest content is added."""
    runs = on_s3()
    runs.add(4)
    runs()
    runs.run(*REBUILD, "--to", "new.jsonl")
    before = (runs.run.folder / "new.jsonl").read_bytes()
    runs.add(2, begin=4)
    runs.cloud.put("calls/0.mp3", "said anew")
    runs()

    summary = runs.run(*REBUILD, "--to", "new.jsonl").summary

    assert summary["counts"]["written"] == 3
    assert (runs.run.folder / "new.jsonl").read_bytes().startswith(before)
    assert audio_of(runs, "new.jsonl")["s3://audio/calls/0.mp3"] == 2
    assert "said anew" in str(runs.run.tasks("new.jsonl")[4:])


def test_the_states_may_be_lost(on_s3):
    """The parts alone say what is written, with the attempt that was."""
    runs = on_s3()
    runs.add(3)
    runs.cloud.put("calls/bad.mp3", "!Unsupported media format")
    runs()
    runs.run("retry", *FLAGS[2:])
    runs.cloud.put("calls/bad.mp3", "good now")
    runs()
    for copy in (runs.cloud.folder / "tasks" / "state").iterdir():
        copy.write_bytes(b"no gzip")
    runs.lose_the_disk()

    outcome = runs.run(*REBUILD)

    assert outcome.code == 0, outcome.err
    assert audio_of(runs).total() == 4


def test_the_new_tasks_are_a_file(on_s3):
    """On S3 a run makes them, and the sentence says how."""
    runs = on_s3()
    runs.add(1)
    runs()

    outcome = runs.run(*REBUILD, "--to", "s3://audio/segments/")

    assert outcome.code == 2
    assert "--to s3://audio/segments/ is on S3" in outcome.err
    assert "run SOURCE --output s3://bucket/prefix/" in outcome.err


def test_no_more_than_a_task_at_a_time_is_held_however_long_it_is(tmp_path):
    """The tasks of hours of speech are read on a machine that has no gigabyte for them."""
    description = Description("s3://audio/calls/", "transcript", "s3://audio/results/", PREFIX)
    long, count = "word " * 20_000, 500

    def lines():
        for n in range(count):
            name = job_name(PREFIX, n.to_bytes(16, "big"), 1)
            data = {"audio": f"s3://audio/calls/{n}.mp3", "job_id": name}
            task = {"data": data, "meta": {"etag": "e", "size": 1}}
            yield json.dumps(task | {"predictions": [{"result": long}]}).encode()

    with open_state(tmp_path / "state", PREFIX) as state:
        tracemalloc.start()
        note_written(state, Origin(description, []), lines())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert sum(map(len, state.reader.recordings.written())) == count

    assert most < 5_000_000  # 50 million, were the lines held
