"""What is refused is neither absent nor a recording's fault: nothing fails or is paid twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count

import pytest

from tests.conftest import endpoint
from tests.support.between import between, is_transcript, refusal

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/t/")
STATE = "tasks.jsonl.state"
START, GET = "StartTranscriptionJob", "GetTranscriptionJob"
KMS = "User: bob is not authorized to perform: kms:Decrypt on this resource"
OPTED_OUT = (
    "You must specify a value for outputBucketName because your account, 123456789012, has opted "
    "out of using your content for quality improvements."
)
UNREADABLE_MEDIA = (
    "The S3 URI that you provided can't be accessed. Make sure that you have read permission and "
    "try your request again."
)
places = pytest.mark.parametrize("options", [(), RESULTS], ids=["service bucket", "own bucket"])


def filled(service, number):
    """Put so many recordings into the bucket; return what their tasks will say."""
    service.add(**{f"rec{n}": f"number {n}" for n in range(number)})
    return {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(number)}


def paid_once(service, number):
    """Whether there is one job for each recording, made once."""
    created = service.counts()["created"]
    return len(created) == number and set(created.values()) == {1}


def refused_after(good, words=KMS):
    """Refuse every transcript but the first so many."""
    numbers = count()

    def reply(asked):
        if is_transcript(asked) and next(numbers) >= good:
            return refusal(asked, "AccessDenied", words, 403)
        return asked.forward()

    return reply


def run_through(run, service, reply, *arguments):
    """What a command comes to with that between it and the cloud; the way is free afterwards."""
    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run(*arguments)
    run.use(**endpoint(service.url))
    return outcome


@pytest.mark.parametrize(
    ("options", "good"),
    [
        ((), 0),
        (RESULTS, 4),
        pytest.param((), 4, marks=pytest.mark.long),
        pytest.param(RESULTS, 0, marks=pytest.mark.long),
    ],
)
def test_refused_transcripts_stop_the_run_and_cost_nothing(run, cloud, options, good):
    """After a handful starts stop, nothing has failed, and the same command collects it all."""
    service = cloud("--slots", "4", "--seconds", "0.4")
    texts = filled(service, 30)
    arguments = ("run", "s3://audio/", *options, "--json")

    stopped = run_through(run, service, refused_after(good), *arguments)
    started = len(service.counts()["created"])
    outcome = run(*arguments)

    assert stopped.code == 2
    assert "kms:Decrypt" in stopped.err
    assert (stopped.counts["failed"], started < 30) == (0, True)
    assert (outcome.code, run.texts()) == (0, texts)
    assert paid_once(service, 30)


def only(name):
    """Refuse that recording's transcript alone, by the name of its job."""

    def reply(asked):
        if is_transcript(asked) and name() in asked.path:
            return refusal(asked, "AccessDenied", KMS, 403)
        return asked.forward()

    return reply


@places
def test_transcript_that_alone_is_refused_fails_alone(run, cloud, options):
    """The others are written; `retry` reads the one again when it may be, from the same job."""
    service = cloud()
    texts = filled(service, 6)
    arguments = ("run", "s3://audio/", *options, "--json")

    first = run_through(
        run, service, only(lambda: next(iter(service.counts()["created"]))), *arguments
    )
    again = run_through(
        run, service, only(lambda: next(iter(service.counts()["created"]))), "retry"
    )
    outcome = run(*arguments)

    assert (first.code, first.summary["failures"]["reasons"]) == (1, {"transcript not readable": 1})
    assert (again.code, "1 with the one they have" in again.err) == (0, True)
    assert (outcome.code, run.texts()) == (0, texts)
    assert paid_once(service, 6)


def test_only_transcript_there_is_refused_stops_the_run(run, cloud):
    """Where no other one shows that it is refused alone, it is not failed."""
    service = cloud()
    texts = filled(service, 1)
    arguments = ("run", "s3://audio/", *RESULTS, "--json")

    stopped = run_through(run, service, refused_after(0), *arguments)
    outcome = run(*arguments)

    assert (stopped.code, stopped.counts["failed"]) == (2, 0)
    assert (outcome.code, run.texts(), paid_once(service, 1)) == (0, texts, True)


def test_forgotten_job_whose_transcript_is_refused_is_not_started_again(run, cloud):
    """A refused transcript may be there: the job that wrote it is not paid for a second time."""
    service = cloud()
    filled(service, 3)

    def reply(asked):
        if asked.operation == GET:
            return refusal(asked, "BadRequestException", "The requested job couldn't be found.")
        if is_transcript(asked):
            return refusal(asked, "AccessDenied", KMS, 403)
        return asked.forward()

    stopped = run_through(run, service, reply, "run", "s3://audio/", *RESULTS, "--json")

    assert (stopped.code, stopped.counts["failed"]) == (2, 0)
    assert paid_once(service, 3)


def test_rebuilding_goes_on_when_access_is_back(run, cloud):
    """Refused transcripts stop `tasks rebuild` as well, and the same command ends well later."""
    service = cloud()
    filled(service, 8)
    run("run", "s3://audio/", *RESULTS)
    arguments = ("tasks", "rebuild", "--task", "segments", "--json")

    stopped = run_through(run, service, refused_after(2), *arguments)
    outcome = run(*arguments)

    assert (stopped.code, "kms:Decrypt" in stopped.err) == (2, True)
    assert (outcome.code, len(run.tasks("tasks.segments.jsonl"))) == (0, 8)
    assert paid_once(service, 8)


def refused_starts(words, good=0):
    """Refuse every start but the first so many."""
    numbers = count()

    def reply(asked):
        if asked.operation == START and next(numbers) >= good:
            return refusal(asked, "BadRequestException", words)
        return asked.forward()

    return reply


@pytest.mark.parametrize("good", [0, 30, pytest.param(1, marks=pytest.mark.long)])
def test_right_to_read_that_is_revoked_fails_no_recording(run, cloud, good):
    """Whatever was started before, equal refusals stop the run; all are done when it is back."""
    service = cloud()
    texts = filled(service, 60)
    arguments = ("run", "s3://audio/", *RESULTS, "--json")

    stopped = run_through(run, service, refused_starts(UNREADABLE_MEDIA, good), *arguments)
    outcome = run(*arguments)

    assert stopped.code == 2
    assert "The S3 URI that you provided can't be accessed" in stopped.err
    assert stopped.counts["failed"] == 0
    assert (outcome.code, run.texts(), paid_once(service, 60)) == (0, texts, True)


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (OPTED_OUT, "--results s3://"),
        ("The bucket must be in the same region as the request.", "in one region"),
        ("Something that nobody has read yet.", "None of them has failed"),
        (UNREADABLE_MEDIA, "None of them has failed"),
    ],
)
def test_account_that_is_refused_fails_none_of_a_few_recordings(run, cloud, words, advice):
    """Fewer than twenty recordings stay pending too, and are done after the cure."""
    service = cloud()
    texts = filled(service, 3)

    stopped = run_through(run, service, refused_starts(words), "run", "s3://audio/", "--json")
    outcome = run("run", "s3://audio/", *RESULTS)

    assert (stopped.code, stopped.counts["failed"], stopped.counts["pending"]) == (2, 0, 3)
    assert words.rstrip(".") in stopped.err
    assert advice in stopped.err
    assert (outcome.code, run.texts()) == (0, texts)


def test_name_of_a_recording_is_not_taken_for_the_service_s_words(run, cloud):
    """A refusal that quotes a key of a vocabulary's name says nothing of a vocabulary."""
    service = cloud()
    service.add(vocabulary="first", other="second")
    words = "1 validation error: Value 's3://audio/vocabulary.mp3' at 'media.mediaFileUri' failed."

    def reply(asked):
        if asked.operation == START and b"/vocabulary.mp3" in asked.body:
            return refusal(asked, "BadRequestException", words)
        return asked.forward()

    outcome = run_through(run, service, reply, "run", "s3://audio/", "--json")

    assert (outcome.code, len(run.tasks())) == (1, 1), outcome.err


def test_recording_that_alone_may_not_be_read_fails_alone(run, cloud):
    """Where we may read another one and not this one, its refusal is its own."""
    service = cloud()
    filled(service, 4)

    def reply(asked):
        if "rec2" in asked.path or (asked.operation == START and b"rec2" in asked.body):
            return refusal(
                asked, "BadRequestException" if asked.operation else "AccessDenied",
                UNREADABLE_MEDIA, 400 if asked.operation else 403,
            )  # fmt: skip
        return asked.forward()

    outcome = run_through(run, service, reply, "run", "s3://audio/", "--json")

    assert outcome.code == 1, outcome.err
    assert outcome.summary["failures"]["reasons"] == {"media not accessible": 1}
    assert len(run.tasks()) == 3


def older(run):
    """Let eleven days pass for the state file's jobs."""
    with closing(sqlite3.connect(run.folder / STATE)) as state:
        state.execute("UPDATE recordings SET changed = changed - 1000000")
        state.commit()


def test_jobs_of_last_week_are_looked_at_before_they_are_given_up(run, cloud):
    """A run that begins later than a job may take finds the transcripts that are there."""
    service = cloud("--seconds", "3")
    texts = filled(service, 6)
    run("run", "s3://audio/", *RESULTS, "--max-hours", "0.0003")
    older(run)

    outcome = run("run", "s3://audio/", *RESULTS, "--json")

    assert (outcome.code, run.texts(), paid_once(service, 6)) == (0, texts, True)


def next_week(asked):
    """A service whose clock, and ours, have gone on for a week since the jobs were started."""
    answer = asked.forward()
    date = format_datetime(datetime.now(tz=UTC) + timedelta(days=7), usegmt=True)
    return answer._replace(headers=answer.headers | {"Date": date})


def test_job_that_runs_longer_than_allowed_by_the_services_clock_is_given_up(run, cloud):
    """It fails its recording alone after a look; `retry` asks for the same job again."""
    service = cloud()
    service.add(long="@4 last")
    run("run", "s3://audio/", *RESULTS, "--max-hours", "0.0003")
    older(run)
    arguments = ("run", "s3://audio/", *RESULTS, "--json")

    first = run_through(run, service, next_week, *arguments)
    put_back = run("retry")
    outcome = run(*arguments)

    assert first.summary["failures"]["reasons"] == {"job never ended": 1}
    assert "1 with the one they have" in put_back.err
    assert (outcome.code, len(run.tasks()), paid_once(service, 1)) == (0, 1, True)


@pytest.mark.parametrize("number", [1, 4])
def test_removed_transcript_of_a_job_in_flight_fails_alone(run, cloud, number):
    """A run that begins with it collects the others; nobody is told to allow anything."""
    service = cloud()
    filled(service, number)
    run("run", "s3://audio/", *RESULTS)
    (run.folder / "tasks.jsonl").unlink()
    with closing(sqlite3.connect(run.folder / STATE)) as state:
        state.execute("UPDATE recordings SET status = 2")
        state.execute("DELETE FROM meta WHERE name LIKE 'output%'")
        state.commit()
    next((service.folder / "t").glob("transcribe*.json")).unlink()

    seen = run("check", "s3://audio/", *RESULTS)
    outcome = run("run", "s3://audio/", *RESULTS, "--json")

    assert "is complete, but its transcript is not there" in seen.out
    assert outcome.code == 1, outcome.err
    assert outcome.summary["failures"]["reasons"] == {"job or transcript lost": 1}
    assert "Allow" not in outcome.err
    assert len(run.tasks()) == number - 1
