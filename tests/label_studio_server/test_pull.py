"""Corrections that come back from a real Label Studio."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli, Outcome
    from tests.label_studio_server.server import LabelStudio

TRANSCRIPT = labeling_config(TaskKind.TRANSCRIPT)
SEGMENTS = labeling_config(TaskKind.SEGMENTS)


def box(text: str) -> list[Any]:
    """A transcript in one box."""
    about = {"id": "tr", "from_name": "transcription", "to_name": "audio", "type": "textarea"}
    return [about | {"value": {"text": [text]}}]


def regions(*texts: str) -> list[Any]:
    """Segments of a second each, of two speakers in turn."""
    found = []
    for n, text in enumerate(texts):
        place = {"start": float(n), "end": n + 1.0, "channel": 0}
        about = {"id": f"seg-{n:05}", "to_name": "audio"}
        label = {"from_name": "speaker", "type": "labels"}
        words = {"from_name": "text", "type": "textarea"}
        found += [
            about | label | {"value": place | {"labels": [f"spk_{n % 2}"]}},
            about | words | {"value": place | {"text": [text]}},
        ]
    return found


def tasks(*results: list[Any]) -> list[dict[str, Any]]:
    """Tasks with a prediction each, as they are pushed."""
    speakers = [{"value": "spk_0"}, {"value": "spk_1"}]
    return [
        {
            "data": {
                "audio": f"s3://b/calls/{n}.mp3",
                "recording": f"calls/{n}.mp3",
                "job_id": f"job-{n}",
                "duration": 30.0,
                "language": "en-US",
                "speakers": speakers,
                "languages": [{"value": "en-US"}, {"value": "de-DE"}],
            },
            "predictions": [
                {"model_version": "amazon-transcribe/en-US", "score": 0.9, "result": result}
            ],
        }
        for n, result in enumerate(results)
    ]


class Project:
    """A project of one test, and the command that pulls from it."""

    def __init__(
        self, server: LabelStudio, run: Cli, config: str, imported: list[dict[str, Any]]
    ) -> None:
        self.server = server
        self.run = run
        self.number = server.create_project(config)
        self.tasks: list[int] = server.call(
            "POST", f"projects/{self.number}/import", imported, return_task_ids="true"
        )["task_ids"]
        run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)

    def submit(self, task: int, result: list[Any], **more: Any) -> int:
        """Submit an annotation as the editor does, from the task's prediction; its number."""
        [prediction] = self.server.call("GET", f"tasks/{self.tasks[task]}")["predictions"]
        body = {
            "result": [each | {"origin": "prediction-changed"} for each in result],
            "lead_time": 5.278,
            "draft_id": 0,
            "parent_prediction": prediction["id"],
            "parent_annotation": None,
            "started_at": "2026-11-23T12:00:00.000Z",
            "project": str(self.number),
        }
        made = self.server.call("POST", f"tasks/{self.tasks[task]}/annotations/", body | more)
        return int(made["id"])

    def pull(self, *more: str) -> dict[str, Any]:
        """What the command says that it changed."""
        outcome: Outcome = self.run("pull", "--project", str(self.number), "--json", *more)
        assert (outcome.code, outcome.err) == (0, "")
        return {name: count for name, count in outcome.summary.items() if name != "given"}

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the ground truth."""
        return self.run.tasks("ground_truth.jsonl")


@pytest.fixture
def project(label_studio, run) -> Callable[..., Project]:
    """Makes a project with tasks."""

    def make(config: str, *results: list[Any]) -> Project:
        return Project(label_studio, run, config, tasks(*results))

    return make


def changes(added: int = 0, replaced: int = 0, removed: int = 0, total: int = 0) -> dict[str, Any]:
    counts: dict[str, Any] = {"added": added, "replaced": replaced, "removed": removed}
    nothing = {"unread": [], "doubt": "", "empty": [], "skipped": [], "to_review": []}
    nothing |= {"unknown_parts": []}
    return (
        counts
        | nothing
        | {"total": total, "skipped_total": 0, "incomplete": 0, "to_review_total": 0}
    )


def test_a_correction_comes_back(project, run):
    """A prediction corrected in the editor's way is a line; its WER is that of a hand, 2 of 6."""
    calls = project(TRANSCRIPT, box("i want to council my order"), box("nobody looked"))
    number = calls.submit(0, box("I want to cancel an order"))

    assert calls.pull() == changes(added=1, total=1)

    [line] = calls.lines()
    assert line.pop("updated_at")
    assert line.pop("annotation_uid")
    assert line == {
        "audio": "s3://b/calls/0.mp3",
        "source": "reviewed",
        "text": "I want to cancel an order",
        "predicted": "i want to council my order",
        "job_id": "job-0",
        "language": "en-US",
        "duration": 30.0,
        "score": 0.9,
        "model_version": "amazon-transcribe/en-US",
        "reviewer": "admin@example.com",
        "seconds_spent": 5.278,
        "project": f"{calls.server.url}/projects/{calls.number}",
        "task_id": calls.tasks[0],
        "annotation_id": number,
    }
    measured = run("quality", "--json").summary
    assert measured["total"]["wer"] == 2 / 6
    assert measured["total"]["reviews"] == 1


def test_pulling_twice_adds_nothing(project, run):
    """The second pull leaves the file as it was, byte for byte."""
    calls = project(TRANSCRIPT, box("one"), box("two"))
    calls.submit(0, box("won"))
    calls.submit(1, box("too"))
    calls.pull()
    before = (run.folder / "ground_truth.jsonl").read_bytes()

    assert calls.pull() == changes(total=2)
    assert calls.pull("--all") == changes(total=2)
    assert (run.folder / "ground_truth.jsonl").read_bytes() == before


def test_a_later_correction_replaces_the_earlier(project):
    """An annotation that is changed again takes its line's place."""
    calls = project(TRANSCRIPT, box("one"), box("two"))
    number = calls.submit(0, box("first"))
    calls.submit(1, box("other"))
    calls.pull()

    calls.server.call("PATCH", f"annotations/{number}/", {"result": box("second")})

    assert calls.pull() == changes(replaced=1, total=2)
    assert [line["text"] for line in calls.lines()] == ["second", "other"]


def test_a_star_that_was_given_later_wins(project, run):
    """A is starred after both were pulled: the next pull sees it, and `convert` writes A, not B."""
    calls = project(TRANSCRIPT, box("one"))
    starred = calls.submit(0, box("said by A"))
    calls.submit(0, box("said by B"))
    calls.pull()

    calls.server.call("PATCH", f"annotations/{starred}/", {"ground_truth": True})

    assert calls.pull() == changes(replaced=1, total=2)
    run("convert", "srt")
    assert "said by A" in (run.folder / "srt/b/calls/0.mp3.srt").read_text("utf-8")


def test_what_a_teams_own_controls_say_comes_back(project, run):
    """An issue of a region and a verdict of the whole; the region that has one trains nothing."""
    own = '<Rating name="ease" toName="audio"/></View>'
    calls = project(SEGMENTS.replace("</View>", own), regions("one", "blah", "three"))
    about = {"to_name": "audio", "type": "choices"}
    issue = about | {"id": "seg-00001", "from_name": "issue"}
    marks = [
        issue | {"value": {"start": 1.0, "end": 2.0, "choices": ["unintelligible"]}},
        about | {"id": "v", "from_name": "verdict", "value": {"choices": ["clear"]}},
        about | {"id": "e", "from_name": "ease", "type": "rating", "value": {"rating": 4}},
    ]
    calls.submit(0, [*regions("one", "blah", "three"), *marks])
    calls.pull()

    [line] = calls.lines()
    assert line["controls"] == {"verdict": ["clear"], "ease": ["4"]}
    assert [each.get("controls") for each in line["segments"]] == [
        None,
        {"issue": ["unintelligible"]},
        None,
    ]
    run("convert", "nemo")
    entries = (run.folder / "nemo" / "manifest.jsonl").read_bytes().splitlines()
    assert [json.loads(each)["text"] for each in entries] == ["one", "three"]


def test_every_segment_comes_back(project, run):
    """A task of thirty segments of two speakers has thirty in the ground truth; WER 1 of 60."""
    heard = [f"number {n}" for n in range(30)]
    said = [*heard[:29], "number thirty"]
    calls = project(SEGMENTS, regions(*heard))
    calls.submit(0, regions(*said))

    calls.pull()

    [line] = calls.lines()
    assert [each["text"] for each in line["segments"]] == said
    assert [each["predicted"] for each in line["segments"]] == heard
    assert [each["speaker"] for each in line["segments"]] == ["spk_0", "spk_1"] * 15
    assert [(each["start"], each["end"]) for each in line["segments"]] == [
        (n, n + 1) for n in range(30)
    ]
    measured = run("quality", "--json").summary
    assert measured["total"]["wer"] == 1 / 60
    assert measured["by"]["speaker"]["spk_0"]["wer"] == 0
    assert measured["by"]["speaker"]["spk_1"]["wer"] == 1 / 30


def test_what_was_skipped_is_left_out(project):
    """Who skips a task says nothing; several annotations are a line each."""
    calls = project(TRANSCRIPT, box("one"), box("two"))
    calls.submit(1, [], was_cancelled=True)
    calls.submit(1, box("too"))
    calls.submit(1, box("two"))

    assert calls.pull() == changes(added=2, total=2)
    assert [line["text"] for line in calls.lines()] == ["too", "two"]


def test_what_was_deleted_goes(project):
    """A deleted annotation goes at the next pull, and so does that of a deleted task."""
    calls = project(TRANSCRIPT, box("one"), box("two"), box("three"))
    numbers = [calls.submit(n, box("said")) for n in range(3)]
    calls.pull()

    calls.server.call("DELETE", f"annotations/{numbers[0]}/")
    assert calls.pull() == changes(removed=1, total=2)

    calls.server.call("DELETE", f"tasks/{calls.tasks[1]}/")
    assert calls.pull() == changes(removed=1, total=1)
    assert [line["annotation_id"] for line in calls.lines()] == [numbers[2]]


def test_any_text_comes_back(project):
    """Texts are the reviewer's, byte for byte, but for white space at their ends."""
    said = 'emoji \U0001f600, "quotes" <b>&amp;</b>\u2028\u0000x\nzwei\tdrei'
    calls = project(TRANSCRIPT, box("one"), box(""))
    calls.submit(0, box(f" {said}\n"))
    calls.submit(1, [])

    calls.pull()

    assert [(line["text"], line["predicted"]) for line in calls.lines()] == [
        (said, "one"),
        ("", ""),
    ]


def test_a_text_that_the_server_chokes_on_stops_nothing(project):
    """A task that the server can't give out is named and keeps its lines; the others come back."""
    calls = project(TRANSCRIPT, *[box(f"heard {n}") for n in range(3)])
    number = calls.submit(1, box("right"))
    calls.pull()
    with pytest.raises(AssertionError, match="500: "):  # it is saved, but can't be said
        calls.server.call("PATCH", f"annotations/{number}/", {"result": box("half: \ud83d")})
    calls.submit(0, box("said"))

    outcome = calls.run("pull", "--project", str(calls.number), "--json", "--all")

    assert outcome.code == 1
    assert outcome.summary["unread"] == [calls.tasks[1]]
    assert f"can't give out 1 of project {calls.number}'s tasks ({calls.tasks[1]})" in outcome.err
    assert [line["text"] for line in calls.lines()] == ["right", "said"]

    calls.server.call("PATCH", f"annotations/{number}/", {"result": box("mended")})
    assert calls.pull() == changes(replaced=1, total=2)


def test_a_server_under_another_address_doubles_nothing(project, label_studio):
    """The same annotations asked for under another name of the server stand in the file once."""
    calls = project(TRANSCRIPT, box("one"))
    calls.submit(0, box("won"))
    calls.pull()

    elsewhere = label_studio.url.replace("127.0.0.1", "localhost")
    assert calls.pull("--url", elsewhere) == changes(added=1, removed=1, total=1)


def test_projects_share_a_file(project):
    """Each project's lines are its own, whatever is pulled from another."""
    first = project(TRANSCRIPT, box("one"))
    second = project(TRANSCRIPT, box("two"))
    first.submit(0, box("won"))
    second.submit(0, box("too"))

    assert first.pull() == changes(added=1, total=1)
    assert second.pull("--all") == changes(added=1, total=2)
    assert first.pull("--all") == changes(total=2)


def test_more_tasks_than_fit_one_call(project):
    """More tasks than are listed or fetched at a time come back, each once."""
    count = 1_130
    calls = project(TRANSCRIPT, box("not reviewed"))
    imported = [
        task | {"annotations": [{"result": box(f"said {n}")}]}
        for n, task in enumerate(tasks(*[box(f"heard {n}") for n in range(count)]))
    ]
    calls.server.call("POST", f"projects/{calls.number}/import", imported)

    assert calls.pull() == changes(added=count, total=count)
    assert [line["text"] for line in calls.lines()] == [f"said {n}" for n in range(count)]
    assert {line.get("predicted") for line in calls.lines()} == {None}


def test_a_personal_token_pulls_as_well(project, run, personal_token, tmp_path):
    """A token from a file, exchanged for one that lives shortly, reads what was reviewed."""
    calls = project(TRANSCRIPT, box("one"))
    calls.submit(0, box("won"))
    (tmp_path / "token").write_text(personal_token)
    del run.env["LABEL_STUDIO_API_KEY"]

    assert calls.pull("--token-file", str(tmp_path / "token")) == changes(added=1, total=1)


def test_a_terminal_sees_how_far_a_pull_is(project, run):
    """Who watches sees how many of the changed tasks have come, and then what they brought."""
    calls = project(TRANSCRIPT, box("one"), box("two"))
    for task in range(2):
        calls.submit(task, box("won"))
    watched, terminal = pty.openpty()

    ended = subprocess.run(
        [COMMAND, "pull", "--project", str(calls.number)],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        cwd=run.folder,
        env=run.env | {"TERM": "xterm", "COLUMNS": "96"},
        check=False,
    )

    os.close(terminal)
    seen = os.read(watched, 100_000).decode()
    os.close(watched)
    assert ended.returncode == 0
    assert "of 2 changed tasks" in seen
    assert "Pulled: 2 added" in seen


def test_a_quiet_pull_says_nothing(project, run):
    """From cron: what changed is in the file, and no word is on either stream."""
    calls = project(TRANSCRIPT, box("one"))
    calls.submit(0, box("won"))

    outcome = run("pull", "--project", str(calls.number), "--quiet")

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert [line["text"] for line in calls.lines()] == ["won"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Which project?"),
        (["--project", "999999"], "has no such project"),
        (["--project", "1", "--url", "http://127.0.0.1:1"], "No answer from 127.0.0.1:1"),
    ],
)
def test_what_can_not_be_pulled_is_said(project, run, arguments, said):
    """A wrong project or address ends with 2 and a sentence, and leaves the file as it was."""
    calls = project(TRANSCRIPT, box("one"))
    calls.submit(0, box("won"))
    calls.pull()
    before = (run.folder / "ground_truth.jsonl").read_bytes()

    outcome = run("pull", *arguments)

    assert outcome.code == 2
    assert said in outcome.err
    assert (run.folder / "ground_truth.jsonl").read_bytes() == before
    assert json.loads(before)


def test_a_skip_is_told_and_a_draft_is_left_alone(project, run):
    """Who skips a task says no text of it, and who saved a draft has not submitted it yet."""
    calls = project(TRANSCRIPT, box("skipped"), box("drafted"), box("both"))
    calls.submit(0, [], was_cancelled=True)
    calls.submit(2, [], was_cancelled=True)
    for task in (1, 2):
        body = {"result": box("half of it"), "lead_time": 3.0}
        calls.server.call("POST", f"tasks/{calls.tasks[task]}/drafts", body, project=calls.number)

    outcome = run("pull", "--project", str(calls.number), "--json")

    assert outcome.code == 0
    assert outcome.summary["skipped"] == [calls.tasks[0], calls.tasks[2]]
    assert (outcome.summary["total"], calls.lines()) == (0, [])
    [drafted] = [t for t in calls.server.tasks(calls.number) if t["id"] == calls.tasks[1]]
    assert [each["result"][0]["value"]["text"] for each in drafted["drafts"]] == [["half of it"]]
    calls.submit(0, box("it was said after all"))
    assert run("pull", "--project", str(calls.number), "--json").summary["skipped"] == [
        calls.tasks[2]
    ]
