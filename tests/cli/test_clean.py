"""`clean`: the service forgets what was written long ago, and nothing else."""

from __future__ import annotations

import os
import pty
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from pipeline.jobs.cleanup import parse_age
from pipeline.state.cleanup import Cleaning, open_for_cleaning
from tests.conftest import SILENT, endpoint
from tests.support.between import between, refusal
from tests.support.state_files import SOURCE, begun, listed, written

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/t/")
NOW = ("clean", "--older-than", "0h", "--yes")
DELETE, GET, START = (f"{verb}TranscriptionJob" for verb in ("Delete", "Get", "Start"))


@pytest.fixture(autouse=True)
def _unhurried(run):
    """The tests that are about the quota set the rate themselves."""
    run.use(TRANSCRIBE_PIPELINE_DELETE_RATE="1000", TRANSCRIBE_PIPELINE_GET_RATE="1000")


def transcribe(service):
    """A client of another program."""
    return boto3.client(
        "transcribe", "us-east-1", endpoint_url=service.url,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def jobs(service):
    """The names of all jobs that the service knows."""
    pages: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = transcribe(service).list_transcription_jobs(MaxResults=100, **token)
        pages += [job["TranscriptionJobName"] for job in answer["TranscriptionJobSummaries"]]
        if "NextToken" not in answer:
            return set(pages)
        token = {"NextToken": answer["NextToken"]}


def calls(service, operation):
    """How often an operation was called."""
    return service.counts()["calls"].get(operation, 0)


def recorded(run, cloud, count, *options, cloud_options=()):
    """A cloud whose bucket has been transcribed."""
    service = cloud(*cloud_options)
    service.add(**{f"rec{n}": f"number {n}" for n in range(count)})
    assert run("run", "s3://audio/", *options).code == 0
    return service


def backdate(run, days, where="1"):
    """Have recordings been written so many days ago."""
    with closing(sqlite3.connect(run.folder / "tasks.jsonl.state")) as state, state:
        state.execute(
            f"UPDATE recordings SET changed = ? WHERE {where}", (time.time() - days * 86400,)
        )


def start_job(service, name, key):
    """Start a job as another program would, and wait for its end."""
    client = transcribe(service)
    client.start_transcription_job(
        TranscriptionJobName=name, Media={"MediaFileUri": f"s3://audio/{key}"}, LanguageCode="en-US"
    )
    while name not in {
        job["TranscriptionJobName"]
        for job in client.list_transcription_jobs(Status="COMPLETED", MaxResults=100)[
            "TranscriptionJobSummaries"
        ]
    }:
        time.sleep(0.05)


def lose_state(run):
    """Delete the state file and what SQLite keeps beside it, and the tasks."""
    for path in run.folder.glob("tasks.*"):
        path.unlink()


def test_the_service_forgets_what_was_written(run, cloud):
    """Every job of a written recording is deleted once; failed ones and other programs' stay."""
    service = cloud()
    service.add(one="first", two="second", bad="!Unsupported media format")
    run("run", "s3://audio/")
    [failed] = [line["job"] for line in run.failures()]
    start_job(service, "someone-elses", "one.mp3")

    outcome = run(*NOW, "--json")

    assert outcome.code == 0, outcome.err
    assert (outcome.summary["deleted"], outcome.summary["gone"]) == (2, 0)
    assert outcome.summary["calls"] == {GET: 2, DELETE: 2}
    assert jobs(service) == {failed, "someone-elses"}


def test_what_was_cleaned_is_not_asked_for_again(run, cloud):
    """A second time, with nothing new, makes no call at all."""
    service = recorded(run, cloud, 3)
    run(*NOW)
    service.add(more="another")
    run("run", "s3://audio/")

    new = run(*NOW, "--json").summary
    nothing = run(*NOW, "--json").summary

    assert (new["deleted"], new["calls"]) == (1, {GET: 1, DELETE: 1})
    assert (nothing["deleted"], nothing["calls"]) == (0, {})


@pytest.mark.parametrize("results", [RESULTS, ()], ids=["own bucket", "service bucket"])
def test_a_run_afterwards_starts_nothing(run, cloud, results):
    """Written is written: the next night lists and pays for nothing."""
    service = recorded(run, cloud, 4, *results)
    before = (run.folder / "tasks.jsonl").read_bytes()
    run(*NOW)

    outcome = run("run", "s3://audio/", *results, "--json")

    assert outcome.code == 0
    assert (outcome.counts["started"], outcome.counts["adopted"]) == (0, 0)
    assert set(service.counts()["created"].values()) == {1}
    assert (run.folder / "tasks.jsonl").read_bytes() == before


def test_only_what_is_old_enough_goes(run, cloud):
    """The age is that of the written task."""
    service = recorded(run, cloud, 6)
    backdate(run, 31, "key IN ('rec1.mp3', 'rec2.mp3')")
    backdate(run, 29, "key IN ('rec3.mp3')")

    outcome = run("clean", "--older-than", "30d", "--yes", "--json")

    assert outcome.summary["deleted"] == 2
    assert len(jobs(service)) == 4


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("30d", 2_592_000), ("8w", 4_838_400), ("0d", 0)]
)
def test_ages_are_hours_days_or_weeks(text, seconds):
    """A number and a unit."""
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["30", "", "d", "-1d", "1.5d", "30 d", "1y", "٣d", "1d\n"])
def test_other_ages_are_none(text):
    """What is no age is not guessed at."""
    with pytest.raises(ValueError, match="is no age"):
        parse_age(text)


def test_an_age_that_is_none_is_refused_in_a_sentence(run, cloud):
    """It deletes nothing, and says how an age is written."""
    service = recorded(run, cloud, 1)

    outcome = run("clean", "--older-than", "a month", "--yes")

    assert outcome.code == 2
    assert outcome.err == (
        "transcribe-pipeline: --older-than: 'a month' is no age. Write it as 12h, 30d or 8w.\n"
    )
    assert calls(service, DELETE) == 0


def test_without_an_age_nothing_is_deleted(run, cloud):
    """There is no age by default."""
    service = recorded(run, cloud, 1)

    outcome = run("clean", "--yes")

    assert outcome.code == 2
    assert "--older-than" in outcome.err
    assert calls(service, DELETE) == 0


def test_a_job_of_our_name_with_other_media_is_left_alone(run, cloud):
    """The service's word on a job's media counts, not its name alone."""
    service = recorded(run, cloud, 2)
    [name] = [t["data"]["job_id"] for t in run.tasks() if t["data"]["audio"].endswith("rec0.mp3")]
    transcribe(service).delete_transcription_job(TranscriptionJobName=name)
    start_job(service, name, "rec1.mp3")

    outcome = run(*NOW, "--json")

    assert outcome.code == 0
    assert (outcome.summary["deleted"], outcome.summary["left"]) == (1, {"of other media": 1})
    assert jobs(service) == {name}


def test_a_record_that_is_gone_is_fine(run, cloud):
    """The service forgets jobs by itself after 90 days, and people delete them."""
    service = recorded(run, cloud, 3)
    transcribe(service).delete_transcription_job(TranscriptionJobName=min(jobs(service)))

    outcome = run(*NOW, "--json")

    assert outcome.code == 0
    assert (outcome.summary["deleted"], outcome.summary["gone"]) == (2, 1)
    assert jobs(service) == set()


def test_a_clean_killed_at_any_moment_is_gone_on_with(run, cloud):
    """However it ended, the next one deletes what is left; what was noted is not asked for."""
    service = recorded(run, cloud, 60)
    run.use(TRANSCRIBE_PIPELINE_DELETE_RATE="20")
    for end in ("kill", "terminate"):
        before = calls(service, DELETE)
        with run.start(*NOW) as process:
            deadline = time.monotonic() + 30
            while calls(service, DELETE) < before + 10 and time.monotonic() < deadline:
                time.sleep(0.02)
            getattr(process, end)()
            process.communicate()
    assert process.returncode == 143
    before = calls(service, GET)
    left = len(jobs(service))

    outcome = run(*NOW, "--json")

    assert outcome.code == 0
    assert 0 < left <= 40
    assert outcome.summary["deleted"] == left
    assert outcome.summary["gone"] <= 8  # those whose deletion was under way
    assert calls(service, GET) - before == left + outcome.summary["gone"]
    assert jobs(service) == set()


def test_the_services_quota_is_found_and_kept(run, cloud):
    """Where the account takes fewer calls than the setting allows, every record still goes."""
    service = recorded(run, cloud, 40, cloud_options=("--delete-rate", "10"))
    run.use(TRANSCRIBE_PIPELINE_DELETE_RATE="30")

    outcome = run(*NOW, "--json")

    assert outcome.code == 0
    assert outcome.summary["deleted"] == 40
    assert 0 < service.counts()["refused"]["ThrottlingException"] < 40
    assert jobs(service) == set()


def test_a_budget_ends_it_with_work_left(run, cloud):
    """--max-hours is for the nights of a big backlog: 3, and the next one goes on."""
    service = recorded(run, cloud, 30)
    run.use(TRANSCRIBE_PIPELINE_DELETE_RATE="10")

    first = run(*NOW, "--max-hours", "0.0004", "--json")
    run.use(TRANSCRIBE_PIPELINE_DELETE_RATE="1000")
    second = run(*NOW, "--json")

    assert (first.code, second.code) == (3, 0)
    assert 0 < first.summary["deleted"] < 30
    assert jobs(service) == set()


def test_a_dry_run_prints_what_would_go_and_deletes_nothing(run, cloud):
    """The names on stdout, what it means on stderr, and no call to the service."""
    service = recorded(run, cloud, 3)
    before = service.counts()["calls"]

    outcome = run("clean", "--older-than", "0h", "--dry-run")

    assert outcome.code == 0
    printed = dict(line.split("  ") for line in outcome.out.splitlines())
    assert set(printed) == jobs(service)
    assert sorted(printed.values()) == [f"s3://audio/rec{n}.mp3" for n in range(3)]
    assert "3 recordings" in outcome.err
    assert service.counts()["calls"] == before | {"ListTranscriptionJobs": calls(
        service, "ListTranscriptionJobs")}  # fmt: skip


def test_it_asks_before_it_deletes(run, cloud):
    """On a terminal by a question; without one it is refused unless --yes is given."""
    service = recorded(run, cloud, 1)

    unasked = run("clean", "--older-than", "0h")
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"n\n")
        refused = run("clean", "--older-than", "0h", stdin=theirs)
        before = calls(service, DELETE)
        os.write(ours, b"y\n")
        agreed = run("clean", "--older-than", "0h", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (unasked.code, refused.code, agreed.code) == (2, 1, 0)
    assert "--yes" in unasked.err
    assert "Delete them?" in refused.err
    assert (before, calls(service, DELETE)) == (0, 1)


@pytest.mark.parametrize(
    ("results", "more", "said"),
    [
        (RESULTS, (), "stay: a lost state file can be rebuilt"),
        ((), (), "pays for these recordings again"),
        (RESULTS, ("--results-too",), "pays for these recordings again"),
    ],
    ids=["kept", "with the service", "results too"],
)
def test_what_can_not_be_done_afterwards_is_said_before(run, cloud, results, more, said):
    """Who deletes the only transcripts is told what a lost state file would then cost."""
    recorded(run, cloud, 1, *results)

    outcome = run("clean", "--older-than", "0h", *more)

    assert said in outcome.err
    assert ("pays" in outcome.err) == ("pays" in said)


def test_a_run_and_a_clean_do_not_work_side_by_side(run, cloud):
    """A run that rebuilds its output needs the transcripts: one of the two waits."""
    service = recorded(run, cloud, 1)
    service.add(slow="@20 second")
    with run.start("run", "s3://audio/") as process:
        while calls(service, START) < 2:
            time.sleep(0.02)
        outcome = run(*NOW)
        process.terminate()

    assert outcome.code == 2
    assert "Another run" in outcome.err
    assert calls(service, DELETE) == 0


def test_a_lost_state_file_is_mended_from_the_results_that_stay(run, cloud):
    """With --results nothing is paid for again, though the service knows no job any more."""
    service = recorded(run, cloud, 5, *RESULTS)
    run(*NOW)
    lose_state(run)

    outcome = run("run", "s3://audio/", *RESULTS, "--json")

    assert jobs(service) == set()
    assert (outcome.counts["started"], outcome.counts["written"]) == (0, 5)


def test_a_lost_state_file_costs_everything_where_nothing_stays(run, cloud):
    """Without --results it is paid for again, as was said before it was deleted."""
    recorded(run, cloud, 3)
    run(*NOW)
    lose_state(run)

    outcome = run("run", "s3://audio/", "--json")

    assert outcome.counts["started"] == 3


def test_results_go_when_they_are_named(run, cloud):
    """Only with --results-too, and only those of jobs that are due; the neighbours stay."""
    service = recorded(run, cloud, 3, *RESULTS)
    folder = service.folder / "t"
    for path in folder.glob("transcribe-pipeline-*.json"):
        path.with_suffix(".srt").write_text("the service's subtitles")
    backdate(run, 2, "key != 'rec0.mp3'")
    old = ("clean", "--older-than", "1d", "--yes", "--json")
    (folder / "notes.json").write_text("ours")
    run(*old)
    kept = len(list(folder.glob("transcribe-pipeline-*.json")))

    outcome = run(*old, "--results-too")

    assert kept == 3
    assert (outcome.code, outcome.summary["results"]) == (0, 4)  # and the subtitles
    assert (outcome.summary["deleted"], outcome.summary["calls"].get(GET, 0)) == (0, 0)
    assert len(list(folder.glob("transcribe-pipeline-*"))) == 2
    assert (folder / "notes.json").exists()
    assert run("run", "s3://audio/", *RESULTS, "--json").counts["started"] == 0


def test_the_jobs_of_earlier_content_go_too(run, cloud):
    """Of a recording that changed, the old job is forgotten as well, once it is old enough."""
    service = recorded(run, cloud, 1)
    service.add(rec0="changed since")
    run("run", "s3://audio/")

    young = run("clean", "--older-than", "1d", "--yes", "--json").summary
    old = run(*NOW, "--json").summary

    assert (young["deleted"], young["left"]) == (0, {"not that old": 1})
    assert old["deleted"] == 2
    assert jobs(service) == set()
    assert run(*NOW, "--json").summary["calls"] == {}


def test_a_bucket_of_earlier_content_is_read_by_the_page(tmp_path):
    """After a change of settings each recording has an old job; all are due, a few at a time."""
    path = tmp_path / "state"
    keys = [f"{number}.wav" for number in range(4_500)]
    with begun(path) as state:
        written(state, *keys)
        state.begin(SOURCE)
        listed(state, *keys, settings="others")

    with open_for_cleaning(path) as state:
        pages = list(state.due(Cleaning(time.time(), results_too=False)))

    assert len({each.identity for page in pages for each in page}) == len(keys)
    assert max(map(len, pages)) <= 2_000


def test_every_attempt_of_a_recording_goes(run, cloud):
    """A job that the service spoilt has a record of its own, under another name."""
    service = cloud("--fault", "internal_failure=0.3")
    service.add(**{f"rec{n}": f"number {n}" for n in range(30)})
    failed = run("run", "s3://audio/", "--json").counts["failed"]
    created = len(service.counts()["created"])

    outcome = run(*NOW, "--json")

    assert created > 30 + 2 * failed
    assert outcome.summary["gone"] == 0
    assert outcome.summary["deleted"] == created - 3 * failed
    assert len(jobs(service)) == 3 * failed


def test_a_missing_permission_is_one_sentence(run, cloud):
    """What was deleted before is noted, and the next run goes on."""
    service = recorded(run, cloud, 2)

    def reply(asked):
        if asked.operation == DELETE:
            return refusal(asked, "AccessDeniedException", "no")
        return asked.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        outcome = run(*NOW)

    assert outcome.code == 2
    assert "transcribe:DeleteTranscriptionJob is not allowed" in outcome.err
    assert "Traceback" not in outcome.err
    assert len(jobs(service)) == 2


def test_a_folder_has_nothing_to_clean(run, recordings):
    """A folder's jobs end with the program."""
    run("run", recordings, "--include", SILENT)

    outcome = run(*NOW)

    assert outcome.code == 2
    assert "nothing to clean" in outcome.err


def test_without_a_state_file_nothing_is_made(run):
    """A mistyped name is said, and leaves no lock or state behind."""
    outcome = run(*NOW, "--state", "nowhere.state")

    assert outcome.code == 2
    assert "There is no state file at nowhere.state" in outcome.err
    assert list(run.folder.iterdir()) == []


def transcripts(service):
    """The transcripts below --results."""
    return sorted(each.name for each in (service.folder / "t").rglob("*.json"))


def shortened(path):
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("change", [Path.unlink, shortened])
@pytest.mark.parametrize(
    ("results", "more"), [(RESULTS, ("--results-too",)), ((), ())], ids=["own bucket", "service"]
)
def test_the_only_other_copy_is_not_deleted(run, cloud, change, results, more):
    """Where the tasks are lost or changed, the transcripts that they are written from stay."""
    service = recorded(run, cloud, 2, *results)
    before = jobs(service), transcripts(service)
    change(run.folder / "tasks.jsonl")

    refused = run(*NOW, *more)

    assert refused.code == 2
    assert "tasks.jsonl" in refused.err
    assert "--rebuild-output" in refused.err
    assert (jobs(service), transcripts(service)) == before


def test_records_alone_may_go_where_the_transcripts_stay(run, cloud):
    """Without the tasks the service may forget jobs whose transcripts are in a bucket of ours."""
    service = recorded(run, cloud, 2, *RESULTS)
    (run.folder / "tasks.jsonl").unlink()

    assert run(*NOW).code == 0
    assert (jobs(service), len(transcripts(service))) == (set(), 2)
