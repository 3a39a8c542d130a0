"""What a person sees of a pushed task in a real browser, and what comes back of their work.

Screenshots of both kinds are left in `screenshots/`.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

from pipeline.model import TaskKind
from pipeline.tasks.builder import TaskBuilder
from tests.browser.content import SAID, TURNS, conversation, hour
from tests.browser.reviewer import Reviewer, Shown
from tests.conftest import RECORDINGS, ROOT, Cli, end, endpoint
from tests.label_studio_server.outputs import MODEL, add_transcripts
from tests.label_studio_server.server import LabelStudio, from_seed, s3_access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pipeline.model import Transcript

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("ministack")]
PICTURES = ROOT / "screenshots"
BUCKET = "calls"
CONVERSATION = "conversation.wav"
MOST_SEGMENTS = 1000
COLUMNS = {"Prediction score": "mean_confidence", "lowest_confidence": "lowest_confidence"}


class Project(NamedTuple):
    """What was pushed: where it is, and the tasks by the keys of their recordings."""

    number: int
    tasks: dict[str, dict[str, Any]]

    def heard(self, key: str) -> list[Shown]:
        """Speaker and text of each result of a prediction that has a text."""
        [prediction] = self.tasks[key]["predictions"]
        labels = {
            each["id"]: each["value"]["labels"][0]
            for each in prediction["result"]
            if each["type"] == "labels"
        }
        return [
            Shown(labels.get(each["id"], ""), each["value"]["text"][0])
            for each in prediction["result"]
            if each["type"] == "textarea"
        ]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled recordings and a conversation, as a folder."""
    folder: Path = tmp_path_factory.mktemp("recordings") / "calls"
    shutil.copytree(RECORDINGS, folder)
    folder.joinpath(CONVERSATION).write_bytes(conversation()[0])
    return folder


@pytest.fixture(scope="module")
def server(
    ministack: str, bucket: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabelStudio]:
    """A Label Studio that can read the recordings from S3."""
    s3 = boto3.client("s3", "us-east-1", endpoint_url=ministack,
                      aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
    s3.create_bucket(Bucket=BUCKET)
    for path in bucket.rglob("*.*"):
        s3.upload_file(str(path), BUCKET, path.relative_to(bucket).as_posix())
    server = from_seed(tmp_path_factory.mktemp("label-studio") / "data", **s3_access(ministack))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def output(ministack: str, bucket: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A run over all recordings, and its tasks once more as segments.

    Reviewers hear the recordings from another endpoint, which `push` names to Label Studio.
    """
    run = Cli(tmp_path_factory.mktemp("run"))
    run.use(**endpoint(""))
    with run.start("serve", bucket, "--bucket", BUCKET, "--keys-from-env") as serving:
        try:
            assert serving.stdout is not None
            run.use(**endpoint(serving.stdout.readline().split()[-1]))
            outcomes = [
                run("run", f"s3://{BUCKET}/", "--language", "auto"),
                run("tasks", "rebuild", "--task", "segments"),
            ]
        finally:
            end(serving)
    assert [each.code for each in outcomes] == [1, 0], outcomes
    run.use(AWS_ENDPOINT_URL=ministack)
    return run


@pytest.fixture(scope="module")
def reviewer(server: LabelStudio) -> Iterator[Reviewer]:
    """Someone who has logged in."""
    person = Reviewer(server.url)
    try:
        person.log_in()
        yield person
    finally:
        person.leave()


@pytest.fixture
def pushed(server: LabelStudio) -> Callable[..., Project]:
    """Pushes an output into a new project."""

    def push(run: Cli, title: str, name: str = "tasks.jsonl") -> Project:
        run.use(LABEL_STUDIO_URL=server.url, LABEL_STUDIO_API_KEY=server.token)
        outcome = run("push", "--create", title, "--output", name, "--json")
        assert outcome.code == 0, outcome.err
        number = json.loads(outcome.out)["project"]
        tasks = server.tasks(number)
        return Project(
            number, {each["data"]["audio"].removeprefix(f"s3://{BUCKET}/"): each for each in tasks}
        )

    return push


def pulled(run: Cli, project: Project) -> dict[str, Any]:
    """The one line of ground truth that a project has."""
    outcome = run("pull", "--project", str(project.number), "--ground-truth", "truth.jsonl")
    assert outcome.code == 0, outcome.err
    where = f"/projects/{project.number}"
    [line] = [each for each in run.tasks("truth.jsonl") if each["project"].endswith(where)]
    return line


def segments_of(run: Cli, heard: Mapping[str, Transcript]) -> None:
    """Write what was heard as tasks of segments."""
    add_transcripts(run.folder, heard, TaskBuilder(TaskKind.SEGMENTS, MODEL))


def test_a_transcript_is_heard_corrected_and_comes_back(output, pushed, reviewer):
    """The box holds the run's text, the sound is loaded, and pull returns what was typed."""
    project = pushed(output, "Calls as transcripts")
    key = "calls/empty-box.ogg"
    [(_, heard)] = project.heard(key)
    reviewer.open_task(project.number, project.tasks[key]["id"])
    assert reviewer.transcript() == heard
    assert reviewer.languages() == {"en-US": True}
    assert reviewer.seconds_of_sound() >= project.tasks[key]["data"]["duration"]
    reviewer.take_picture(PICTURES / "transcript.png")
    said = f"“{SAID[key]}”, she said: naïve!"
    assert reviewer.reads(key)

    reviewer.correct_transcript(said)
    reviewer.choose("noisy")
    reviewer.submit()

    line = pulled(output, project)
    assert line["controls"] == {"verdict": ["noisy"]}
    assert (line["text"], line["predicted"]) == (said, heard)
    assert (line["language"], line["audio"]) == ("en-US", f"s3://{BUCKET}/{key}")


def test_a_segment_is_corrected_where_it_stands_and_no_other_changes(output, pushed, reviewer):
    """Every segment of the run is in the list; of what pull returns, one text differs."""
    project = pushed(output, "Calls as segments", "tasks.segments.jsonl")
    heard = project.heard(CONVERSATION)
    assert len(heard) >= len(TURNS)
    reviewer.open_task(project.number, project.tasks[CONVERSATION]["id"])
    assert reviewer.segments() == heard
    assert reviewer.languages() == {"en-US": True}

    reviewer.correct_segment(heard[1].text, "Something else.")
    reviewer.submit()

    segments = pulled(output, project)["segments"]
    changed = [
        (n, each["predicted"], each["text"])
        for n, each in enumerate(segments)
        if each["predicted"] != each["text"]
    ]
    assert changed == [(1, heard[1].text, "Something else.")]
    assert [each["predicted"] for each in segments] == [each.text for each in heard]
    assert {each["speaker"] for each in segments} == {"speech"}
    regions = project.tasks[CONVERSATION]["predictions"][0]["result"][:-1:2]
    assert [(each["start"], each["end"]) for each in segments] == [
        (region["value"]["start"], region["value"]["end"]) for region in regions
    ]


def test_speakers_and_languages_are_there_to_choose_from(run, pushed, reviewer):
    """Two speakers and two languages show as the service told them, in "Label All Tasks" too."""
    sound, transcript = conversation()
    segments_of(run, {CONVERSATION: transcript})
    project = pushed(run, "Conversations")

    reviewer.label_all_tasks(project.number)

    assert reviewer.segments() == [Shown(f"spk_{n % 2}", text) for n, (_, text) in enumerate(TURNS)]
    assert reviewer.speakers() == ["spk_0", "spk_1", "spk_2", "spk_3"]
    assert reviewer.languages() == {"en-US": True, "de-DE": False}
    assert reviewer.seconds_of_sound() == pytest.approx(len(sound) / 32_000, abs=0.1)
    reviewer.take_picture(PICTURES / "segments.png")


def test_an_hour_of_segments_opens(run, pushed, reviewer):
    """A thousand segments show their texts, the first ones and, further down, the last."""
    segments_of(run, {"hour.mp3": hour(MOST_SEGMENTS)})
    project = pushed(run, "Hours")
    heard = project.heard("hour.mp3")
    assert len(heard) == MOST_SEGMENTS

    reviewer.open_task(project.number, project.tasks["hour.mp3"]["id"])

    shown = reviewer.segments()
    assert shown == heard[: len(shown)]
    reviewer.scroll_down_to_segment(heard[-1].text)


def test_the_least_certain_come_first(output, pushed, reviewer):
    """Sorted by either figure, the Data Manager shows the least certain transcripts on top."""
    for column, figure in COLUMNS.items():
        project = pushed(output, f"By {column}")
        figures = {task["id"]: task["data"][figure] for task in project.tasks.values()}
        assert len(set(figures.values())) == len(figures)

        reviewer.open_project(project.number)
        reviewer.order_by(column)

        assert reviewer.tasks_listed() == sorted(figures, key=figures.__getitem__)
