"""`push` where there is no Label Studio to answer; tests/label_studio has the real one."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.label_studio_server.outputs import add_tasks, many
from tests.support.small_label_studio import (
    PROJECT,
    TITLE,
    SmallLabelStudio,
    served,
)

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture
def labels(run):
    """A server with a project, which the commands of a test use."""
    labels = SmallLabelStudio()
    with served(labels, run):
        yield labels


@pytest.mark.parametrize("ledger", ["of this version", "of an earlier one"])
def test_what_was_pushed_before_is_counted(run, labels, ledger):
    """Three were there already, also where the ledger was written before it had that count."""
    add_tasks(run.folder, many(3))
    assert "3 pushed, 0 were there already" in run("push", "--project", PROJECT).err
    add_tasks(run.folder, many(1, of="late"))
    path = run.folder / "tasks.jsonl.pushed"
    places = json.loads(path.read_bytes())
    assert [place.pop("tasks") for place in places.values()] == [3]
    if ledger == "of an earlier one":
        path.write_text(json.dumps(places))

    outcome = run("push", "--project", PROJECT)
    again = run("push", "--project", PROJECT, "--again")

    assert "1 pushed, 3 were there already" in outcome.err
    assert "0 pushed, 4 were there already" in again.err
    assert len(labels.tasks) == 4


def test_a_recording_that_is_reviewed_is_said_to_stay(run, labels):
    """A second round says what it left alone, and how to have it otherwise."""
    add_tasks(run.folder, many(1))
    run("push", "--project", PROJECT)
    labels.review(labels.tasks[0], "as it was said")
    (run.folder / "second").mkdir()
    add_tasks(run.folder / "second", many(1), model="amazon-transcribe/de-DE", settings="de")

    outcome = run("push", "--project", PROJECT, "--output", "second/tasks.jsonl")

    assert outcome.code == 0
    assert "Kept:    1 of a recording that is reviewed stays as it is" in outcome.err
    assert len(labels.tasks) == 1


def test_a_sample_of_the_others_is_pushed_too_and_comes_back_as_one(run, labels):
    """The task and its `auto` line say so; a larger share later pushes more and nothing twice."""
    add_tasks(run.folder, many(20, of="sure") | {"unsure.mp3": "it may be so, or so"})
    bound = ("--project", PROJECT, "--review-below", "0.3", "--audit")

    said = run("push", *bound, "30%").err
    marked = [each for each in labels.tasks if each["meta"].get("audit")]
    waiting = [each for each in run.tasks("ground_truth.jsonl") if each.get("audit")]

    assert f"Audit:   {len(marked)} that need no review are among the tasks" in said
    assert 0 < len(marked) == len(labels.tasks) - 1 == len(waiting) < 20
    labels.review(marked[0], "as it was said")
    assert run("pull", "--project", PROJECT).code == 0
    lines = run.tasks("ground_truth.jsonl")
    assert [each["text"] for each in lines if each["source"] == "reviewed" and each["audit"]] == [
        "as it was said"
    ]
    assert sum(each["source"] == "auto" and each.get("audit", False) for each in lines) == (
        len(marked) - 1
    )
    more = json.loads(run("push", *bound, "0.6", "--json").out)
    assert more["sent"] > 0
    assert more["there"] == len(marked) + 1
    assert len({each["data"]["job_id"] for each in labels.tasks}) == len(labels.tasks)


def test_an_audit_of_tasks_that_are_there_marks_them(run, labels):
    """What else their `meta` says stays, and their reviews come back as the audit's."""
    add_tasks(run.folder, many(20, of="sure"))
    run("push", "--project", PROJECT)
    before = [each["meta"] for each in labels.tasks]

    assert run("push", "--project", PROJECT, "--review-below", "0.3", "--audit", "30%").code == 0

    marked = [each for each in labels.tasks if each["meta"].get("audit")]
    assert 0 < len(marked) < 20
    assert [each["meta"] | {"audit": True} for each in labels.tasks] == [
        each | {"audit": True} for each in before
    ]
    labels.review(marked[0], "as it was said")
    run("pull", "--project", PROJECT)
    lines = [each for each in run.tasks("ground_truth.jsonl") if each["source"] == "reviewed"]
    assert [each["audit"] for each in lines] == [True]


def test_a_share_of_the_tasks_gets_two_reviewers(run, labels):
    """The project is told once; what it was told stays where nothing is said of it."""
    add_tasks(run.folder, many(1))
    run("push", "--project", PROJECT)
    assert labels.patches == 0

    for _ in range(2):
        assert run("push", "--project", PROJECT, "--overlap", "10%").code == 0
    run("push", "--project", PROJECT)

    assert labels.settings == {"maximum_annotations": 2, "overlap_cohort_percentage": 10}
    assert labels.patches == 1


@pytest.mark.parametrize("share", ["150%", "-1%", "often", "nan"])
def test_an_audit_is_a_share_of_what_needs_no_review(run, labels, share):
    """A share that is none is refused, and so is one of nothing."""
    add_tasks(run.folder, many(1))

    assert run("push", "--project", PROJECT, "--review-below", "0.9", "--audit", share).code == 2
    nothing = run("push", "--project", PROJECT, "--audit", "5%")

    assert nothing.code == 2
    assert "--audit has nothing to draw from" in nothing.err
    assert not labels.tasks


def test_a_project_that_is_there_has_what_is_asked_for_or_is_refused(run, labels):
    """Its labeling configuration stays, so another one is refused before anything is sent."""
    add_tasks(run.folder, many(1))
    (run.folder / "same.xml").write_text(labeling_config(TaskKind.TRANSCRIPT) + "\n")
    (run.folder / "team.xml").write_text('<View><Audio name="audio" value="$audio"/></View>')

    other = run("push", "--create", TITLE, "--label-config", "team.xml")
    focus = run("push", "--create", TITLE, "--layout", "focus")

    assert (other.code, focus.code) == (2, 2)
    assert "is there already, and its labeling configuration is not that of team.xml" in other.err
    assert "its labeling configuration is not the layout focus" in focus.err
    assert labels.tasks == []
    assert run("push", "--create", TITLE, "--label-config", "same.xml").code == 0
    assert len(labels.tasks) == 1


def test_tasks_that_have_one_layout_get_no_project_of_another(run, labels):
    """A layout is of segments; a new project for whole texts is not made where one is named."""
    add_tasks(run.folder, many(1))

    outcome = run("push", "--create", "Another title", "--layout", "focus")

    assert outcome.code == 2
    assert "--layout would do nothing: these tasks are not of segments" in outcome.err
    assert labels.tasks == []


def test_playback_that_failed_is_repaired_by_a_later_push(run, labels):
    """Once the server can read the bucket, the next push adds the storage, with nothing to send."""
    labels.storages, labels.reads = [], False
    add_tasks(run.folder, many(1))

    deaf = [run("push", "--create", TITLE).err for _ in range(2)]
    labels.reads = True
    heard = [run("push", "--create", TITLE).err for _ in range(2)]

    assert ["Reviewers can't hear s3://calls yet" in each for each in deaf] == [True, True]
    assert "Forbidden" in deaf[1]
    assert ["Reviewers" in each for each in heard] == [False, False]
    assert [each["bucket"] for each in labels.storages] == ["calls"]


def test_playback_of_a_project_of_ours_is_repaired_by_its_number(run, labels):
    """The nightly push names the number of the project that an earlier one filled by its title."""
    labels.storages = []
    add_tasks(run.folder, many(1))
    run("push", "--create", TITLE)
    labels.storages = []

    assert "Reviewers" not in run("push", "--project", PROJECT).err
    assert [each["bucket"] for each in labels.storages] == ["calls"]


@pytest.mark.parametrize("ledger", ["of this version", "of an earlier one"])
def test_playback_of_a_project_of_someone_else_is_only_looked_at(run, labels, ledger):
    """Every push says that the bucket can't be heard; the storages are the owner's."""
    labels.storages = []
    add_tasks(run.folder, many(1))
    run("push", "--project", PROJECT)
    path = run.folder / "tasks.jsonl.pushed"
    if ledger == "of an earlier one":
        places = json.loads(path.read_bytes())
        of_then = {"size", "digest", "review_below", "sent_at"}
        path.write_text(
            json.dumps({k: {n: p[n] for n in p if n in of_then} for k, p in places.items()})
        )

    assert "Reviewers can't hear s3://calls yet" in run("push", "--project", PROJECT).err
    assert labels.storages == []


def test_a_bucket_that_the_server_cannot_read_any_more_is_told(run, labels):
    """A storage that push has made is tried on every push."""
    labels.storages = []
    add_tasks(run.folder, many(1))
    run("push", "--create", TITLE)
    labels.reads = False

    said = run("push", "--create", TITLE).err

    assert "Reviewers can't hear s3://calls: Label Studio can't read it" in said
    assert "iam policy --document label-studio" in said


def test_a_storage_is_where_the_run_finds_the_bucket(run, labels):
    """The environment's region and endpoint count as in a run."""
    labels.storages = []
    add_tasks(run.folder, many(1))
    run.use(AWS_REGION="eu-west-1", AWS_ENDPOINT_URL="http://s3.of.ours:9000")

    run("push", "--create", TITLE)

    [row] = labels.storages
    assert (row["region_name"], row["s3_endpoint"]) == ("eu-west-1", "http://s3.of.ours:9000")


def test_a_push_that_is_interrupted_at_once_knows_of_no_tasks(run):
    """Ctrl-C before the server has answered ends with 130, and nothing is said of the tasks."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run.use(LABEL_STUDIO_API_KEY="0" * 40)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with run.start("push", "--project", "1", "--url", url) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err == "transcribe-pipeline: interrupted; the same command goes on.\n"


def test_reviewers_are_not_left_to_find_out_that_no_browser_plays_amr(run, cloud):
    """The tasks are pushed, and a sentence says which can't be heard; a review knows the rest."""
    service, labels = cloud(), SmallLabelStudio()
    service.put("meier/a.amr", "from a phone")

    run.use(TRANSCRIBE_PIPELINE_KEY_PATTERN="{agent}/")
    run("run", "s3://audio/")
    with served(labels, run):
        pushed = run("push", "--project", "1")
        labels.review(labels.tasks[0], "from a phone")
        run("pull", "--project", "1")

    [review] = run.tasks("ground_truth.jsonl")
    assert "1 recording is AMR, which browsers do not play" in pushed.err
    assert (pushed.code, len(labels.tasks)) == (0, 1)
    assert review["metadata"] == {"agent": "meier"}
