"""An output that is split among projects of one title."""

from __future__ import annotations

import json

import pytest

from pipeline.label_studio.members import base_of
from tests.label_studio_server.outputs import add_tasks, many
from tests.support.small_label_studio import Projects, served

pytestmark = pytest.mark.usefixtures("in_this_process")

PUSH = ("push", "--create", "Calls", "--json")
SPLIT = (*PUSH, "--project-size", "200")
_WITH_LINE = {"none has the line": "", "the other has it": "1", "this one has it": "2"}


@pytest.fixture
def labels(run):
    """A server without projects, which the commands of a test use."""
    labels = Projects()
    with served(labels, run):
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


@pytest.mark.parametrize("second_round", [True, False])
def test_projects_of_a_title_are_several_whoever_made_them(run, labels, second_round):
    """Another output, or one whose ledger is lost, doubles nothing, without the option too."""
    add_tasks(run.folder, many(400))
    run(*SPLIT)
    before = recordings(labels)
    more: tuple[str, ...] = ()
    if second_round:
        labels.all[1].review(labels.all[1].tasks[0], "reviewed")
        (run.folder / "second").mkdir()
        add_tasks(run.folder / "second", many(400), model="amazon-transcribe/de", settings="de")
        more = ("--output", "second/tasks.jsonl")
    else:
        (run.folder / "tasks.jsonl.pushed").unlink()

    said = run(*PUSH, *more).summary

    counts = said["sent"], said["there"], said["renewed"], said["reviewed"]
    assert counts == ((0, 0, 399, 1) if second_round else (0, 400, 0, 0))
    assert recordings(labels) == before


def test_a_push_that_was_killed_behind_a_new_project_goes_on_with_all(run, labels):
    """The ledger does not know the project yet; what the full one has is counted once."""
    add_tasks(run.folder, many(400))
    run(*SPLIT)
    labels.all[1].tasks.clear()
    ledger = run.folder / "tasks.jsonl.pushed"
    places = json.loads(ledger.read_bytes())
    ledger.write_text(json.dumps({key: places[key] for key in places if "/projects/1 " in key}))

    said = run(*PUSH).summary

    assert (said["sent"], said["there"]) == (200, 200)
    assert len(set(recordings(labels))) == 400
    assert sizes(labels) == {"Calls": 200, "Calls 2": 200}


@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        ("push", "--project", "1"),
        ("push", "--project", "2", "--again"),
        ("push", "--create", "Calls 2", "--again"),
        ("pull", "--title", "Calls 2"),
    ],
)
def test_one_of_several_projects_is_not_used_alone(run, labels, arguments, ledger):
    """What the others have would be there twice, or their reviews be missing."""
    add_tasks(run.folder, many(250))
    run(*SPLIT)
    if not ledger:
        (run.folder / "tasks.jsonl.pushed").unlink()

    refused = run(*arguments)

    assert refused.code == 2
    assert "is one of several projects that the tasks of 'Calls' are split among" in refused.err
    assert "--create 'Calls' to push and --title 'Calls' to pull" in refused.err
    assert sizes(labels) == {"Calls": 200, "Calls 2": 50}


def forgotten(run, labels: Projects, *, ledger: bool = True) -> None:
    """Have it as an earlier version left it, or as who writes descriptions of their own."""
    for each in labels.all:
        each.description = ""
    if ledger:
        (run.folder / "tasks.jsonl.pushed").unlink()


@pytest.mark.parametrize("arguments", [SPLIT, ("pull", "--title", "Calls", "--json")])
@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_a_missing_number_is_refused(run, labels, arguments, lacking):
    """A deleted project, or a renamed one without its line: nobody knows what it has."""
    add_tasks(run.folder, many(450))
    run(*SPLIT)
    if lacking == 3:
        labels.deleted.add(1)
        (run.folder / "tasks.jsonl.pushed").unlink()
    else:
        forgotten(run, labels)
        labels.all[lacking - 1].title = "Letters"

    refused = run(*arguments)

    assert refused.code == 2
    assert f"and none {'Calls 2' if lacking == 2 else 'Calls'!r}" in refused.err
    assert "Give one that was renamed its title again, or write into its description" in refused.err
    assert len(recordings(labels)) == 450


@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_renamed_project_is_known_by_its_description(run, labels, ledger, renamed):
    """A lost ledger doubles nothing, and its reviews are pulled."""
    add_tasks(run.folder, many(450))
    run(*SPLIT)
    before = recordings(labels)
    labels.all[renamed].title = "Letters"
    labels.all[renamed].description = f"By Anna.\n{labels.all[renamed].description}"
    labels.all[renamed].review(labels.all[renamed].tasks[0], "reviewed")
    if not ledger:
        (run.folder / "tasks.jsonl.pushed").unlink()

    again = run(*SPLIT, "--again").summary
    pulled = run("pull", "--title", "Calls", "--json").summary

    assert (again["sent"], again["there"], pulled["added"]) == (0, 450, 1)
    assert recordings(labels) == before
    assert labels.all[renamed].description.startswith("By Anna.\nProject ")


def test_a_renamed_project_with_another_description_is_known_by_the_ledger(run, labels):
    """It is told which it is, so that it is known when the ledger is lost."""
    add_tasks(run.folder, many(450))
    run(*SPLIT)
    labels.all[1].title, labels.all[1].description = "Letters", "By Anna."

    first = run(*SPLIT, "--again").summary
    (run.folder / "tasks.jsonl.pushed").unlink()
    second = run(*SPLIT).summary

    assert [(each["sent"], each["there"]) for each in (first, second)] == [(0, 450), (0, 450)]
    assert labels.all[1].description == (
        "By Anna.\nProject 2 of “Calls”: transcribe-pipeline finds it by this line."
    )


@pytest.mark.parametrize("described", [True, False])
def test_the_only_project_is_known_when_it_was_renamed(run, labels, described):
    """By its description, or by the ledger; under its new title too, which takes it from no one."""
    add_tasks(run.folder, many(3))
    run(*PUSH)
    labels.all[0].title = "Letters"
    if described:
        (run.folder / "tasks.jsonl.pushed").unlink()
    else:
        labels.all[0].description = "By Anna."

    again = run(*PUSH, "--again").summary
    other = run("push", "--create", "Letters", "--json", "--again").summary
    third = run(*PUSH, "--again").summary

    pushes = again, other, third
    assert [(each["sent"], each["there"]) for each in pushes] == [(0, 3)] * 3
    assert sizes(labels) == {"Letters": 3}


@pytest.mark.parametrize("described", [True, False])
def test_a_project_behind_a_renamed_one_has_its_first_title(run, labels, described):
    """Given by its new title it is one of those of its first, and is split as one of them."""
    add_tasks(run.folder, many(3))
    run(*PUSH)
    labels.all[0].title = "Letters"
    if not described:
        labels.all[0].description = "By Anna."
    add_tasks(run.folder, many(250, of="late"))

    by_the_new = run("push", "--create", "Letters", "--json", "--project-size", "200").summary
    by_the_first = run(*SPLIT, "--again").summary
    refused = run("push", "--create", "Letters")

    assert [(each["sent"], each["there"]) for each in (by_the_new, by_the_first)] == [
        (250, 3),
        (0, 253),
    ]
    assert sizes(labels) == {"Letters": 200, "Calls 2": 53}
    assert (refused.code, "--create 'Calls' to push" in refused.err) == (2, True)


def test_an_earlier_versions_projects_are_known_by_their_titles(run, labels):
    """And are told what they are: a later push finds one that was renamed then."""
    add_tasks(run.folder, many(450))
    run(*SPLIT)
    forgotten(run, labels)

    first = run(*PUSH).summary
    (run.folder / "tasks.jsonl.pushed").unlink()
    labels.all[1].title = "Letters"
    second = run(*PUSH).summary

    assert [(each["sent"], each["there"]) for each in (first, second)] == [(0, 450), (0, 450)]


@pytest.mark.parametrize("by_hand", [True, False])
def test_titles_alone_make_no_projects_of_one_output(run, labels, by_hand):
    """A team's own "Calls 2" takes nothing of "Calls", and each is used alone."""
    add_tasks(run.folder, many(3))
    run(*PUSH)
    (run.folder / "other").mkdir()
    add_tasks(run.folder / "other", many(2, of="other"))
    other = ("push", "--create", "Calls 2", "--output", "other/tasks.jsonl", "--json")
    assert run(*other).summary["sent"] == 2
    if by_hand:
        labels.all[1].description = labels.all[1].sampling = ""
    add_tasks(run.folder, many(300, of="late"))

    late = run(*SPLIT)
    alone = run("push", "--project", "2", "--output", "other/tasks.jsonl", "--again")

    assert (late.code, alone.code) == (0, 0)
    assert sizes(labels) == {"Calls": 200, "Calls 2": 2, "Calls 3": 103}
    assert late.summary["sent"] == 300


@pytest.mark.parametrize("ours", ["none has the line", "the other has it", "this one has it"])
def test_a_project_with_the_title_of_another_is_filled_by_its_number(run, labels, ours):
    """Two teams may give the same title; a number names one of them."""
    add_tasks(run.folder, many(3))
    run(*PUSH)
    run("push", "--create", "Others", "--again")
    labels.all[1].title = "Calls"
    for each in labels.all:
        each.description = each.description if f"{each.number}" in _WITH_LINE[ours] else ""
    (run.folder / "tasks.jsonl.pushed").unlink()
    add_tasks(run.folder, many(2, of="late"))

    filled = run("push", "--project", "2", "--json")

    assert filled.code == 0, filled.err
    assert filled.summary["sent"] == 2
    assert [len(each.tasks) for each in labels.all] == [3, 5]


def test_two_projects_of_one_title_are_not_guessed_between(run, labels):
    """Where nothing but the title says which they are."""
    add_tasks(run.folder, many(250))
    run(*SPLIT)
    forgotten(run, labels)
    labels.all[1].title = "Calls"

    refused = run(*PUSH)

    assert refused.code == 2
    assert "2 projects" in refused.err
    assert "have the title 'Calls'" in refused.err
    assert "(1, 2)" in refused.err


def test_two_projects_of_one_number_are_both_filled(run, labels):
    """Two pushes at one time have made them: what either has stays there."""
    add_tasks(run.folder, many(450))
    run(*SPLIT)
    labels.all[2].description = labels.all[1].description
    (run.folder / "tasks.jsonl.pushed").unlink()

    again = run(*SPLIT).summary

    assert (again["sent"], again["there"], len(recordings(labels))) == (0, 450, 450)


@pytest.mark.parametrize(
    ("title", "base"),
    [
        ("Calls 2", "Calls"),
        ("Calls 999", "Calls"),
        ("Calls 2026", ""),
        ("Calls 1", ""),
        ("Calls 02", ""),
        ("Calls2", ""),
        ("Calls 2026 3", "Calls 2026"),
    ],
)
def test_a_number_is_one_that_push_puts_behind_a_title(title, base):
    """A year is part of the title."""
    assert base_of(title) == base


def test_all_projects_of_a_title_are_reviewed_twice(run, labels):
    """A share of the full ones too."""
    add_tasks(run.folder, many(250))
    run(*SPLIT)

    run(*SPLIT, "--overlap", "10%")

    twice = {"maximum_annotations": 2, "overlap_cohort_percentage": 10}
    assert [each.settings for each in labels.all] == [twice, twice]


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
