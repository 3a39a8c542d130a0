"""What the documents promise, through the command line and a cloud with the service's quotas."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import boto3
import pytest

from pipeline.model import Recording
from pipeline.naming import identity, job_name, job_name_prefix
from tests.conftest import COMMAND, Outcome

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/transcripts/")


@pytest.mark.parametrize("results", [(), RESULTS], ids=["service bucket", "own bucket"])
def test_every_recording_becomes_a_task(run, cloud, results):
    """Each recording has one task with its own text, wherever the service keeps transcripts."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(30)})

    outcome = run("run", "s3://audio/", *results, "--json")

    assert outcome.code == 0
    assert run.texts() == {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(30)}
    assert len(run.tasks()) == 30


def test_second_run_starts_nothing_and_writes_nothing(run, cloud):
    """A run over a source that is done makes one listing and no other call."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/")
    before = (run.folder / "tasks.jsonl").read_bytes()

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.code == 0
    assert outcome.summary["calls"] == {"ListObjectsV2": 1}
    assert (run.folder / "tasks.jsonl").read_bytes() == before


def test_changed_object_is_a_new_job(run, cloud):
    """A recording whose content changed is transcribed again; the others are not."""
    service = cloud()
    service.add(same="as before", other="old words")
    run("run", "s3://audio/")
    service.add(other="new words, and longer")

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["started"] == 1
    assert run.texts()["s3://audio/other.mp3"] == "new words, and longer"


def test_changed_language_is_a_new_job(run, cloud):
    """A setting that changes the result names a new job; one that does not names the same."""
    cloud().add(one="first")
    run("run", "s3://audio/")

    slower = run("run", "s3://audio/", "--max-in-flight", "3", "--json")
    identified = run("run", "s3://audio/", "--language", "auto", "--json")

    assert (slower.counts["started"], identified.counts["started"]) == (0, 1)


def test_recording_that_cannot_be_transcribed_does_not_stop_the_others(run, cloud):
    """One bad recording is one failure: told with its reason, exit 1, the others written."""
    service = cloud()
    service.add(bad="!The data in your input media file isn't valid.", **{
        f"good{n}": f"number {n}" for n in range(5)
    })  # fmt: skip

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.code == 1
    assert outcome.summary["failures"]["reasons"] == {"not valid media": 1}
    assert outcome.counts["written"] == 5


def test_state_file_lost_costs_no_second_job(run, cloud):
    """Without its state file a run adopts the jobs that exist, by their computed names."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(8)})
    run("run", "s3://audio/")
    for name in ("tasks.jsonl", "tasks.jsonl.state"):
        (run.folder / name).unlink()

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["adopted"] == 8
    assert len(run.texts()) == 8
    assert set(service.counts()["created"].values()) == {1}


def test_job_of_the_same_name_for_other_media_is_not_adopted(run, cloud):
    """A job name taken by another recording is a clear failure, never its transcript."""
    service = cloud()
    service.add(mine="my words", other="other words")
    facts = (service.folder / "mine.mp3").stat()
    recording = Recording("mine.mp3", f"{facts.st_size:x}-{facts.st_mtime_ns:x}", facts.st_size)
    name = job_name(
        job_name_prefix("transcribe-pipeline", "audio"),
        identity("audio", recording, "language=en-US"),
        1,
    )
    boto3.client(
        "transcribe", "us-east-1", endpoint_url=service.url,
        aws_access_key_id="test", aws_secret_access_key="test",
    ).start_transcription_job(
        TranscriptionJobName=name, LanguageCode="en-US",
        Media={"MediaFileUri": "s3://audio/other.mp3"},
    )  # fmt: skip

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.summary["failures"]["reasons"] == {"job name taken by other media": 1}
    assert run.texts() == {"s3://audio/other.mp3": "other words"}


def test_skipped_objects_are_counted_by_reason(run, cloud):
    """What is no recording is skipped, and the summary says how many and why."""
    service = cloud()
    service.put("notes.txt", "text")
    service.put("old/a.mp3", "left out")
    service.put("b.mp3", "taken")
    (service.folder / "empty.mp3").touch()

    outcome = run("run", "s3://audio/", "--exclude", "old/*", "--json")

    assert outcome.counts["skipped"] == {"not audio": 1, "excluded": 1, "empty object": 1}
    assert list(run.texts().values()) == ["taken"]


def test_include_is_relative_to_the_source(run, cloud):
    """Globs match the path below SOURCE, as the AWS CLI's do."""
    service = cloud()
    service.put("calls/2026/a.mp3", "this year")
    service.put("calls/2025/a.mp3", "last year")

    run("run", "s3://audio/calls/", "--include", "2026/*")

    assert list(run.texts().values()) == ["this year"]


ODD_KEYS = [
    "with space.mp3", "plus+sign.mp3", "per%cent.mp3", "%41.mp3", "quote'\".mp3", "tab\there.mp3",
    "ü 😀.mp3", "\x7f\x01.mp3", "q?x#y.mp3", "a&b;c=d.mp3", "back\\slash.mp3", "...mp3",
]  # fmt: skip


def test_odd_keys_come_through_byte_for_byte(run, cloud):
    """Whatever a key holds, its task names the same object and has its text."""
    service = cloud()
    for number, key in enumerate(ODD_KEYS):
        service.put(key, f"number {number}")

    outcome = run("run", "s3://audio/", *RESULTS)

    assert outcome.code == 0, outcome.err
    assert run.texts() == {f"s3://audio/{k}": f"number {n}" for n, k in enumerate(ODD_KEYS)}


def test_key_that_the_service_refuses_fails_alone_and_forges_no_line(run, cloud):
    """A newline in a key is refused by the service's own pattern; it is told on one line."""
    service = cloud()
    service.put("new\nline.mp3", "never heard")
    service.put("fine.mp3", "heard")

    outcome = run("run", "s3://audio/")

    assert "  new\\nline.mp3: 1 validation error detected" in outcome.err
    assert list(run.texts().values()) == ["heard"]


def test_lower_quota_than_allowed_is_found(run, cloud):
    """With fewer slots than --max-in-flight the run finds them, fails nothing and says so."""
    service = cloud("--slots", "5", "--seconds", "0.3")
    service.add(**{f"rec{n}": f"number {n}" for n in range(40)})

    outcome = run("run", "s3://audio/", *RESULTS, "--json")

    assert (outcome.code, outcome.counts["written"]) == (0, 40)
    assert outcome.summary["limits"]["slots_found"] <= 6
    assert outcome.summary["refused"]["no free slot"] <= 20


def test_throttled_starts_are_slowed_down_and_come_through(run, cloud):
    """A lower start rate at the service costs time, never a recording."""
    service = cloud("--start-rate", "5")
    service.add(**{f"rec{n}": f"number {n}" for n in range(25)})

    outcome = run("run", "s3://audio/", *RESULTS, "--json")

    assert (outcome.code, outcome.counts["written"]) == (0, 25)
    assert set(service.counts()["created"].values()) == {1}


def test_bad_night_loses_nothing_and_pays_nothing_twice(run, cloud):
    """Throttles, faults, cut connections and lost answers: each job is created once."""
    kinds = ("throttle", "server_error", "cut", "lost_start", "stale_listing", "missing_entry")
    service = cloud(*(word for kind in kinds for word in ("--fault", f"{kind}=0.1")))
    service.add(**{f"rec{n}": f"number {n}" for n in range(40)})

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.code == 0, outcome.out
    assert len(run.tasks()) == len(run.texts()) == 40
    assert set(service.counts()["created"].values()) == {1}


def test_expired_transcript_url_is_renewed(run, cloud):
    """When the service's URL has expired, a new one is asked for."""
    service = cloud("--fault", "expired_url=0.5")
    service.add(**{f"rec{n}": f"number {n}" for n in range(12)})

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["written"] + outcome.counts["failed"] == 12
    assert outcome.counts["written"] >= 8


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_interrupted_run_is_completed_by_the_next_one(run, cloud, number, code):
    """A signal stops it within two seconds; the next run completes the file, no job twice."""
    service = cloud("--slots", "4", "--seconds", "0.4")
    service.add(**{f"rec{n}": f"number {n}" for n in range(24)})
    with run.start("run", "s3://audio/") as process:
        while len(service.counts()["created"]) < 8:
            time.sleep(0.05)
        process.send_signal(number)
        begun = time.monotonic()
        _, told = process.communicate(timeout=10)
        stopped_in = time.monotonic() - begun

    outcome = run("run", "s3://audio/")

    assert (process.returncode, outcome.code) == (code, 0)
    assert stopped_in < 2
    assert "run the same command again" in told
    assert len(run.tasks()) == len(run.texts()) == 24
    assert set(service.counts()["created"].values()) == {1}


def test_second_run_on_the_same_state_is_refused(run, cloud):
    """While a run holds the state file another one exits with 2 and says who holds it."""
    service = cloud("--seconds", "30")
    service.add(one="first")
    with run.start("run", "s3://audio/") as process:
        while not service.counts()["created"]:
            time.sleep(0.05)
        second = run("run", "s3://audio/")
        process.kill()

    assert second.code == 2
    assert f"Another run (process {process.pid})" in second.err


def test_status_works_beside_a_run(run, cloud):
    """`status` reads the state file while a run writes it."""
    service = cloud("--slots", "2", "--seconds", "20")
    service.add(one="first", two="second", three="third")
    with run.start("run", "s3://audio/") as process:
        while len(service.counts()["created"]) < 2:
            time.sleep(0.05)
        time.sleep(0.5)
        status = run("status", "--json")
        process.kill()

    facts = json.loads(status.out)
    stand = facts["recordings"]
    assert (stand["in_flight"] + stand["pending"], stand["written"]) == (3, 0)
    assert facts["oldest_in_flight_seconds"] < 30


def test_files_with_transcripts_are_private(run, cloud):
    """The output, the state file and its companions are readable by their owner alone."""
    cloud().add(one="first")
    before = os.umask(0)
    run("run", "s3://audio/")
    run("export")
    os.umask(before)

    made = [path for path in run.folder.rglob("*") if path.is_file()]
    assert {path.name: path.stat().st_mode & 0o777 for path in made} == {
        "tasks.jsonl": 0o600,
        "tasks.jsonl.state": 0o600,
        "tasks.jsonl.state.lock": 0o600,
        "tasks-0001.json": 0o600,
    }


def test_export_is_a_json_array_of_the_tasks(run, cloud):
    """The exported file is an array, in the output's order; its name is on stdout."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/")

    outcome = run("export")

    assert outcome.out == "label-studio/tasks-0001.json\n"
    array = json.loads((run.folder / "label-studio/tasks-0001.json").read_bytes())
    assert array == run.tasks()


def test_text_is_utf8_and_not_escaped(run, cloud):
    """What people said is in the file as they would write it."""
    cloud().add(gruss="Grüße aus Köln 😀")

    run("run", "s3://audio/")

    assert "Grüße aus Köln 😀" in (run.folder / "tasks.jsonl").read_text(encoding="utf-8")


def test_quiet_run_says_nothing_when_all_is_well(run, cloud):
    """With --quiet cron has nothing to mail unless something failed."""
    service = cloud()
    service.add(one="first")
    silent = run("run", "s3://audio/", "--quiet")
    service.add(bad="!Unsupported media format")

    loud = run("run", "s3://audio/", "--quiet")

    assert (silent.out, silent.err, silent.code) == ("", "", 0)
    assert "1 failed" in loud.err


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.long)])
def test_recordings_over_250_slots_stay_small_and_cheap(run, cloud, count):
    """Peak memory stays under 200 MB, and a recording costs less than 2.2 calls."""
    service = cloud("--seconds", "1")
    for number in range(count):
        service.put(f"d{number % 20}/rec {number}.mp3", f"number {number}")
    options = ("--start-rate", "1000", "--workers", "32", "--json")
    command = (COMMAND, "run", "s3://audio/", *RESULTS, *options)

    ran = subprocess.run(
        [sys.executable, "-c", MEASURING, *command],
        cwd=run.folder, env=run.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    outcome = Outcome(0, ran.stdout, ran.stderr)

    assert outcome.counts["written"] == count
    assert sum(outcome.summary["calls"].values()) < 2.2 * count
    assert int(outcome.err.splitlines()[-1]) < 200 * 1024


MEASURING = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); "
    "sys.exit(code)"
)
"""Runs a command from a small process and prints its peak memory in kB: a process counts what its
parent held when it was forked."""
