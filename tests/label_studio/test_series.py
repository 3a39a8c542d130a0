"""An output that is split among projects of one title."""

from __future__ import annotations

import json

import pytest

from tests.label_studio_server.outputs import add_tasks, many
from tests.support.between import Answer, between
from tests.support.small_label_studio import TOKEN, Projects, Request

PUSH = ("push", "--create", "Calls", "--json")
SPLIT = (*PUSH, "--project-size", "200")


@pytest.fixture
def labels(run):
    """A server without projects, which the commands of a test use."""
    labels = Projects()

    def reply(asked):
        status, content = labels.answer(Request.of(asked.method, asked.path, asked.body))
        return Answer(status, json.dumps(content).encode(), {})

    with between(None, reply) as url:
        run.use(LABEL_STUDIO_URL=url, LABEL_STUDIO_API_KEY=TOKEN)
        yield labels


def sizes(labels: Projects) -> dict[str, int]:
    """How many tasks each project has, by its title."""
    return {each.title: len(each.tasks) for each in labels.all}


def recordings(labels: Projects) -> list[str]:
    """What there are tasks of."""
    return sorted(each["data"]["recording"] for project in labels.all for each in project.tasks)


def test_what_a_project_has_no_room_for_goes_into_the_next(run, labels):
    """Later pushes fill the last one and add the next; once it is split without the option too."""
    add_tasks(run.folder, many(250))
    first = run(*SPLIT).summary
    add_tasks(run.folder, many(100, of="late"))
    second = run(*SPLIT).summary
    add_tasks(run.folder, many(100, of="later"))
    third = run(*PUSH).summary

    assert (first["sent"], first["there"], len(first["further"])) == (250, 0, 1)
    assert (second["sent"], second["there"], second["further"]) == (100, 250, [])
    assert (third["sent"], third["there"]) == (100, 350)
    assert sizes(labels) == {"Calls": 200, "Calls 2": 250}
    assert len(set(recordings(labels))) == 450


@pytest.mark.parametrize("lost", [True, False])
def test_a_recording_stays_in_the_project_that_has_it(run, labels, lost):
    """Neither a lost ledger nor --again puts a task into a second project."""
    add_tasks(run.folder, many(450))
    run(*SPLIT)
    before = recordings(labels)
    if lost:
        (run.folder / "tasks.jsonl.pushed").unlink()

    again = run(*SPLIT, *([] if lost else ["--again"])).summary

    assert (again["sent"], again["there"]) == (0, 450)
    assert recordings(labels) == before
    assert sizes(labels) == {"Calls": 200, "Calls 2": 200, "Calls 3": 50}


def test_a_second_round_goes_onto_the_tasks_of_every_project(run, labels):
    """Full projects too: no project is added where nothing is new."""
    add_tasks(run.folder, many(400))
    run(*SPLIT)
    second = run.folder / "second"
    second.mkdir()
    add_tasks(second, many(400) | many(1, of="new"), model="amazon-transcribe/de", settings="de")

    said = run(*SPLIT, "--output", "second/tasks.jsonl").summary

    assert (said["renewed"], said["sent"], len(said["further"])) == (400, 1, 1)
    assert sizes(labels) == {"Calls": 200, "Calls 2": 200, "Calls 3": 1}


def test_one_of_several_projects_is_not_filled_alone(run, labels):
    """What the others have would be there twice."""
    add_tasks(run.folder, many(250))
    run(*SPLIT)

    refused = run("push", "--project", "1")

    assert refused.code == 2
    assert "Project 1 is one of several" in refused.err
    assert "--create 'Calls'" in refused.err


def test_the_reviews_of_all_projects_are_pulled_by_their_title(run, labels):
    """They share a file, and are counted together."""
    add_tasks(run.folder, many(250))
    run(*SPLIT)
    for project in labels.all:
        project.review(project.tasks[0], f"reviewed in {project.title}")

    pulled = run("pull", "--title", "Calls", "--json").summary
    other = run("pull", "--title", "Letters")

    texts = [each["text"] for each in run.tasks("ground_truth.jsonl")]
    assert sorted(texts) == ["reviewed in Calls", "reviewed in Calls 2"]
    assert (pulled["added"], pulled["given"], pulled["total"]) == (2, 2, 2)
    assert other.code == 2
    assert "No project at" in other.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("push", "--create", "Calls", "--project-size", "100"), "is too small"),
        (("push", "--create", "C" * 48, "--project-size", "500"), "No number fits behind"),
        (("push", "--project", "1", "--project-size", "500"), "would do nothing"),
        (("pull", "--title", "Calls", "--project", "1"), "both name projects"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(run, labels, arguments, why):
    """Each with what to give instead."""
    add_tasks(run.folder, many(1))

    refused = run(*arguments)

    assert refused.code == 2
    assert why in refused.err
    assert not labels.all
