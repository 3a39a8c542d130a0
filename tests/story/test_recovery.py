"""What was lost, damaged, refused or put off is gone on with, and never paid for twice."""

from __future__ import annotations

import time
from threading import Event

import pytest

from tests.conftest import endpoint
from tests.support.between import between, refusal

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/t/")
STATE = "tasks.jsonl.state"
START = "StartTranscriptionJob"
INPUT_UNREADABLE = (
    "The S3 URI that you provided can't be accessed. Make sure that you have read permission and "
    "try your request again."
)


def filled(service, count):
    """Put so many recordings into the bucket; return what their tasks will say."""
    service.add(**{f"rec{n}": f"number {n}" for n in range(count)})
    return {f"s3://audio/rec{n}.mp3": f"number {n}" for n in range(count)}


def paid_once(service):
    """Whether every job was created once, and none under a second name."""
    created = service.counts()["created"]
    return set(created.values()) == {1} and all(len(name.split("-")) == 4 for name in created)


def half_done(run, service, count, *options):
    """Start a run and kill it when so many jobs have ended."""
    with run.start("run", "s3://audio/", *options) as process:
        deadline = time.monotonic() + 30
        while not (run.folder / STATE).exists() or run_status(run)["recordings"]["written"] < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()


def run_status(run):
    """The facts that `status` tells; nothing is written while there is no state file."""
    outcome = run("status", "--json")
    return outcome.summary if outcome.code == 0 else {"recordings": {"written": 0}}


def lose_state(run):
    """Delete the state file and what SQLite keeps beside it."""
    for path in run.folder.glob(f"{STATE}*"):
        path.unlink()


def test_state_file_lost_half_way_starts_nothing_that_has_a_result(run, cloud):
    """Finished jobs are found by one listing of the results: not even a Start call is made."""
    service = cloud("--slots", "6", "--seconds", "0.3")
    texts = filled(service, 40)
    half_done(run, service, 5, *RESULTS)
    lose_state(run)
    running = set(service.counts()["created"])
    time.sleep(0.5)  # what was in flight ends, and has a result
    before = service.counts()["calls"][START]

    outcome = run("run", "s3://audio/", *RESULTS, "--rebuild-output")

    calls = service.counts()["calls"][START] - before
    refused = service.counts()["refused"].get("LimitExceededException", 0)
    assert outcome.code == 0, outcome.err
    assert (run.texts(), len(run.tasks())) == (texts, 40)
    assert paid_once(service)
    assert calls <= 40 - len(running) + refused


def test_state_file_lost_half_way_without_results_adopts_by_name(run, cloud):
    """Where the service keeps the transcripts, every existing job is met again and adopted."""
    service = cloud("--slots", "6", "--seconds", "0.3")
    texts = filled(service, 30)
    half_done(run, service, 5)
    lose_state(run)

    refused = run("run", "s3://audio/")
    outcome = run("run", "s3://audio/", "--rebuild-output", "--json")

    assert (refused.code, "--rebuild-output" in refused.err) == (2, True)
    assert outcome.code == 0, outcome.err
    assert outcome.counts["adopted"] >= 5
    assert (run.texts(), len(run.tasks())) == (texts, 30)
    assert paid_once(service)


def damage(path):
    """Overwrite what an SQLite file begins with."""
    with path.open("r+b") as file:
        file.write(b"\xff" * 2000)


def test_damaged_state_file_is_refused_and_rebuilt_on_request(run, cloud):
    """A damaged state file stops the run; with --rebuild-state it goes on without a new job."""
    service = cloud()
    texts = filled(service, 8)
    run("run", "s3://audio/", *RESULTS)
    damage(run.folder / STATE)
    service.add(late="a new one")

    refused = run("run", "s3://audio/", *RESULTS)
    outcome = run("run", "s3://audio/", *RESULTS, "--rebuild-state", "--json")

    assert refused.code == 2
    assert "damaged" in refused.err
    assert "--rebuild-state" in refused.err
    assert (outcome.code, outcome.counts["started"]) == (0, 1)
    assert run.texts() == texts | {"s3://audio/late.mp3": "a new one"}


def shorten(path):
    path.write_bytes(path.read_bytes()[:-20])


def replace(path):
    path.write_bytes(b"x" * len(path.read_bytes()))


def edit_the_end(path):
    path.write_bytes(path.read_bytes().replace(b"number 7", b"number 8"))


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"{}\n")


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    "change",
    [shorten, edit_the_end, lengthen, remove, pytest.param(replace, marks=pytest.mark.long)],
)
def test_output_changed_by_someone_is_refused_and_rebuilt_on_request(run, cloud, change):
    """Nothing is appended to a file that is not what was written; it is rebuilt without a job."""
    service = cloud()
    texts = filled(service, 8)
    run("run", "s3://audio/", *RESULTS)
    change(run.folder / "tasks.jsonl")

    refused = run("run", "s3://audio/", *RESULTS)
    outcome = run("run", "s3://audio/", *RESULTS, "--rebuild-output", "--json")

    assert refused.code == 2
    assert "--rebuild-output" in refused.err
    assert (outcome.code, outcome.counts["started"], outcome.counts["written"]) == (0, 0, 8)
    assert (run.texts(), len(run.tasks())) == (texts, 8)
    assert service.counts()["calls"][START] == 8


def test_output_rebuilt_twice_keeps_both_that_were_there(run, cloud):
    """What is put aside never takes the place of what was put aside before."""
    filled(cloud(), 3)
    run("run", "s3://audio/", *RESULTS)
    first = (run.folder / "tasks.jsonl").read_bytes()
    run("run", "s3://audio/", *RESULTS, "--rebuild-output")
    shorten(run.folder / "tasks.jsonl")
    run("run", "s3://audio/", *RESULTS, "--rebuild-output")

    assert (run.folder / "tasks.jsonl.old").read_bytes() == first
    assert (run.folder / "tasks.jsonl.old.1").is_file()


BAD = {
    "noise": "!The data in your input media file isn't valid.",
    "odd": "!Unsupported media format",
    "odd2": "!Unsupported media format",
}


def with_failures(service):
    """Two good recordings and three bad ones, of two kinds."""
    service.add(one="first", two="second", **BAD)


def test_failures_file_tells_everything_and_is_private(run, cloud):
    """Beside the output each failure has one line: where, why, what to do, how often tried."""
    with_failures(cloud())

    run("run", "s3://audio/")

    [noise] = [each for each in run.failures() if each["uri"] == "s3://audio/noise.mp3"]
    path = run.folder / "tasks.failures.jsonl"
    assert noise["reason"] == "not valid media"
    assert noise["message"] == BAD["noise"][1:]
    assert (noise["advice"] is not None, noise["attempts"]) == (True, 1)
    assert len(run.failures()) == 3
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(run.folder.glob("*.part"))


def test_failures_file_goes_when_nothing_failed(run, cloud):
    """When the failed recordings are gone or good, no old failures file is left."""
    service = cloud()
    with_failures(service)
    run("run", "s3://audio/")
    service.add(noise="now good", odd="now good", odd2="now good")

    outcome = run("run", "s3://audio/")

    assert outcome.code == 0, outcome.err
    assert not (run.folder / "tasks.failures.jsonl").exists()


def test_retried_recordings_get_a_new_job_under_a_new_name(run, cloud):
    """`retry` puts failures back; the next run transcribes them and nothing else."""
    service = cloud()
    with_failures(service)
    run("run", "s3://audio/")

    put_back = run("retry")
    outcome = run("run", "s3://audio/", "--json")

    assert "3 put back" in put_back.err
    assert (outcome.counts["started"], outcome.counts["failed"]) == (3, 3)
    assert {each["attempts"] for each in run.failures()} == {2}
    assert {each["job"][-2:] for each in run.failures()} == {"-2"}
    assert set(service.counts()["created"].values()) == {1}


def test_retry_of_one_reason_leaves_the_others(run, cloud):
    """With --reason only failures of that class are put back."""
    with_failures(cloud())
    run("run", "s3://audio/")

    run("retry", "--reason", "unsupported format")
    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["started"] == 2
    assert sorted(each["attempts"] for each in run.failures()) == [1, 2, 2]


def test_retry_of_an_unknown_reason_names_the_known_ones(run, cloud):
    """A reason for which nothing failed is refused, and nothing is put back."""
    with_failures(cloud())
    run("run", "s3://audio/")

    refused = run("retry", "--reason", "bad weather")
    outcome = run("run", "s3://audio/", "--json")

    assert refused.code == 2
    assert "not valid media, unsupported format" in refused.err
    assert outcome.counts["started"] == 0


def test_failures_file_is_a_manifest(run, cloud):
    """The failures of one run can be the source of another one with its own output."""
    service = cloud()
    with_failures(service)
    run("run", "s3://audio/")
    service.add(noise="mended")

    outcome = run(
        "run", "s3://audio/", "--manifest", "tasks.failures.jsonl", "--output", "b.jsonl", "--json"
    )

    assert (outcome.counts["listed"], outcome.counts["failed"]) == (3, 2)
    assert run.texts("b.jsonl") == {"s3://audio/noise.mp3": "mended"}


def test_run_in_which_nothing_can_be_started_is_stopped(run, cloud):
    """When the first twenty are refused alike the run ends with 2, and all of them are pending."""
    service = cloud()
    texts = filled(service, 60)

    def reply(asked):
        if asked.operation == START:
            return refusal(asked, "BadRequestException", INPUT_UNREADABLE)
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        stopped = run("run", "s3://audio/", *RESULTS, "--json")
    run.use(**endpoint(service.url))
    outcome = run("run", "s3://audio/", *RESULTS)

    assert stopped.code == 2
    assert "can't be accessed" in stopped.err
    assert (stopped.counts["failed"], stopped.counts["pending"]) == (0, 60)
    assert (outcome.code, run.texts()) == (0, texts)


def test_limit_stops_the_run_with_work_left(run, cloud):
    """With --limit a run takes so many recordings, says what is left and ends with 3."""
    service = cloud()
    texts = filled(service, 10)

    first = run("run", "s3://audio/", "--limit", "4", "--json")
    second = run("run", "s3://audio/", "--limit", "6", "--json")

    assert (first.code, first.counts["written"], first.counts["pending"]) == (3, 4, 6)
    assert (second.code, second.counts["written"], second.counts["pending"]) == (0, 6, 0)
    assert run.texts() == texts


def test_limit_met_while_the_source_is_listed_leaves_work(run, cloud):
    """What is not listed yet is work that is left, though nothing that was listed is pending."""
    service, ended = cloud(), Event()
    filled(service, 4)

    def reply(asked):
        if "continuation-token=" in asked.path:
            ended.wait(20)
        elif "list-type=2" in asked.path:
            asked.path += "&max-keys=2"
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run("run", "s3://audio/", "--limit", "2", "--json")
        ended.set()

    assert (outcome.code, outcome.counts["written"], outcome.counts["pending"]) == (3, 2, 0)


def next_minute_in(seconds):
    """A time zone whose next full minute is so many seconds away, and that minute."""
    moment = int(time.time()) + seconds
    ahead = -moment % 60
    return f"AAA-0:00:{ahead:02}", time.strftime("%H:%M", time.gmtime(moment + ahead))


@pytest.mark.parametrize(("budget", "seconds"), [("until", 12), ("max_hours", 5)])
def test_time_that_is_over_stops_the_run_with_work_left(run, cloud, budget, seconds):
    """With --until or --max-hours a run ends with 3, says what is left, and the next goes on."""
    service = cloud()
    service.add(short="first", long=f"@{seconds} last")
    zone, minute = next_minute_in(7)
    run.use(TZ=zone)
    options = ("--until", minute) if budget == "until" else ("--max-hours", "0.0005")

    first = run("run", "s3://audio/", *options)
    outcome = run("run", "s3://audio/", "--json")

    assert first.code == 3, first.err
    assert "Next:    run the same command again" in first.err
    assert " + 0 pending" not in first.err
    assert (outcome.code, outcome.counts["started"], len(run.tasks())) == (0, 0, 2)
    assert paid_once(service)


def key_file(run, key_id):
    """Write a credentials file with this key, as tools that renew sessions do."""
    path = run.folder / "credentials"
    path.write_text(
        f"[default]\naws_access_key_id={key_id}\naws_secret_access_key=s\naws_session_token=t\n"
    )
    return path


@pytest.mark.parametrize("renewed", [True, False], ids=["renewed", "not renewed"])
def test_expired_token_is_renewed_or_stops_the_run(run, cloud, renewed):
    """The run takes up new credentials; where there are none it ends with 2 and can be gone on."""
    service = cloud("--slots", "3", "--seconds", "0.2")
    texts = filled(service, 12)
    expired = Event()

    def reply(asked):
        if asked.key_id == "OLD" and len(service.counts()["created"]) >= 4:
            if renewed and not expired.is_set():
                key_file(run, "NEW")
            expired.set()
            return refusal(asked, "ExpiredTokenException", "The security token is expired")
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url), AWS_SHARED_CREDENTIALS_FILE=str(key_file(run, "OLD")))
        del run.env["AWS_ACCESS_KEY_ID"], run.env["AWS_SECRET_ACCESS_KEY"]
        first = run("run", "s3://audio/")
        key_file(run, "NEW")
        outcome = run("run", "s3://audio/")

    assert (first.code, expired.is_set()) == (0 if renewed else 2, True)
    assert ("session token has expired" in first.err) is not renewed
    assert (outcome.code, run.texts(), len(run.tasks())) == (0, texts, 12)
    assert paid_once(service)


def test_a_key_that_a_manifest_names_five_times_is_one_recording(run, cloud):
    """One that fails is no task, and the balance says how often it was named once more."""
    cloud().add(good="first", bad="!Unsupported media format")
    (run.folder / "keys.txt").write_text("bad.mp3\n" * 5 + "good.mp3\n" * 2)

    outcome = run("run", "s3://audio/", "--manifest", "keys.txt", "--json")
    again = run("run", "s3://audio/", "--manifest", "keys.txt", "--json")

    stands = {"listed": 7, "written": 1, "failed": 1, "skipped": 0, "pending": 0, "duplicates": 5}
    for each in (outcome, again):
        assert each.code == 1
        assert each.summary["balance"] == stands | {"tasks": 1, "contents": 1}
    assert len(run.tasks()) == 1
    assert "named more than once" in run("run", "s3://audio/", "--manifest", "keys.txt").err
