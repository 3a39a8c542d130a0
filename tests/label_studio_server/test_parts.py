"""A long recording that is several tasks of a real Label Studio, and one line again."""

from __future__ import annotations

import json
import uuid
from copy import deepcopy
from typing import Any

import pytest

from pipeline.label_studio.annotations import unreviewed
from pipeline.model import Segment, TaskKind, Transcript
from pipeline.tasks.builder import TaskBuilder
from tests.label_studio_server.outputs import MODEL, add_transcripts

pytestmark = pytest.mark.timeout(300)
SEGMENTS = 500


def hour() -> Transcript:
    """Half an hour of two people who speak at once now and then."""
    said = [
        Segment(f"said {n}", n * 4.0, n * 4.0 + 3 + 2 * (n % 7 == 0), speaker=f"spk_{n % 2}")
        for n in range(SEGMENTS)
    ]
    return heard(said)


def heard(said: list[Segment]) -> Transcript:
    """What was said, always with the same score."""
    text = " ".join(each.text for each in said)
    return Transcript("calls", text, tuple(said), 2 * SEGMENTS, 0.8, ("en-US", "de-DE"))


@pytest.fixture
def project(label_studio, run) -> int:
    """A project into which a recording of 500 segments was pushed."""
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    add_transcripts(run.folder, {"hour.mp3": hour()}, TaskBuilder(TaskKind.SEGMENTS, MODEL))
    outcome = run("push", "--create", f"Long {uuid.uuid4().hex[:8]}", "--json")
    assert (outcome.code, outcome.summary["sent"], outcome.summary["parts"]) == (0, 1, 3)
    return int(outcome.summary["project"])


def submit(label_studio, task: dict[str, Any], *texts: str) -> int:
    """Submit a task with its first segments corrected; the annotation's number."""
    [prediction] = task["predictions"]
    results = deepcopy(prediction["result"])
    boxes = [each for each in results if each["from_name"] == "text"]
    for box, text in zip(boxes, texts, strict=False):
        box["value"]["text"] = [text]
    body = {"result": results, "parent_prediction": prediction["id"], "lead_time": 100.0}
    return int(label_studio.call("POST", f"tasks/{task['id']}/annotations/", body)["id"])


def test_a_recording_of_500_segments_is_three_tasks_and_one_line(label_studio, project, run):
    """Corrected in two of them it is the whole with the corrections; a deleted review undoes it."""

    def pull(*more: str) -> Any:
        outcome = run("pull", "--project", str(project), "--json", *more)
        assert outcome.code == 0
        return outcome.summary

    one, two, three = sorted(label_studio.tasks(project), key=lambda each: each["id"])
    assert two["data"]["recording"].startswith("hour.mp3 · part 2 of 3, ")
    submit(label_studio, one, "first", "second")
    submit(label_studio, two)
    assert (pull()["incomplete"], pull()["to_review"]) == (1, [three["id"]])
    assert run.tasks("ground_truth.jsonl") == []

    last = submit(label_studio, three, "third")
    assert (pull()["added"], pull(), pull("--all")["total"]) == (1, pull(), 1)

    [line] = run.tasks("ground_truth.jsonl")
    whole = unreviewed(json.loads((run.folder / "tasks.jsonl").read_bytes()))
    begin = SEGMENTS - sum(e["from_name"] == "text" for e in three["predictions"][0]["result"])
    corrections = {0: "first", 1: "second", begin: "third"}
    expected = [corrections.get(n, each.text) for n, each in enumerate(whole.segments)]
    assert [each["text"] for each in line["segments"]] == expected
    assert line["text"] == " ".join(expected)
    assert [(each["start"], each["end"]) for each in line["segments"]] == [
        (each.start, each.end) for each in whole.segments
    ]
    assert line["predicted"] == whole.text
    assert (line["seconds_spent"], line["duration"]) == (300.0, whole.duration)
    assert [each["task_id"] for each in line["parts"]] == [one["id"], two["id"], three["id"]]

    again = run("push", "--project", str(project), "--again", "--json").summary
    assert (again["sent"], again["there"], len(label_studio.tasks(project))) == (0, 1, 3)
    label_studio.call("DELETE", f"annotations/{last}/")
    changes = pull()
    assert (changes["removed"], changes["to_review"]) == (1, [three["id"]])
    assert run.tasks("ground_truth.jsonl") == []


def test_parts_whose_meta_another_program_dropped_are_one_line(label_studio, project, run):
    """The server gives the name out, by which they are joined; one alone is told, and no line."""
    tasks = sorted(label_studio.tasks(project), key=lambda each: each["id"])
    for task in tasks:
        submit(label_studio, task)
        label_studio.call("PATCH", f"tasks/{task['id']}/", {"meta": None})

    changes = run("pull", "--project", str(project), "--json").summary

    assert (changes["total"], changes["unknown_parts"], changes["doubt"]) == (1, [], "")
    [line] = run.tasks("ground_truth.jsonl")
    assert (line["text"], len(line["parts"])) == (hour().text, len(tasks))
    label_studio.call("DELETE", f"tasks/{tasks[0]['id']}/")
    label_studio.call("DELETE", f"tasks/{tasks[1]['id']}/")
    changes = run("pull", "--project", str(project), "--json").summary
    assert (changes["total"], changes["unknown_parts"]) == (0, [tasks[2]["id"]])


def test_a_second_round_is_cut_where_the_first_was(label_studio, project, run):
    """The tasks keep their numbers and their cuts, and each shows its part of the new text."""
    (run.folder / "second").mkdir()
    builder = TaskBuilder(TaskKind.SEGMENTS, "amazon-transcribe/de-DE")
    add_transcripts(run.folder / "second", {"hour.mp3": hour()}, builder, "de")
    before = {each["id"]: each["meta"]["part"] for each in label_studio.tasks(project)}

    outcome = run("push", "--project", str(project), "--output", "second/tasks.jsonl", "--json")

    assert (outcome.code, outcome.summary["renewed"], outcome.summary["sent"]) == (0, 1, 0)
    after = label_studio.tasks(project)
    assert {each["id"]: each["meta"]["part"]["cuts"] for each in after} == {
        number: part["cuts"] for number, part in before.items()
    }
    assert all(each["data"]["model_version"] == "amazon-transcribe/de-DE" for each in after)
    assert len({each["data"]["job_id"] for each in after}) == 1
    assert not {each["data"]["job_id"] for each in after} & {p["job_id"] for p in before.values()}


def test_parts_of_two_rounds_of_one_score_make_no_line(label_studio, project, run):
    """The server gives the ids back: what is said across a cut is there once, and never lost."""

    def pull() -> Any:
        return run("pull", "--project", str(project), "--json").summary

    one, two, three = sorted(label_studio.tasks(project), key=lambda each: each["id"])
    submit(label_studio, one)
    said = list(hour().segments)
    after = next(n for n, e in enumerate(said) if e.start > one["meta"]["part"]["cuts"][0])
    both = said[after - 1 : after + 1]
    text = " ".join(each.text for each in both)
    said[after - 1 : after + 1] = [Segment(text, both[0].start, both[1].end, speaker="spk_0")]
    (run.folder / "second").mkdir()
    builder = TaskBuilder(TaskKind.SEGMENTS, "amazon-transcribe/de-DE")
    add_transcripts(run.folder / "second", {"hour.mp3": heard(said)}, builder, "de")
    outcome = run(
        *("push", "--project", str(project), "--output", "second/tasks.jsonl"),
        *("--reviewed-too", "--json"),
    )
    assert (outcome.code, outcome.summary["renewed"]) == (0, 1)
    later = {each["id"]: each for each in label_studio.tasks(project)}
    assert {e["predictions"][0]["score"] for e in (*later.values(), one, two, three)} == {0.8}

    for earlier in (two, three):
        submit(label_studio, later[earlier["id"]])
    submit(label_studio, one)  # from the page that was open all the time

    assert (pull()["total"], pull()["to_review"]) == (0, [one["id"]])
    submit(label_studio, later[one["id"]])
    assert pull()["total"] == 1
    [line] = run.tasks("ground_truth.jsonl")
    assert line["text"] == line["predicted"] == heard(said).text
