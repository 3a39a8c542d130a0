"""What a person sees of a pushed task in a real browser, and what comes back of their work.

Screenshots of both kinds are left in `screenshots/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.model import TaskKind
from tests.browser.content import SAID, TURNS, conversation, hour
from tests.browser.project import BUCKET, CONVERSATION, Project, add_heard
from tests.browser.reviewer import Shown
from tests.conftest import ROOT, Cli, end, endpoint

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("ministack")]
PICTURES = ROOT / "screenshots"
MOST_SEGMENTS = 1000


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


def pulled(run: Cli, project: Project) -> dict[str, Any]:
    """The one line of ground truth that a project has."""
    outcome = run("pull", "--project", str(project.number), "--ground-truth", "truth.jsonl")
    assert outcome.code == 0, outcome.err
    where = f"/projects/{project.number}"
    [line] = [each for each in run.tasks("truth.jsonl") if each["project"].endswith(where)]
    return line


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
    project = pushed(output, "Calls as segments", "--output", "tasks.segments.jsonl")
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
    add_heard(run.folder, {CONVERSATION: transcript}, TaskKind.SEGMENTS)
    project = pushed(run, "Conversations")

    reviewer.label_all_tasks(project.number)

    assert reviewer.segments() == [Shown(f"spk_{n % 2}", text) for n, (_, text) in enumerate(TURNS)]
    assert reviewer.speakers() == ["spk_0", "spk_1", "spk_2", "spk_3"]
    assert reviewer.languages() == {"en-US": True, "de-DE": False}
    assert reviewer.seconds_of_sound() == pytest.approx(len(sound) / 32_000, abs=0.1)
    assert reviewer.take_picture(PICTURES / "segments.png") == []


def test_an_hour_of_segments_opens(run, pushed, reviewer):
    """A thousand segments show their texts, the first ones and, further down, the last."""
    add_heard(run.folder, {"hour.mp3": hour(MOST_SEGMENTS)}, TaskKind.SEGMENTS)
    (run.folder / "whole.toml").write_text("[label_studio]\nsegments_per_task = 0\n")
    project = pushed(run, "Hours", "--config", "whole.toml")
    heard = project.heard("hour.mp3")
    assert len(heard) == MOST_SEGMENTS

    reviewer.open_task(project.number, project.tasks["hour.mp3"]["id"])

    shown = reviewer.segments()
    assert shown == heard[: len(shown)]
    reviewer.scroll_down_to_segment(heard[-1].text)


def test_the_least_certain_come_first(output, pushed, reviewer):
    """The Data Manager opens on the recordings with speech, the least certain on top."""
    project = pushed(output, "By certainty")
    spoken = [each for each in project.tasks.values() if each["data"]["word_count"]]
    assert len(spoken) > 1

    reviewer.open_project(project.number)

    certain = sorted(spoken, key=lambda task: float(task["data"]["mean_confidence"]))
    assert reviewer.tasks_listed() == [each["id"] for each in certain]
    reviewer.label_all_tasks(project.number)
    assert reviewer.reads(certain[0]["data"]["recording"])


def test_metadata_is_what_the_data_manager_filters_by(ministack, bucket, pushed, reviewer, run):
    """A part of the key and a column of a manifest are columns there, and pick their tasks."""
    rows = ["key,queue", "calls/invoice.wav,returns", "calls/empty-box.ogg,orders"]
    (run.folder / "calls.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (run.folder / "night.toml").write_text(
        '[metadata]\nsource = "manifest"\nkey_pattern = "{team}/"\n', encoding="utf-8"
    )
    run.use(**endpoint(""))
    with run.start("serve", bucket, "--bucket", BUCKET, "--keys-from-env") as serving:
        try:
            assert serving.stdout is not None
            run.use(**endpoint(serving.stdout.readline().split()[-1]))
            named = ("--manifest", "calls.csv", "--config", "night.toml")
            outcome = run("run", f"s3://{BUCKET}/", *named)
        finally:
            end(serving)
    assert outcome.code == 0, outcome.err
    run.use(AWS_ENDPOINT_URL=ministack)
    project = pushed(run, "By metadata")

    reviewer.open_project(project.number)
    reviewer.filter_by("queue", "returns")

    assert reviewer.tasks_listed() == [project.tasks["calls/invoice.wav"]["id"]]
    assert project.tasks["calls/invoice.wav"]["data"]["team"] == "calls"
