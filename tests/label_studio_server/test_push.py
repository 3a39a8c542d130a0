"""Tasks go into a real project, each once and with its prediction, whatever happens on the way."""

from __future__ import annotations

import json
import random
import shutil
import signal
import threading
import time
import uuid
from typing import TYPE_CHECKING

import msgspec
import pytest

from benchmarks.beside_reviewer import Reviewer, number_of
from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.conftest import ScriptedCloud
from tests.label_studio_server.outputs import add_tasks, many, transcript
from tests.support.between import Answer, between

if TYPE_CHECKING:
    from pipeline.model import Transcript

CONFIG = labeling_config(TaskKind.TRANSCRIPT)
OTHER_CONFIG = (
    '<View><Text name="document" value="$text"/>'
    '<Choices name="mood" toName="document"><Choice value="good"/></Choices></View>'
)
TEXT_AREA = {"from_name": "transcription", "to_name": "audio", "type": "textarea"}
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def push(run, label_studio):
    """The command `push`, with the address and token of the server."""
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    return lambda *arguments: run("push", *arguments)


@pytest.fixture
def project(label_studio):
    """The number of a new project that is made for the tasks."""
    return label_studio.create_project(CONFIG, f"Calls {uuid.uuid4().hex[:8]}")


def texts_in(label_studio, project) -> dict[str, str]:
    """The predicted text of each task of a project by its key; each is there once, with one."""
    tasks = label_studio.tasks(project)
    assert {len(task["predictions"]) for task in tasks} <= {1}
    found = {
        task["data"]["audio"].removeprefix("s3://calls/"): text_of(task["predictions"][0])
        for task in tasks
    }
    assert len(found) == len(tasks)
    return found


def text_of(prediction) -> str:
    text: str = prediction["result"][0]["value"]["text"][0]
    return text


def report_of(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize("kind", list(TaskKind))
def test_tasks_of_the_demo_are_there_once_however_often_they_are_pushed(
    run, recordings, push, label_studio, kind
):
    """The bundled recordings' tasks, pushed twice and once more without memory, are there once."""
    run("run", recordings, "--task", kind)
    title = f"Demo {uuid.uuid4().hex[:8]}"

    reports = [report_of(push("--create", title, "--json")) for _ in range(2)]
    (run.folder / "tasks.jsonl.pushed").unlink()
    reports.append(report_of(push("--create", title, "--json")))

    assert [(each["sent"], each["there"]) for each in reports] == [(16, 0), (0, 16), (0, 16)]
    assert [each["created"] for each in reports] == [True, False, False]
    pushed = label_studio.tasks(reports[0]["project"])
    assert [task["predictions"][0]["result"] for task in pushed] == [
        task["predictions"][0]["result"] for task in run.tasks()
    ]
    assert {len(task["predictions"]) for task in pushed} == {1}
    assert [task["data"] for task in pushed] == [task["data"] for task in run.tasks()]


def test_nightly_push_adds_only_what_is_new(run, push, label_studio, project):
    """What was pushed last night is not even asked for; what a reviewer did stays."""
    add_tasks(run.folder, many(3))
    push("--project", project)
    first = label_studio.tasks(project)[0]
    label_studio.annotate(first["id"], first["predictions"][0]["result"])
    add_tasks(run.folder, many(2, of="late"))

    report = report_of(push("--project", project, "--json"))

    assert (report["sent"], report["there"]) == (2, 3)
    assert texts_in(label_studio, project) == many(3) | many(2, of="late")
    [kept] = [task for task in label_studio.tasks(project) if task["id"] == first["id"]]
    assert kept["total_annotations"] == 1


def test_texts_arrive_letter_by_letter(run, push, label_studio, project):
    """Any Unicode, markup, line ends and empty texts come through unchanged."""
    odd = {
        "Grüße/電話 🚆.mp3": "Grüße 電話 🚆 \u2028 \u0085 \ufeff e\u0301",
        "html.mp3": '<script>alert("1")</script> & </View>',
        "lines.mp3": "one\ntwo\r\n\tthree  ",
        "empty.mp3": "",
        "long.mp3": "word " * 20_000,
        "a//b/../c?d#e%41+f.mp3": "odd key",
    }
    add_tasks(run.folder, odd)

    report_of(push("--project", project, "--json"))

    assert texts_in(label_studio, project) == odd | {"empty.mp3": ""}


def test_push_killed_at_random_moments_is_completed_by_the_next(run, push, label_studio, project):
    """SIGKILL and SIGINT again and again, also while a batch is at the server: nothing doubled."""
    add_tasks(run.folder, many(2000))
    moments = random.Random(1)
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        with run.start("push", "--project", project) as process:
            time.sleep(moments.uniform(0.8, 2.5))
            process.send_signal(number)
            process.communicate(timeout=30)

    report = report_of(push("--project", project, "--json"))

    assert texts_in(label_studio, project) == many(2000)
    assert report["doubled"] == 0


@pytest.mark.parametrize("memory", ["kept", "lost"])
def test_push_killed_between_two_batches_doubles_nothing(run, push, label_studio, project, memory):
    """Killed when the first batch has arrived, with its memory or without it."""
    add_tasks(run.folder, many(500))
    looked_up: list[str] = []

    def reply(asked):
        looked_up.extend([asked.path] * ("data.job_id" in asked.path))
        if len(looked_up) == 2:
            process.kill()
        return asked.forward()

    with (
        between(ScriptedCloud(run.folder, label_studio.url), reply) as url,
        run.start("push", "--project", project, "--url", url) as process,
    ):
        process.communicate(timeout=60)
    assert len(texts_in(label_studio, project)) == 200
    if memory == "lost":
        (run.folder / "tasks.jsonl.pushed").unlink()

    report = report_of(push("--project", project, "--json"))

    assert (report["sent"], report["there"]) == (300, 200)
    assert texts_in(label_studio, project) == many(500)


def test_interrupted_push_says_that_it_goes_on(run, push, label_studio, project):
    """Ctrl-C ends it with 130 and what was done so far; the same command completes it."""
    add_tasks(run.folder, many(500))
    looked_up: list[str] = []

    def reply(asked):
        looked_up.extend([asked.path] * ("data.job_id" in asked.path))
        if len(looked_up) == 2:
            process.send_signal(signal.SIGINT)
        return asked.forward()

    with (
        between(ScriptedCloud(run.folder, label_studio.url), reply) as url,
        run.start("push", "--project", project, "--url", url) as process,
    ):
        _, err = process.communicate(timeout=60)
    report = report_of(push("--project", project, "--url", label_studio.url, "--json"))

    assert process.returncode == 130
    assert "200 pushed, 0 were there already" in err
    assert "interrupted; the same command goes on." in err
    assert report["sent"] == 300
    assert texts_in(label_studio, project) == many(500)


def test_batch_whose_answer_was_lost_is_not_sent_again(run, label_studio, project):
    """A connection cut after the server took a batch: it is looked up, and found."""
    add_tasks(run.folder, many(300))
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)
    cut: list[str] = []

    def reply(asked):
        answer = asked.forward()
        if "/import" in asked.path and not cut:
            cut.append(asked.path)
            return Answer(0, None, {})
        return answer

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        report = report_of(run("push", "--project", project, "--url", url, "--json"))

    assert (len(cut), report["sent"], report["doubled"]) == (1, 300, 0)
    assert texts_in(label_studio, project) == many(300)


def test_answer_that_comes_too_late_doubles_nothing(run, label_studio, project):
    """A proxy gives up while the server still works on a batch: the push waits for the outcome."""
    add_tasks(run.folder, many(100))
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)
    slow: list[threading.Timer] = []

    def reply(asked):
        if "/import" in asked.path and not slow:
            slow.append(threading.Timer(4, asked.forward))
            slow[0].start()
            return Answer(504, b"<html>Gateway Time-out</html>", {"Content-Type": "text/html"})
        return asked.forward()

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        outcome = run("push", "--project", project, "--url", url, "--json")
    slow[0].join()

    report = report_of(outcome)
    assert (report["sent"], report["doubled"]) == (100, 0)
    assert outcome.err.count("looking whether they arrive, for up to") == 1
    assert texts_in(label_studio, project) == many(100)


def test_push_that_fails_half_way_says_how_far_it_came(run, label_studio, project):
    """What stops it comes with the counts of what is done; the same command does the rest."""
    add_tasks(run.folder, many(300))
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)
    imports: list[str] = []

    def reply(asked):
        imports.extend([asked.path] * ("/import" in asked.path))
        if len(imports) == 2:
            return Answer(403, b'{"detail": "No more."}', {"Content-Type": "application/json"})
        return asked.forward()

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        outcome = run("push", "--project", project, "--url", url)

    assert outcome.code == 2
    assert "Tasks:   200 pushed, 0 were there already" in outcome.err
    assert "does not let this token's user do that (No more.)" in outcome.err


def too_sure(text: str) -> Transcript:
    """What no server takes when it is strict: a score over 1."""
    certainty = 1.5 if text.startswith("bad") else 0.5
    return msgspec.structs.replace(transcript(text), confidence=certainty)


def test_task_that_the_server_refuses_does_not_stop_the_others(run, push, label_studio, project):
    """It is found in its batch and named with its recording; the others are there, once."""
    texts = many(150) | {"bad.mp3": "bad", "worse.mp3": "bad too"} | many(150, of="late")
    add_tasks(run.folder, texts, heard=too_sure)

    outcome = push("--project", project, "--json")
    again = push("--project", project, "--again", "--json")

    assert (outcome.code, again.code) == (1, 1)
    assert texts_in(label_studio, project) == many(150) | many(150, of="late")
    reports = [each.summary for each in (outcome, again)]
    assert [(each["sent"], each["there"], each["refused"]) for each in reports] == [
        (300, 0, 2),
        (0, 300, 2),
    ]
    for key in ("bad.mp3", "worse.mp3"):
        [line] = [each for each in outcome.err.splitlines() if f"(s3://calls/{key})" in each]
        assert line.startswith("Refused: calls-")
        assert "Score must be between 0.00 and 1.00" in line
    assert push("--project", project).code == 0


def test_lost_answer_among_refusals_doubles_nothing(run, label_studio, project):
    """What was taken of a batch a moment before is not mistaken for the part that is looked for."""
    add_tasks(run.folder, many(20) | {"bad.mp3": "bad"} | many(20, of="late"), heard=too_sure)
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)
    taken: list[str] = []
    slow: list[threading.Timer] = []

    def reply(asked):
        is_good = "/import" in asked.path and b"bad.mp3" not in asked.body
        if is_good and len(taken) == 1 and not slow:
            slow.append(threading.Timer(3, asked.forward))
            slow[0].start()
            return Answer(504, b"<html>Gateway Time-out</html>", {"Content-Type": "text/html"})
        answer = asked.forward()
        taken.extend([asked.path] * ("/import" in asked.path and answer.status == 201))
        return answer

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        outcome = run("push", "--project", project, "--url", url, "--json")
    slow[0].join()

    assert outcome.code == 1, outcome.err
    assert texts_in(label_studio, project) == many(20) | many(20, of="late")
    assert (outcome.summary["sent"], outcome.summary["refused"]) == (40, 1)


def test_server_that_takes_no_task_stops_the_push(run, push, label_studio, project):
    """Where the first twenty are refused it is not the tasks: nothing is passed over."""
    add_tasks(run.folder, dict.fromkeys(many(60), "bad"), heard=too_sure)

    outcome = push("--project", project)
    again = push("--project", project)

    assert (outcome.code, again.code) == (2, 2)
    assert "None of the first 20 tasks is taken. The last, calls-" in outcome.err
    assert label_studio.tasks(project) == []


def test_import_in_the_background_is_waited_for(run, label_studio, project):
    """Where the answer is the number of an import, as in Enterprise, the tasks are looked for."""
    add_tasks(run.folder, many(250))
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)

    def reply(asked):
        answer = asked.forward()
        return answer._replace(body=b'{"import": 7}') if "/import" in asked.path else answer

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        report = report_of(run("push", "--project", project, "--url", url, "--json"))

    assert (report["sent"], report["doubled"]) == (250, 0)
    assert texts_in(label_studio, project) == many(250)


def test_title_of_two_projects_is_not_guessed(run, push, label_studio):
    """--create goes into the project of that title; of two it takes none."""
    add_tasks(run.folder, many(1))
    title = f"Twice {uuid.uuid4().hex[:8]}"
    numbers = [label_studio.create_project(CONFIG, title) for _ in range(2)]

    outcome = push("--create", title)

    assert outcome.code == 2
    assert f"({numbers[0]}, {numbers[1]}). Rename all but one, also in" in outcome.err


def test_server_that_restarts_on_the_way_is_waited_for(run, push, tmp_path):
    """A server killed mid-push and started again: the same push completes, nothing doubled."""
    from tests.label_studio_server.server import from_seed

    server = from_seed(tmp_path / "data")
    server.start()
    try:
        project = server.create_project(CONFIG)
        add_tasks(run.folder, many(2000))
        run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)
        with run.start("push", "--project", project, "--json") as process:
            while server.call("GET", f"projects/{project}/")["task_number"] < 400:
                time.sleep(0.05)
            server.kill()
            server.start()
            out, err = process.communicate(timeout=200)

        assert process.returncode == 0, err
        assert texts_in(server, project) == many(2000)
        assert json.loads(out)["doubled"] == 0
    finally:
        server.stop()


def test_tasks_pushed_beside_a_reviewer_have_their_predictions(run, push, label_studio, project):
    """5,000 tasks while someone submits, which locks the database at times: 5,000 predictions."""
    add_tasks(run.folder, many(5000))
    title = label_studio.call("GET", f"projects/{project}/")["title"]
    reviewer = Reviewer(label_studio, lambda: number_of(label_studio, title))

    with reviewer.at_work():
        report = report_of(push("--project", project, "--json"))

    assert texts_in(label_studio, project) == many(5000)
    assert len(reviewer.submitted) > 10
    assert (report["sent"], reviewer.empty, reviewer.errors) == (5000, 0, [])


def test_an_output_is_split_among_projects_of_one_title(run, push, label_studio):
    """Each task is in one of them with its prediction; the reviews of all are pulled by it."""
    add_tasks(run.folder, many(450))
    title = f"Calls {uuid.uuid4().hex[:8]}"

    first = report_of(push("--create", title, "--project-size", "200", "--json"))
    (run.folder / "tasks.jsonl.pushed").unlink()
    again = report_of(push("--create", title, "--project-size", "200", "--json"))

    numbers = [first["project"], *(int(each.rpartition("/")[2]) for each in first["further"])]
    texts = [texts_in(label_studio, number) for number in numbers]
    assert [len(each) for each in texts] == [200, 200, 50]
    assert {key: text for each in texts for key, text in each.items()} == many(450)
    assert (again["sent"], again["there"], again["further"]) == (0, 450, [])
    for number in numbers:
        label_studio.annotate(label_studio.tasks(number)[0]["id"], [])
    pulled = run("pull", "--title", title, "--json")
    assert json.loads(pulled.out)["added"] == 3


def test_a_project_that_was_renamed_is_found_by_its_description(run, push, label_studio):
    """The server keeps what the team and what push writes there; a team's own project is none."""
    add_tasks(run.folder, many(250))
    title = f"Calls {uuid.uuid4().hex[:8]}"
    split = ("--create", title, "--project-size", "200", "--json")
    first = report_of(push(*split))
    numbers = [first["project"], int(first["further"][0].rpartition("/")[2])]
    own = label_studio.create_project(CONFIG, f"{title} 3")
    for number in numbers:
        address = f"projects/{number}/"
        said = label_studio.call("GET", address)["description"]
        changes = {"title": f"Anna's {number}", "description": f"By <b>Anna</b>, “é”.\n\n{said}"}
        label_studio.call("PATCH", address, changes)
    (run.folder / "tasks.jsonl.pushed").unlink()
    add_tasks(run.folder, many(200, of="later"))

    again = report_of(push(*split))
    label_studio.annotate(label_studio.tasks(numbers[0])[0]["id"], [])
    pulled = run("pull", "--title", title, "--json")

    further = [int(each.rpartition("/")[2]) for each in again["further"]]
    sizes = [len(label_studio.tasks(number)) for number in [*numbers, *further, own]]
    assert (again["sent"], again["there"], sizes) == (200, 250, [200, 200, 50, 0])
    titles = [label_studio.call("GET", f"projects/{number}/")["title"] for number in further]
    assert titles == [f"{title} 4"]
    assert json.loads(pulled.out)["added"] == 1


def test_prediction_that_the_server_lost_is_mended(run, push, label_studio, project):
    """A task without its prediction, as a locked database leaves it, gets it."""
    add_tasks(run.folder, many(3))
    lines = (run.folder / "tasks.jsonl").read_bytes().splitlines()
    bare = [{"data": json.loads(line)["data"]} for line in lines[:2]]
    label_studio.call("POST", f"projects/{project}/import", bare)

    report = report_of(push("--project", project, "--json"))

    assert (report["sent"], report["there"], report["mended"]) == (1, 2, 2)
    assert texts_in(label_studio, project) == many(3)


def test_lost_predictions_of_a_batch_are_noticed_and_mended(run, label_studio, project):
    """An import that is answered 201 with fewer predictions than were sent is not believed."""
    add_tasks(run.folder, many(150))
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)

    def reply(asked):
        if asked.path.partition("?")[0].endswith("/import"):
            tasks = json.loads(asked.body)
            for task in tasks[::2]:
                del task["predictions"]
            asked.body = json.dumps(tasks).encode()
            asked.headers = {**asked.headers, "Content-Length": str(len(asked.body))}
        return asked.forward()

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        report = report_of(run("push", "--project", project, "--url", url, "--json"))

    assert (report["sent"], report["mended"]) == (150, 75)
    assert texts_in(label_studio, project) == many(150)


def test_task_deleted_by_hand_comes_back_only_when_asked_for(run, push, label_studio, project):
    """What someone deleted stays deleted in the nightly push; --again puts it back."""
    add_tasks(run.folder, many(3))
    push("--project", project)
    gone = label_studio.tasks(project)[1]
    label_studio.call("DELETE", f"tasks/{gone['id']}/")

    nightly = report_of(push("--project", project, "--json"))
    left = len(label_studio.tasks(project))
    again = report_of(push("--project", project, "--again", "--json"))

    assert (nightly["sent"], left) == (0, 2)
    assert (again["sent"], again["there"]) == (1, 2)
    assert texts_in(label_studio, project) == many(3)


def test_tasks_imported_by_file_are_recognised(run, push, label_studio, project):
    """Tasks that someone imported by hand are not sent again; doubled ones are named."""
    add_tasks(run.folder, many(3))
    by_hand = {"data": {"audio": "s3://calls/by-hand.mp3", "languages": []}}
    run("export")
    array = json.loads((run.folder / "label-studio" / "tasks-0001.json").read_bytes())
    label_studio.call("POST", f"projects/{project}/import", array[:2])
    label_studio.call("POST", f"projects/{project}/import", array[:1])
    label_studio.call("POST", f"projects/{project}/import", [by_hand])

    outcome = push("--project", project)

    assert outcome.code == 0
    assert "1 pushed, 2 were there already" in outcome.err
    assert "Doubled: 1 task too many" in outcome.err
    assert len(label_studio.tasks(project)) == 5


def test_review_below_takes_the_others_as_ground_truth(run, push, label_studio, project):
    """Only uncertain tasks are pushed; the others become lines of ground truth, marked auto."""
    add_tasks(run.folder, {"sure.mp3": "yes", "unsure.mp3": "perhaps it is so"})

    report = report_of(push("--project", project, "--review-below", "0.9", "--json"))
    [line] = run.tasks("ground_truth.jsonl")

    assert (report["sent"], report["good"]) == (1, 1)
    assert texts_in(label_studio, project) == {"unsure.mp3": "perhaps it is so"}
    assert (line["audio"], line["source"], line["text"]) == ("s3://calls/sure.mp3", "auto", "yes")


def test_the_audit_comes_back_marked(run, push, label_studio, project):
    """The server keeps the mark of the audit, and gives it out with the review."""
    add_tasks(run.folder, {"sure.mp3": "yes", "unsure.mp3": "perhaps it is so"})
    push("--project", project, "--review-below", "0.9", "--audit", "100%")
    for task in label_studio.tasks(project):
        label_studio.annotate(task["id"], task["predictions"][0]["result"])

    assert run("pull", "--project", project).code == 0

    lines = {each["audio"]: each for each in run.tasks("ground_truth.jsonl")}
    assert lines["s3://calls/sure.mp3"]["source"] == "reviewed"
    assert lines["s3://calls/sure.mp3"]["audit"] is True
    assert "audit" not in lines["s3://calls/unsure.mp3"]


def test_two_people_review_a_share_of_the_tasks(run, push, label_studio, project):
    """One task in five goes to a second person, none to a third; `quality` compares the two."""
    add_tasks(run.folder, many(10))
    push("--project", project, "--overlap", "20%")
    ben, carla = (label_studio.another_person(f"{name}@example.com") for name in ("ben", "carla"))

    def reviewed(text: str, token: str = "") -> int:
        """How many tasks are given to a person, who submits the same text for each."""
        value = {"id": "tr", "from_name": "transcription", "to_name": "audio", "type": "textarea"}
        body = {"result": [value | {"value": {"text": [text]}}], "lead_time": 9.0}
        for count in range(99):
            try:
                task = label_studio.call("GET", f"projects/{project}/next", token=token)
            except AssertionError as none_left:
                assert "There are no tasks" in str(none_left)  # noqa: PT017 # the server says 404
                return count
            label_studio.call("POST", f"tasks/{task['id']}/annotations/", body, token=token)
        return 99

    assert reviewed("one two three four") == 10
    assert reviewed("one two three five", ben) == 2
    assert reviewed("nothing is left", carla) == 0
    run("pull", "--project", project)
    found = run("quality", "--json").summary["agreement"]
    [pair] = found["pairs"]

    assert (pair["reviewers"], pair["recordings"]) == (["admin@example.com", "ben@example.com"], 2)
    assert (pair["rate"], found["total"]) == (0.25, 2)
    assert {each["counts"] for each in found["disagreements"]} == {"ben@example.com"}


def test_stricter_threshold_pushes_what_was_passed_over(run, push, label_studio, project):
    """When more is to be reviewed than before, the tasks passed over are looked at anew."""
    add_tasks(run.folder, {"sure.mp3": "yes", "half.mp3": "it is", "unsure.mp3": "it may be so"})
    push("--project", project, "--review-below", "0.4")

    report = report_of(push("--project", project, "--review-below", "0.9", "--json"))

    assert (report["sent"], report["there"], report["good"]) == (1, 1, 1)
    assert sorted(texts_in(label_studio, project)) == ["half.mp3", "unsure.mp3"]


def test_token_wins_over_netrc(run, push, label_studio, project):
    """A password that ~/.netrc has for the server does not get in the token's way."""
    (run.folder / ".netrc").write_text("machine 127.0.0.1 login me password wrong\n")
    run.use(NETRC=str(run.folder / ".netrc"))
    add_tasks(run.folder, many(1))

    assert push("--project", project).code == 0


def test_personal_access_token_from_a_file(run, push, label_studio, project, personal_token):
    """A personal access token does as well, and is in no output."""
    add_tasks(run.folder, many(1))
    (run.folder / "token.txt").write_text(f"{personal_token}\n")
    run.use(LABEL_STUDIO_API_KEY="")

    outcome = push("--project", project, "--token-file", "token.txt")

    assert outcome.code == 0, outcome.err
    assert texts_in(label_studio, project) == many(1)
    assert personal_token not in outcome.err + outcome.out


def test_access_token_is_renewed_when_the_server_takes_it_no_more(
    run, label_studio, project, personal_token
):
    """The short-lived token that a personal one is exchanged for may expire on the way."""
    add_tasks(run.folder, many(3))
    run.use(LABEL_STUDIO_API_KEY=personal_token)
    refused: list[str] = []

    def reply(asked):
        if "/import" in asked.path and not refused:
            refused.append(asked.path)
            asked.headers = {**asked.headers, "Authorization": "Bearer a.b.c"}
        return asked.forward()

    with between(ScriptedCloud(run.folder, label_studio.url), reply) as url:
        report = report_of(run("push", "--project", project, "--url", url, "--json"))

    assert (len(refused), report["sent"]) == (1, 3)


def test_project_for_other_tasks_is_refused_before_anything_is_sent(run, push, label_studio):
    """A labeling configuration without the predictions' control is named, and nothing is sent."""
    add_tasks(run.folder, many(300))
    other = label_studio.create_project(OTHER_CONFIG)

    outcome = push("--project", other)

    assert outcome.code == 2
    assert 'it has no control named "transcription"' in outcome.err
    assert "it shows $text, which not every task has" in outcome.err
    assert label_studio.tasks(other) == []


def second_round(folder, texts):
    """The output and state of another run over the same recordings, in another language."""
    folder.mkdir()
    add_tasks(folder, texts, model="amazon-transcribe/de-DE", settings="de")
    return "--output", f"{folder.name}/tasks.jsonl"


def test_a_second_round_leaves_thirty_tasks_of_thirty_recordings(run, push, label_studio, project):
    """New predictions go onto the tasks that are there; reviewed ones stay, none opens empty."""
    add_tasks(run.folder, many(30))
    push("--project", project)
    before = label_studio.tasks(project)
    for task in before[:2]:
        label_studio.annotate(task["id"], task["predictions"][0]["result"])
    texts = {key: f"zweite Runde {text}" for key, text in many(30).items()}
    output = second_round(run.folder / "second", texts)

    report = report_of(push("--project", project, *output, "--json"))
    again = report_of(push("--project", project, *output, "--again", "--json"))

    after = label_studio.tasks(project)
    counts = [(each["sent"], each["renewed"], each["reviewed"]) for each in (report, again)]
    assert counts == [(0, 28, 2), (0, 0, 2)]
    assert [each["id"] for each in after] == [each["id"] for each in before]
    assert texts_in(label_studio, project) == texts | dict(list(many(30).items())[:2])
    shown = label_studio.call("GET", f"projects/{project}/")["model_version"]
    assert {each["predictions"][0]["model_version"] for each in after} == {shown}
    opened = label_studio.call("GET", f"projects/{project}/next")
    assert text_of(opened["predictions"][0]) == texts[opened["data"]["audio"].split("/")[-1]]
    label_studio.annotate(opened["id"], opened["predictions"][0]["result"])
    run("pull", "--project", project)
    versions = {line["task_id"]: line["model_version"] for line in run.tasks("ground_truth.jsonl")}
    assert versions == dict.fromkeys(
        [before[0]["id"], before[1]["id"]], "amazon-transcribe/en-US"
    ) | {opened["id"]: "amazon-transcribe/de-DE"}


def test_a_reviewer_who_has_a_task_open_in_a_second_round_can_submit(
    run, push, label_studio, project
):
    """A prediction keeps its number, by which an annotation names the one that it began from."""
    add_tasks(run.folder, many(1))
    push("--project", project)
    [opened] = label_studio.tasks(project)
    push(
        "--project",
        project,
        *second_round(run.folder / "second", {"recording number-00000.mp3": "x"}),
    )

    begun = opened["predictions"][0]
    label_studio.annotate(opened["id"], begun["result"], parent_prediction=begun["id"])

    [task] = label_studio.tasks(project)
    assert (task["total_annotations"], text_of(task["predictions"][0])) == (1, "x")


def test_reviewed_tasks_get_new_predictions_when_asked_for(run, push, label_studio, project):
    """With --reviewed-too; their annotation and what it was corrected from stay."""
    add_tasks(run.folder, many(1))
    push("--project", project)
    [task] = label_studio.tasks(project)
    begun = task["predictions"][0]
    label_studio.annotate(task["id"], begun["result"], parent_prediction=begun["id"])
    output = second_round(run.folder / "second", {"recording number-00000.mp3": "new"})

    report = report_of(push("--project", project, *output, "--reviewed-too", "--json"))

    [task] = label_studio.tasks(project)
    assert (report["renewed"], text_of(task["predictions"][0])) == (1, "new")
    run("pull", "--project", project)
    assert [each["predicted"] for each in run.tasks("ground_truth.jsonl")] == ["recording number 0"]


def test_recordings_of_another_round_open_filled(run, push, label_studio, project):
    """A project shows one model version: what is new has it, and its own in the data."""
    add_tasks(run.folder, many(1))
    push("--project", project)
    push("--project", project, *second_round(run.folder / "second", many(1, of="new")))

    for task in label_studio.tasks(project):
        opened = label_studio.call("GET", f"projects/{project}/next")
        assert opened["id"] == task["id"]
        assert len(opened["predictions"]) == 1
        label_studio.annotate(opened["id"], opened["predictions"][0]["result"])
    [_, new] = label_studio.tasks(project)
    assert new["data"]["model_version"] == "amazon-transcribe/de-DE"


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("--project", "987654"), {}, "has no such project"),
        (("--create", "ab"), {}, "'ab' has 2 characters. Label Studio wants 3 to 50."),
        (("--create", "x" * 51), {}, "has 51 characters"),
        ((), {}, "Into which project?"),
        (("--project", "1", "--create", "Calls"), {}, "name two projects"),
        (("--project", "1"), {"LABEL_STUDIO_API_KEY": "0" * 40}, "does not know the token"),
        (("--project", "1"), {"LABEL_STUDIO_API_KEY": "a.b.c"}, "revoked, expired or another serv"),
        (("--project", "1"), {"LABEL_STUDIO_API_KEY": ""}, "no token for Label Studio in LABEL_ST"),
        (("--project", "1"), {"LABEL_STUDIO_API_KEY": "a b"}, "which is one word"),
        (("--project", "1", "--token-file", "none"), {}, "token file none can't be read"),
        (("--project", "1", "--url", "labels"), {}, "Write it as https://"),
        (("--project", "1", "--url", "http://u:p@a/"), {}, "without user, password"),
        (("--project", "1", "--url", "{url}/projects/7/data"), {}, "--project 7"),
        (("--project", "1", "--url", "{url}/elsewhere"), {}, "There is no Label Studio at"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_what_to_do(
    run, push, arguments, environment, said
):
    """A wrong address, token, project or title ends with 2 before anything is sent."""
    add_tasks(run.folder, many(1))
    run.use(**environment)

    url = run.env["LABEL_STUDIO_URL"]
    outcome = push(*(each.replace("{url}", url) for each in arguments))

    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_server_that_is_not_there_is_given_up(run, push):
    """Where nobody listens, the push ends with 2 and can be repeated."""
    add_tasks(run.folder, many(1))

    outcome = push("--project", "1", "--url", "http://127.0.0.1:9")

    assert outcome.code == 2
    assert "No answer from 127.0.0.1:9" in outcome.err
    assert "Then run the same command again" in outcome.err


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "There is no Label Studio at"),
        (302, "leads to another address"),
        (400, "There is no Label Studio at"),
        (403, "There is no Label Studio at"),
        (413, "client_max_body_size"),
    ],
)
def test_page_of_a_proxy_is_named_as_such(run, label_studio, project, status, said):
    """HTML in place of the API is no answer of Label Studio's, whatever its status."""
    add_tasks(run.folder, many(1))
    run.use(LABEL_STUDIO_API_KEY=label_studio.token)
    page = Answer(status, b"<html>Please log in</html>", {"Content-Type": "text/html"})

    with between(ScriptedCloud(run.folder, label_studio.url), lambda _: page) as url:
        outcome = run("push", "--project", project, "--url", url)

    assert outcome.code == 2
    assert said in outcome.err
    assert label_studio.tasks(project) == []


def test_legacy_token_that_is_switched_off_is_explained(run, tmp_path):
    """An organization without legacy tokens: the message says which kind to make instead."""
    from tests.label_studio_server.server import from_seed

    server = from_seed(tmp_path / "data")
    server.start()
    try:
        project = server.create_project(CONFIG)
        personal = server.personal_token()
        server.use_legacy_tokens(allowed=False)
        add_tasks(run.folder, many(1))
        run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)
        refused = run("push", "--project", project)
        run.use(LABEL_STUDIO_API_KEY=personal)
        taken = run("push", "--project", project)
    finally:
        server.stop()

    assert refused.code == 2
    assert "takes no legacy tokens any more" in refused.err
    assert taken.code == 0


def test_two_pushes_of_one_output_do_not_meet(run, push, label_studio, project):
    """A second push waits its turn, as two writers would cost predictions."""
    add_tasks(run.folder, many(1))
    from pipeline.label_studio.push_ledger import opened_ledger

    with opened_ledger(run.folder / "tasks.jsonl"):
        outcome = push("--project", project)

    assert outcome.code == 2
    assert "Another push sends the tasks of tasks.jsonl" in outcome.err


def test_push_works_beside_a_run(run, push, label_studio, project):
    """While a run holds the state file, its committed tasks are pushed, and only those."""
    add_tasks(run.folder, many(2))
    from tests.support.state_files import begun

    with begun(run.folder / "tasks.jsonl.state"):
        with (run.folder / "tasks.jsonl").open("ab") as file:
            file.write(b'{"data": {"audio": "half a li')
        report = report_of(push("--project", project, "--json"))

    assert report["sent"] == 2
    assert texts_in(label_studio, project) == many(2)


def test_output_that_was_written_anew_doubles_nothing(run, push, label_studio, project):
    """The same tasks in another order: what is remembered of the old file does not count."""
    add_tasks(run.folder, many(3))
    push("--project", project)
    for name in ("tasks.jsonl", "tasks.jsonl.state"):
        (run.folder / name).unlink()
    shutil.rmtree(run.folder / "label-studio", ignore_errors=True)
    add_tasks(run.folder, dict(reversed(many(4).items())))

    report = report_of(push("--project", project, "--json"))

    assert (report["sent"], report["there"]) == (1, 3)
    assert texts_in(label_studio, project) == many(4)
