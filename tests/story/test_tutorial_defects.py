"""The defects of the well-known tutorial script (list, start, poll, tasks.json), one test each."""

from __future__ import annotations

import time


def test_one_file_at_a_time(run, cloud):
    """Recordings are transcribed at once, not one after the other."""
    service = cloud("--seconds", "2")
    service.add(**{f"rec{n}": f"number {n}" for n in range(20)})

    begun = time.monotonic()
    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["written"] == 20
    assert time.monotonic() - begun < 20 * 2 / 2


def test_job_name_is_only_the_basename(run, cloud):
    """A same-named file in another folder gets its own transcript, not the first one's."""
    service = cloud()
    service.put("monday/call.mp3", "the first text")
    service.put("tuesday/call.mp3", "the second text")

    run("run", "s3://audio/")

    assert run.texts() == {
        "s3://audio/monday/call.mp3": "the first text",
        "s3://audio/tuesday/call.mp3": "the second text",
    }


def test_gives_up_after_ten_minutes(run, cloud):
    """A job is waited for as long as the service runs it: no bound in looks or time ends it."""
    service = cloud("--seconds", "3")
    service.add(long="a long recording")
    (run.folder / "c.toml").write_text("[limits]\nmax_poll_seconds = 0.2\n")

    outcome = run("run", "s3://audio/", "--config", "c.toml", "--json")

    assert outcome.counts["written"] == 1
    assert outcome.summary["calls"]["ListTranscriptionJobs"] > 5


def test_drops_failed_files_without_a_word(run, cloud):
    """A failed recording is told with its reason, counted, and makes the exit code 1."""
    service = cloud()
    service.add(good="fine words", bad="!Unsupported media format")

    outcome = run("run", "s3://audio/")

    assert outcome.code == 1
    assert "1 written, 1 failed" in outcome.err
    assert "bad.mp3: Unsupported media format" in outcome.err


def test_drops_silent_files_without_a_word(run, cloud):
    """A recording without speech is a task with empty text, score 0 and a flag."""
    cloud().add(quiet="")

    outcome = run("run", "s3://audio/")
    [task] = run.tasks()

    assert outcome.code == 0
    assert task["predictions"][0]["score"] == 0
    assert task["predictions"][0]["result"][0]["value"]["text"] == [""]
    assert task["meta"]["silent"] is True


def test_drops_still_running_files_without_a_word(run, cloud):
    """A job that still ran when the program was stopped is collected by the next run."""
    service = cloud("--seconds", "3")
    service.add(slow="worth waiting for")

    with run.start("run", "s3://audio/") as process:
        while not service.counts()["created"]:
            time.sleep(0.05)
        process.kill()
    run("run", "s3://audio/")

    assert list(run.texts().values()) == ["worth waiting for"]
    assert list(service.counts()["created"].values()) == [1]


def test_keeps_everything_in_memory_and_writes_once_at_the_end(run, cloud):
    """Finished tasks are in the file while other jobs still run."""
    service = cloud("--slots", "1", "--seconds", "1.5")
    service.add(**{f"rec{n}": f"number {n}" for n in range(6)})

    with run.start("run", "s3://audio/", "--max-in-flight", "1") as process:
        output = run.folder / "tasks.jsonl"
        while not (output.exists() and output.stat().st_size):
            assert process.poll() is None
            time.sleep(0.05)
        running = process.poll() is None
        process.kill()

    assert running
    assert 1 <= len(run.tasks()) < 6


def test_mp3_only(run, cloud):
    """Every format that the service knows is taken, in any letter case."""
    service = cloud()
    names = [f"a.{kind}" for kind in ("mp3", "mp4", "wav", "flac", "ogg", "amr", "webm", "m4a")]
    for name in (*names, "LOUD.WAV", "Mixed.Mp3"):
        service.put(name, f"spoken in {name.split('.')[-1]}")

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["written"] == 10


def test_one_blob_of_text_no_regions(run, cloud):
    """What the service heard can be reviewed by segments, each with its times and its words."""
    service = cloud()
    service.add(call="hello there")

    run("run", "s3://audio/", "--task", "segments")
    [task] = run.tasks()

    who, what = task["predictions"][0]["result"]
    assert who["id"] == what["id"] == "seg-00000"
    assert who["value"]["start"] == what["value"]["start"] == 0.0
    assert what["value"]["text"] == ["hello there"]


def test_everything_allowed_as_root(run, cloud):
    """A run makes calls of five kinds to two services, so nobody needs to allow it `s3:*`."""
    service = cloud()
    service.add(call="hello there")

    run("run", "s3://audio/", "--results", "s3://audio/transcripts/")

    assert set(service.counts()["calls"]) <= {
        "ListObjectsV2",
        "GetObject",
        "StartTranscriptionJob",
        "ListTranscriptionJobs",
        "GetTranscriptionJob",
        "Unknown",  # sts:GetCallerIdentity, which needs no right
    }
