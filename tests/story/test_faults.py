"""Every fault that the local cloud can play: nothing is lost, nothing is paid for twice."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager, suppress
from threading import Event, Thread

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.signing import KEYS

pytestmark = pytest.mark.usefixtures("in_this_process")

GOOD = {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(20)}
BAD = {f"s3://audio/bad{n}.mp3": "!Unsupported media format" for n in range(2)}


def filled(service):
    """Put the good and the bad recordings into the bucket."""
    for uri, text in (GOOD | BAD).items():
        service.put(uri.rpartition("/")[2], text)


def accounted_for(run, service, outcome, bad=frozenset(BAD)):
    """Assert each good recording written once, each bad one failed once, each job created once."""
    assert len(run.tasks()) == len(GOOD.keys() - bad), outcome.out
    assert run.texts() == {uri: text for uri, text in GOOD.items() if uri not in bad}
    assert Counter(each["uri"] for each in run.failures()) == Counter(bad)
    assert set(service.counts()["created"].values()) == {1}
    assert outcome.code == 1
    facts = outcome.summary["balance"]
    assert (facts["written"], facts["failed"], facts["pending"]) == (22 - len(bad), len(bad), 0)
    assert facts["listed"] == 22


@pytest.mark.parametrize(
    ("fault", "rate"),
    [
        ("throttle", 0.05), ("server_error", 0.2), ("cut", 0.2), ("slow", 0.2), ("truncate", 0.2),
        ("stale_listing", 0.5), ("duplicate_entry", 0.5), ("missing_entry", 0.2),
        ("expired_url", 0.1), ("lost_start", 1),
    ],
)  # fmt: skip
def test_fault_of_a_call_costs_time_and_no_recording(run, cloud, fault, rate):
    """A fault of the network or the service is got over: each recording ends once, as it should."""
    service = cloud("--fault", f"{fault}={rate}", "--fault", "slow_seconds=0.3")
    filled(service)

    outcome = run("run", "s3://audio/", "--json")

    accounted_for(run, service, outcome)


@pytest.mark.parametrize("fault", ["truncate", "cut", "missing_entry"])
def test_fault_of_a_result_in_our_own_bucket_is_got_over(run, cloud, fault):
    """A transcript that arrives cut short or not at all is read again."""
    service = cloud("--fault", f"{fault}=0.2")
    filled(service)

    outcome = run("run", "s3://audio/", "--results", "s3://audio/t/", "--json")

    assert outcome.counts["skipped"] == {}
    accounted_for(run, service, outcome)


def test_lost_answers_to_start_are_adopted(run, cloud):
    """A start whose answer was lost is asked again, meets its own job and adopts it."""
    filled(cloud("--fault", "lost_start=1"))

    outcome = run("run", "s3://audio/", "--json")

    assert (outcome.counts["started"], outcome.counts["adopted"]) == (0, 22)


def test_failed_jobs_fail_their_recordings_alone(run, cloud):
    """A job that ends as FAILED is one line of the failures file; it is not tried again."""
    service = cloud("--fault", "failed_job=0.3")
    filled(service)

    outcome = run("run", "s3://audio/", "--json")

    failed = {each["uri"] for each in run.failures()}
    assert 1 <= outcome.summary["failures"]["reasons"]["not valid media"] < 20
    assert {each["attempts"] for each in run.failures()} == {1}
    accounted_for(run, service, outcome, failed | set(BAD))


def test_internal_failures_are_tried_under_a_new_name(run, cloud):
    """A job that the service spoilt gets a new name, and most come through."""
    service = cloud("--fault", "internal_failure=0.3")
    filled(service)

    outcome = run("run", "s3://audio/", "--json")

    spoilt = {each["uri"] for each in run.failures() if each["reason"] == "fault at the service"}
    assert len(service.counts()["created"]) > 22
    assert len(spoilt) < 6  # three in a row are one in forty
    accounted_for(run, service, outcome, spoilt | set(BAD))


def test_internal_failures_are_tried_again_at_most_twice(run, cloud):
    """After three jobs that the service spoilt the recording fails, and says so."""
    service = cloud("--fault", "internal_failure=1")
    service.add(one="first", two="second")

    outcome = run("run", "s3://audio/", "--json")

    names = service.counts()["created"]
    assert Counter(name.rpartition("-")[2] for name in names if name[-2] == "-") == {"2": 2, "3": 2}
    assert len(names) == 6
    assert [each["attempts"] for each in run.failures()] == [3, 3]
    assert outcome.summary["failures"]["reasons"] == {"fault at the service": 2}


def test_endless_jobs_are_given_up_after_the_job_timeout(run, cloud):
    """A job that never ends fails after `job_timeout_hours`; the others are written."""
    service = cloud("--fault", "endless_job=0.4")
    filled(service)
    run.use(TRANSCRIBE_PIPELINE_JOB_TIMEOUT_HOURS="0.0006")

    outcome = run("run", "s3://audio/", "--json")

    endless = {each["uri"] for each in run.failures() if each["reason"] == "job never ended"}
    assert endless
    accounted_for(run, service, outcome, endless | set(BAD))


def neighbour(service):
    """Another program with jobs in the same account."""
    return boto3.client(
        "transcribe", "us-east-1", endpoint_url=service.url, aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key, config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def begin(client, name, key):
    """Start a job of the other program."""
    return client.start_transcription_job(
        TranscriptionJobName=name, LanguageCode="en-US", Media={"MediaFileUri": f"s3://audio/{key}"}
    )


def test_slots_that_another_program_takes_are_left_to_it(run, cloud):
    """When others take seven of ten slots the run goes on with three, with few refused calls."""
    service = cloud("--slots", "10", "--seconds", "0.2")
    service.add(**{f"rec{n}": f"number {n}" for n in range(60)})
    service.put("other/long.mp3", "@60 not ours")
    other = neighbour(service)
    for number in range(7):
        begin(other, f"other-{number}", "other/long.mp3")

    outcome = run("run", "s3://audio/", "--exclude", "other/*", "--json")

    assert (outcome.code, outcome.counts["written"]) == (0, 60)
    # One more may be held at a refusal: by a job that has ended and was not yet seen to have.
    assert outcome.summary["limits"]["slots_found"] in (3, 4)
    assert outcome.summary["refused"]["no free slot"] <= 16 + 8  # the workers' first starts


@contextmanager
def crowd(service, rate, key):
    """Another program that starts so many jobs a second, as far as it is let."""
    client, done = neighbour(service), Event()

    def start():
        number = 0
        while not done.wait(1 / rate):
            with suppress(ClientError):
                begin(client, f"other-{number}", key)
            number += 1

    thread = Thread(target=start)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_slots_that_go_and_come_back_are_followed(run, cloud):
    """Slots that others take and give back while the run goes on cost no recording."""
    service = cloud("--slots", "6", "--seconds", "0.3")
    service.add(**{f"rec{n}": f"number {n}" for n in range(50)})
    service.put("other/long.mp3", "@1 not ours")

    with crowd(service, 3, "other/long.mp3"):
        outcome = run("run", "s3://audio/", "--exclude", "other/*", "--json")

    assert (outcome.code, outcome.counts["written"]) == (0, 50)
    assert outcome.summary["refused"]["no free slot"] <= 40
    assert len(service.counts()["created"]) > 50


def test_start_rate_that_is_shared_is_followed(run, cloud):
    """When others use up half of the account's rate the run slows down and fails nothing."""
    service = cloud("--start-rate", "12")
    service.add(**{f"rec{n}": f"number {n}" for n in range(60)})

    with crowd(service, 6, "nothing.mp3"):
        outcome = run("run", "s3://audio/", "--json")

    assert (outcome.code, outcome.counts["written"]) == (0, 60)
    assert outcome.summary["refused"]["StartTranscriptionJob"] <= 30


def test_unknown_quota_is_found_and_the_brake_is_named(run, cloud):
    """40 slots, 5 starts/s under flags of 250 and 25: the summary names the start rate."""
    service = cloud("--slots", "40", "--start-rate", "5", "--list-rate", "5")
    service.add(**{f"rec{n}": f"number {n}" for n in range(50)})

    outcome = run("run", "s3://audio/", "--results", "s3://audio/t/")

    counts = service.counts()
    assert outcome.code == 0
    assert "Limit:" in outcome.err
    assert "the account's start rate" in outcome.err
    assert counts["refused"]["ThrottlingException"] < 0.2 * sum(counts["calls"].values())


def test_unknown_slots_are_found_and_the_brake_is_named(run, cloud):
    """Where job slots bind, the summary says how many were found and what more of them buy."""
    service = cloud("--slots", "4", "--seconds", "0.5")
    service.add(**{f"rec{n}": f"number {n}" for n in range(40)})

    outcome = run("run", "s3://audio/", "--results", "s3://audio/t/")

    assert "the account's job slots (4 found)" in outcome.err
    assert "L-6F7AB1C9" in outcome.err
