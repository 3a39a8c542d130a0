"""What `push --create` gives a project of a real Label Studio beside its configuration."""

from __future__ import annotations

import json

import pytest

from tests.label_studio_server.outputs import add_tasks

TEXTS = {
    "long.mp3": "one two three four",
    "short.mp3": "one",
    "middle.mp3": "one two",
    "none.mp3": "",
}


@pytest.fixture
def project(run, label_studio):
    """The number of a new project with three recordings and one without speech."""
    add_tasks(run.folder, TEXTS)
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    outcome = run("push", "--create", "Set up by push", "--json")
    assert outcome.code == 0, outcome.err
    number = json.loads(outcome.out)["project"]
    yield number
    label_studio.call("DELETE", f"projects/{number}/")


def shown(label_studio, project) -> dict[str, list[str]]:
    """The recordings of each tab, in the order of the tabs and of their tasks."""
    views = label_studio.call("GET", "dm/views/", project=project)
    return {
        view["data"]["title"]: [
            task["data"]["recording"]
            for task in label_studio.call("GET", "tasks", view=view["id"], project=project)["tasks"]
        ]
        for view in views
    }


def test_the_tabs_hold_what_they_say(run, label_studio, project):
    """The least certain first, silence apart; a review and a skip go into tabs of their own."""
    assert shown(label_studio, project) == {
        "To review": ["long.mp3", "middle.mp3", "short.mp3"],
        "Without speech": ["none.mp3"],
        "Skipped": [],
        "Reviewed": [],
    }
    tasks = {task["data"]["recording"]: task for task in label_studio.tasks(project)}

    label_studio.annotate(tasks["long.mp3"]["id"], tasks["long.mp3"]["predictions"][0]["result"])
    label_studio.annotate(tasks["short.mp3"]["id"], [], was_cancelled=True)

    after = shown(label_studio, project)
    assert (after["Reviewed"], after["Skipped"]) == (["long.mp3"], ["short.mp3"])
    assert after["To review"] == ["middle.mp3"]
    assert run("push", "--create", "Set up by push").code == 0
    assert list(shown(label_studio, project)) == list(after)


def test_the_queue_begins_with_the_least_certain(label_studio, project):
    """As displayed in the first tab it leaves silence out; all tasks are not handed by number."""
    [review, *_] = label_studio.call("GET", "dm/views/", project=project)
    found = label_studio.call(
        *("POST", "dm/actions", {"filters": review["data"]["filters"]}),
        id="next_task", project=project, tabID=review["id"],
    )  # fmt: skip

    assert found["data"]["recording"] == "long.mp3"
    about = label_studio.call("GET", f"projects/{project}/")
    assert about["sampling"] == "Uncertainty sampling"
    assert "[crosstalk]" in about["expert_instruction"]
