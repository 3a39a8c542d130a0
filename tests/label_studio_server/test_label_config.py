"""Which labeling configuration a project of a real Label Studio has, and when it gets another."""

from __future__ import annotations

import json

import pytest

from pipeline.label_studio.label_config import digest
from pipeline.model import Layout, TaskKind
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.labeling_config import labeling_config
from tests.label_studio_server.outputs import MODEL, add_transcripts, transcript

NOW = labeling_config(TaskKind.SEGMENTS, Layout.FOCUS).strip()  # as the server keeps it
EARLIER = NOW.replace('  <Markdown value="$dialogue"/>\n', "")
THEIRS = NOW.replace('hotkey="7"', 'hotkey="y"')


@pytest.fixture
def project(run, label_studio):
    """The number of a project of segments that an earlier version has made, with two tasks."""
    heard = {f"{name}.mp3": transcript(f"it is {name}") for name in ("one", "two")}
    add_transcripts(run.folder, heard, TaskBuilder(TaskKind.SEGMENTS, MODEL))
    run.use(LABEL_STUDIO_URL=label_studio.url, LABEL_STUDIO_API_KEY=label_studio.token)
    outcome = run("push", "--create", "Of an earlier version", "--layout", "focus", "--json")
    number = json.loads(outcome.out)["project"]
    label_studio.call("PATCH", f"projects/{number}/", {"label_config": EARLIER})
    path = run.folder / "tasks.jsonl.pushed"
    places = json.loads(path.read_text())
    [place] = places.values()
    assert place["label_config"] == digest(NOW)
    path.write_text(json.dumps({key: place | {"label_config": digest(EARLIER)} for key in places}))
    yield number
    label_studio.call("DELETE", f"projects/{number}/")


def config_of(label_studio, project):
    return label_studio.call("GET", f"projects/{project}/")["label_config"]


def test_a_project_of_ours_gets_the_configuration_of_this_version(run, label_studio, project):
    """It keeps its layout and its tasks, and once it has the configuration nothing is done."""
    outcome = run("push", "--project", project)
    again = run("push", "--project", project)

    assert outcome.code == 0
    assert "the project has the labeling configuration of this version now" in outcome.err
    assert config_of(label_studio, project) == NOW
    assert len(label_studio.tasks(project)) == 2
    assert "labeling configuration" not in again.err


def test_a_project_with_annotations_keeps_its_configuration(run, label_studio, project):
    """It is told what it could have, and how; nobody's work is put at risk."""
    task = label_studio.tasks(project)[0]
    label_studio.annotate(task["id"], task["predictions"][0]["result"])

    outcome = run("push", "--project", project)

    assert outcome.code == 0
    assert "keeps it (1 annotation is in it)" in outcome.err
    assert config_of(label_studio, project) == EARLIER


def test_a_configuration_that_someone_changed_is_theirs(run, label_studio, project):
    """A key that a team has chosen for itself is not taken back."""
    label_studio.call("PATCH", f"projects/{project}/", {"label_config": THEIRS})

    outcome = run("push", "--project", project)

    assert outcome.code == 0
    assert "labeling configuration" not in outcome.err
    assert config_of(label_studio, project) == THEIRS


def test_a_team_brings_its_own_configuration(run, label_studio, project):
    """A project is made of it as it stands; what the tasks lack is named before there is one."""
    (run.folder / "team.xml").write_text(THEIRS)
    (run.folder / "other.xml").write_text(THEIRS.replace('"speaker"', '"who"'))
    told = ("push", "--create", "Of a team", "--json", "--label-config")

    refused = run(*told, "other.xml")
    assert refused.code == 2
    assert 'other.xml is not made for these tasks: it has no control named "speaker"' in refused.err
    assert label_studio.call("GET", "projects/", title="Of a team")["results"] == []
    outcome = run(*told, "team.xml")

    report = json.loads(outcome.out)
    assert (outcome.code, report["sent"]) == (0, 2)
    assert config_of(label_studio, report["project"]) == THEIRS
    label_studio.call("DELETE", f"projects/{report['project']}/")
