"""Bad input gets one clear sentence with the next step, exit 2, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.conftest import RECORDINGS, SMALL_DISK, endpoint, free_port


def refused(outcome, *parts):
    """Assert exit 2, no traceback, no output, and a message that holds all parts."""
    assert outcome.code == 2, outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    for part in parts:
        assert part in outcome.err


def test_missing_folder(run):
    """A folder that is not there is named, with the way to write a bucket."""
    refused(run("run", "calls/"), "There is no folder calls/", "s3://bucket/prefix")


def test_file_instead_of_a_folder(run):
    """One file is no source: the message says how to take it."""
    refused(run("run", RECORDINGS / "texts.json"), "is a file", "--include")


def test_source_with_another_scheme(run):
    """A URL of another store is refused with the form that is taken."""
    refused(run("run", "gs://bucket/x"), "'gs://bucket/x'", "s3://bucket/prefix")


def test_no_region(run):
    """Without a region the message names the flag and the variable."""
    refused(run("run", "s3://bucket/"), "No AWS region is set", "--region or AWS_REGION")


def test_no_credentials(run):
    """Without credentials the message says how to check them."""
    run.use(AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")

    refused(run("run", "s3://bucket/"), "No usable AWS credentials", "AWS_PROFILE")


def test_unknown_profile(run):
    """A profile that is not there is named."""
    refused(run("run", "s3://bucket/", "--profile", "nope"), "(nope)", "--profile")


def test_nobody_answers_at_the_endpoint(run):
    """A wrong endpoint ends the run after a few tries, and nothing is marked as failed."""
    run.use(**endpoint(f"http://127.0.0.1:{free_port()}"))

    refused(run("run", "s3://bucket/"), "No answer from 127.0.0.1", "run the same command again")


@contextmanager
def s3_that_says(status, body, **headers):
    """A server that gives every request the same answer; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


ANSWERS = {
    "another region": (
        (301, "<Error><Code>PermanentRedirect</Code></Error>", "eu-west-1"),
        ("is in eu-west-1, and the jobs would run in us-east-1", "--region eu-west-1"),
    ),
    "another region, in the body": (
        (400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"),
        ("is in eu-west-1, and the jobs would run in us-east-1", "--region eu-west-1"),
    ),
    "no permission": (
        (403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
        ("s3:ListBucket on s3://bucket is not allowed", "Allow it and run again"),
    ),
    "wrong secret": (
        (403, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>"),
        ("the secret key is wrong", "AWS_PROFILE"),
    ),
    "expired token": (
        (400, "<Error><Code>ExpiredToken</Code><Message>old</Message></Error>"),
        ("the session token has expired", "it goes on where it stopped"),
    ),
}


@pytest.mark.parametrize(("answer", "parts"), ANSWERS.values(), ids=ANSWERS.keys())
def test_bucket_that_refuses(run, answer, parts):
    """What S3 refuses is told with the step that helps, and nothing else is tried."""
    status, body, *region = answer
    headers = {"x_amz_bucket_region": region[0]} if region else {}
    with s3_that_says(status, body, **headers) as url:
        run.use(**endpoint(url))

        refused(run("run", "s3://bucket/"), *parts)


def test_output_that_cannot_be_made(run):
    """An output in a place that can't be made is named with the reason."""
    (run.folder / "file").write_text("x")

    refused(run("run", RECORDINGS, "--output", "file/tasks.jsonl"), "file/tasks.jsonl", "--output")


def test_output_of_someone_else(run):
    """A file that is already there is never overwritten."""
    (run.folder / "tasks.jsonl").write_text("mine\n")

    refused(run("run", RECORDINGS), "tasks.jsonl exists already", "--output")
    assert (run.folder / "tasks.jsonl").read_text() == "mine\n"


def test_output_that_someone_shortened(run, cloud):
    """An output shorter than what was written is refused, not filled with a hole."""
    cloud().add(one="first")
    run("run", "s3://audio/")
    (run.folder / "tasks.jsonl").write_bytes(b"")

    refused(run("run", "s3://audio/"), "has 0 bytes", "changed or replaced", "--rebuild-output")


def test_malformed_configuration(run):
    """Every complaint about the settings comes in one message, before anything is started."""
    (run.folder / "bad.toml").write_text('[limits]\nmax_inflight = 3\nworkers = "many"\n')

    outcome = run("run", RECORDINGS, "--config", "bad.toml", "--language", "english")

    refused(
        outcome,
        "there is no key max_inflight in [limits]. Did you mean max_in_flight",
        "workers = 'many' in bad.toml",
        "language = 'english'",
    )
    assert list(run.folder.iterdir()) == [run.folder / "bad.toml"]


def test_configuration_that_is_no_toml(run):
    """A file that can't be parsed is named, with the place."""
    (run.folder / "bad.toml").write_text("[limits\n")

    refused(run("run", RECORDINGS, "--config", "bad.toml"), "bad.toml is not valid TOML", "line 1")


def test_state_file_of_another_source(run, cloud):
    """A state file is never used for another source."""
    cloud().add(one="first")
    run("run", "s3://audio/")

    refused(run("run", "s3://audio/calls/"), "belongs to s3://audio/", "--state")


def test_source_that_failed_does_not_claim_the_state_file(run, cloud):
    """After a wrong bucket the right one can be given, with the same files."""
    cloud().add(one="first")
    refused(run("run", "s3://audoi/"), "There is no bucket")

    assert run("run", "s3://audio/").code == 0


def test_state_file_of_another_program(run):
    """Another program's SQLite file is left alone."""
    with sqlite3.connect(run.folder / "other.db") as db:
        db.execute("CREATE TABLE precious (content)")
    db.close()
    before = (run.folder / "other.db").read_bytes()

    refused(run("run", RECORDINGS, "--state", "other.db"), "of another program", "--state")
    assert (run.folder / "other.db").read_bytes() == before


def test_state_file_that_is_no_database(run):
    """A file that is no database is left alone."""
    (run.folder / "notes.txt").write_text("x" * 5000)

    refused(run("run", RECORDINGS, "--state", "notes.txt"), "not a state file, or it is damaged")
    assert (run.folder / "notes.txt").read_text() == "x" * 5000


def test_status_without_a_state_file(run):
    """`status` says where it looked."""
    refused(run("status"), "There is no state file at tasks.jsonl.state", "--state")


@pytest.mark.parametrize("words", [200, 4_000], ids=["state file", "output"])
def test_full_disk_loses_nothing(run, cloud, words):
    """When no more can be written the run stops with 2; with space again it is completed."""
    service = cloud()
    service.add(**{f"rec{n}": "word " * words for n in range(40)})

    stopped = run("run", "s3://audio/", through=SMALL_DISK, before=(str(words * 150),))
    completed = run("run", "s3://audio/")

    refused(stopped, "Make space and run the same command again")
    assert completed.code == 0, completed.err
    assert len(run.tasks()) == len(run.texts()) == 40
    assert set(service.counts()["created"].values()) == {1}


def test_folder_in_a_language_the_recogniser_does_not_know(run):
    """Offline speech is US English; the message says what to do for others."""
    refused(run("run", RECORDINGS, "--language", "de-DE"), "US English only", "Amazon Transcribe")


def test_unknown_fault_of_the_local_endpoint(run):
    """`serve` lists the faults that it can play."""
    refused(run("serve", RECORDINGS, "--fault", "rain=1"), "The faults are", "throttle")


@pytest.mark.parametrize("name", ["a..b", "ab-"])
def test_name_that_no_bucket_has(run, name):
    """`serve` names its bucket as S3 would let it; the message has the whole rule."""
    refused(run("serve", RECORDINGS, "--bucket", name), f"--bucket {name}", "no two dots in a row")


def test_port_that_is_taken(run, cloud):
    """A port that is in use is named."""
    port = cloud().url.rpartition(":")[2]

    refused(run("serve", RECORDINGS, "--port", port), f"Port {port}")


def test_a_folder_has_no_events(run):
    """The recogniser for folders sends none, so a queue of them is a mistake."""
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/events"

    refused(run("run", RECORDINGS, "--events", url), "events goes with a bucket")


def test_options_that_only_the_service_has_are_refused_for_a_folder(run):
    """All of them are named at once, those of rules too, before anything is recognised."""
    (run.folder / "c.toml").write_text(
        '[transcribe]\nmax_speakers = 2\nredaction = "redacted"\n'
        '[[rules]]\ninclude = ["fr/**"]\nlanguage = "fr-FR"\nredaction = ""\n'
        'vocabulary = "calls-fr"\n'
    )

    outcome = run("run", RECORDINGS, "--config", "c.toml")

    refused(outcome, "max_speakers, redaction goes with a bucket", "vocabulary goes", "'fr-FR'")
