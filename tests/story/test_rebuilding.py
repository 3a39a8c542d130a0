"""Tasks of the other kind from results that exist."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import SILENT, endpoint

if TYPE_CHECKING:
    from tests.conftest import Cli, Outcome

pytestmark = pytest.mark.usefixtures("in_this_process")

RESULTS = ("--results", "s3://audio/transcripts/")
NEW = "tasks.segments.jsonl"


def rebuilt(run: Cli, *more: str) -> Outcome:
    return run("tasks", "rebuild", "--task", "segments", "--json", *more)


def said(run: Cli, name: str = NEW) -> dict[str, list[str]]:
    """What is said in each recording, segment by segment."""
    return {
        task["data"]["audio"]: [
            text
            for result in task["predictions"][0]["result"]
            for text in result["value"].get("text", ())
        ]
        for task in run.tasks(name)
    }


def starts(service: Any) -> int:
    """How many jobs were started, or tried to be."""
    found: int = service.counts()["calls"].get("StartTranscriptionJob", 0)
    return found


@pytest.mark.parametrize(
    ("results", "calls"),
    [(RESULTS, {"GetObject": 20}), ((), {"GetTranscriptionJob": 20, "GetObject": 20})],
    ids=["own bucket", "service bucket"],
)
def test_every_task_is_written_as_the_other_kind(run, cloud, results, calls):
    """The same recordings and job ids, as segments; no listing, no start, one read or question."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(20)})
    run("run", "s3://audio/", *results)
    before = starts(service)

    outcome = rebuilt(run)

    assert outcome.code == 0
    assert said(run) == {f"s3://audio/rec{n}.mp3": [f"number {n}"] for n in range(20)}
    assert len(run.tasks(NEW)) == 20
    assert {t["data"]["job_id"] for t in run.tasks(NEW)} == {
        t["data"]["job_id"] for t in run.tasks()
    }
    assert outcome.summary["calls"] == calls
    assert starts(service) == before


def test_a_second_time_adds_only_what_is_new(run, cloud):
    """Behind every night's run the new tasks follow, each once, and the old ones stay."""
    service = cloud()
    service.add(one="first", two="second")
    run("run", "s3://audio/", *RESULTS)
    rebuilt(run)
    before = (run.folder / NEW).read_bytes()
    nothing = rebuilt(run).summary
    service.add(two="changed", three="third")
    run("run", "s3://audio/", *RESULTS)

    outcome = rebuilt(run)

    after = (run.folder / NEW).read_bytes()
    assert (nothing["counts"]["written"], nothing["balance"]["written"]) == (0, 2)
    assert (outcome.counts["written"], outcome.counts["tasks"]) == (2, 4)
    assert after.startswith(before)
    assert said(run)["s3://audio/two.mp3"] == ["changed"]


def test_a_rebuild_killed_at_any_moment_is_completed_by_the_next(run, cloud):
    """However often it is killed, each task is in the file once, and no job was started."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(150)})
    run("run", "s3://audio/", *RESULTS)
    before = starts(service)
    moments = random.Random(1)
    for _ in range(5):
        with run.start("tasks", "rebuild", "--task", "segments") as process:
            time.sleep(moments.uniform(0.4, 1.2))
            process.kill()

    outcome = rebuilt(run)

    assert outcome.code == 0
    assert len(run.tasks(NEW)) == len(said(run)) == 150
    assert starts(service) == before


def test_a_transcript_that_is_gone_is_a_failure_and_no_job(run, cloud):
    """What can't be read any more fails with its reason; nothing is transcribed a second time."""
    cloud().add(one="first", two="second")
    run("run", "s3://audio/")
    another_that_knows_no_job = cloud()

    outcome = rebuilt(run)

    assert outcome.code == 1
    assert (outcome.counts["failed"], outcome.counts["written"]) == (2, 0)
    assert starts(another_that_knows_no_job) == 0


def test_what_failed_is_tried_again_by_the_next_rebuild(run, cloud):
    """A service that did not know the jobs for once costs no task, and no job is started."""
    service = cloud()
    service.add(one="first", two="second")
    run("run", "s3://audio/")
    before = starts(service)
    cloud()  # another one, that knows no job

    assert rebuilt(run).code == 1
    run.use(**endpoint(service.url))
    outcome = rebuilt(run)

    assert (outcome.code, len(run.tasks(NEW))) == (0, 2)
    assert starts(service) == before


def test_what_another_run_left_waiting_is_not_started(run, cloud):
    """A run that filled the new file in part left recordings pending: their results are read."""
    service = cloud()
    service.add(**{f"rec{n}": f"number {n}" for n in range(6)})
    run("run", "s3://audio/", "--task", "segments", "--output", NEW, "--limit", "2")
    run("run", "s3://audio/")
    before = starts(service)

    outcome = rebuilt(run)

    assert outcome.code == 0
    assert len(run.tasks(NEW)) == len(said(run)) == 6
    assert starts(service) == before


def test_a_run_goes_on_with_the_new_file(run, cloud):
    """The new file is an output as any other: a run over the bucket finds everything written."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/", *RESULTS)
    rebuilt(run)
    service.add(two="second")

    outcome = run("run", "s3://audio/", *RESULTS, "--task", "segments", "--output", NEW, "--json")

    assert (outcome.code, outcome.counts["started"], outcome.counts["written"]) == (0, 1, 1)


def test_the_predictions_keep_their_name(run, cloud):
    """The model version is what the run wrote, without naming the language once more."""
    cloud().add(one="first")
    run("run", "s3://audio/", "--language", "en-GB")

    rebuilt(run)

    [task] = run.tasks(NEW)
    assert task["predictions"][0]["model_version"] == "amazon-transcribe/en-GB"


@pytest.mark.parametrize("own", ["tasks.jsonl", "./tasks.jsonl", "tasks.jsonl.state"])
def test_the_runs_own_files_are_not_written_to(run, cloud, own):
    """A rebuild into the file it stands on is refused, and says what to do instead."""
    cloud().add(one="first")
    run("run", "s3://audio/")
    before = (run.folder / "tasks.jsonl").read_bytes()

    outcome = rebuilt(run, "--to", own)

    assert outcome.code == 2
    assert "--rebuild-output --task segments" in outcome.err
    assert (run.folder / "tasks.jsonl").read_bytes() == before


def test_one_output_holds_one_kind(run, cloud):
    """A run with another --task is refused before it writes, and --rebuild-output turns it all."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/", *RESULTS)
    service.add(two="second")

    status = run("status", "--json").summary
    refused = run("run", "s3://audio/", *RESULTS, "--task", "segments")
    still = run("status", "--json").summary
    before = starts(service)
    turned = run("run", "s3://audio/", *RESULTS, "--task", "segments", "--rebuild-output")

    assert refused.code == 2
    assert "holds tasks of the kind transcript, not segments" in refused.err
    assert (still.get("stopped"), still["counts"]) == (None, status["counts"])
    assert before == 1
    assert turned.code == 0
    assert sorted(said(run, "tasks.jsonl").values()) == [["first"], ["second"]]


def test_a_folders_tasks_can_not_be_rebuilt(run, recordings):
    """A folder's transcripts are not kept, which is said instead of failing one by one."""
    run("run", recordings, "--include", SILENT)

    outcome = rebuilt(run)

    assert outcome.code == 2
    assert "only a bucket's transcripts are kept" in outcome.err


def test_other_job_names_are_refused(run, cloud):
    """With another job_prefix no result would be found, which is told before every one fails."""
    cloud().add(one="first")
    run("run", "s3://audio/")
    run.use(TRANSCRIBE_PIPELINE_JOB_PREFIX="other")

    outcome = rebuilt(run)

    assert outcome.code == 2
    assert "Put job_prefix back" in outcome.err
