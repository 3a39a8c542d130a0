"""Which labeling configuration a project is given, where no server is needed to tell."""

from __future__ import annotations

import pytest

from pipeline.errors import BadSettings, TasksRefused
from pipeline.label_studio.compatibility import Survey
from pipeline.label_studio.label_config import (
    check_config_of_team,
    config_of_team,
    digest,
    later_config,
    parsed,
)
from pipeline.label_studio.push_ledger import Place
from pipeline.label_studio.schema import Control, Project
from pipeline.label_studio.task_lines import Prediction, Result, TaskLine, Value
from pipeline.model import Layout, TaskKind
from pipeline.tasks.labeling_config import labeling_config

EARLIER = "<View> <Audio name='audio' value='$audio'/> </View>"


def given(kind: TaskKind, label_config: str = EARLIER) -> Project:
    """A project of tasks of this kind."""
    controls = parsed(labeling_config(kind))
    return Project(1, label_config=label_config, parsed_label_config=controls)


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("layout", Layout)
def test_a_later_configuration_is_of_the_same_kind_and_layout(kind, layout):
    """Neither does a nightly push without a flag change the layout that reviewers are used to."""
    place = Place(label_config=digest(EARLIER), layout=layout)
    fresh = labeling_config(kind, layout)

    assert later_config(given(kind), place) == fresh
    assert later_config(given(kind, EARLIER.replace(" ", "\n ")), place) == fresh


def test_what_is_not_ours_or_is_the_latest_stays():
    """One that someone changed, one that was never ours, and that of this version."""
    fresh = labeling_config(TaskKind.SEGMENTS)
    changed = given(TaskKind.SEGMENTS, EARLIER.replace("audio'/", "audio' height='9'/"))

    assert later_config(changed, Place(label_config=digest(EARLIER))) == ""
    assert later_config(given(TaskKind.SEGMENTS), Place()) == ""
    assert later_config(given(TaskKind.SEGMENTS, fresh), Place(label_config=digest(fresh))) == ""


def test_a_project_whose_controls_are_not_known_keeps_its_configuration():
    """What the server does not tell is unknown: it is not a project of whole transcripts."""
    untold = Project(1, label_config=EARLIER, parsed_label_config=None)

    assert later_config(untold, Place(label_config=digest(EARLIER))) == ""


def test_controls_are_read_as_the_server_reads_them():
    """Name, type, object, the values to choose from, and whether the task brings them."""
    controls = parsed(labeling_config(TaskKind.SEGMENTS))

    assert controls["verdict"] == Control("Choices", ["audio"], ["clear", "noisy", "unusable"])
    assert controls["speaker"] == Control("Labels", ["audio"], [], dynamic_labels=True)
    assert "audio" not in controls


def test_all_that_a_teams_configuration_lacks_is_named(tmp_path):
    """A control, its object, a label and a key, in one sentence, with the file's name."""
    label_config = (
        '<View><Text name="t" value="$words"/><TextArea name="text" toName="t"/>'
        '<Labels name="speaker" toName="audio"><Label value="agent"/></Labels></View>'
    )
    results = [
        Result("text", "audio", "textarea"),
        Result("speaker", "audio", "labels", Value(labels=["spk_0"])),
        Result("language", "audio", "choices"),
    ]
    survey = Survey()
    survey.add(TaskLine(b"", 0, "j", {"audio": "s3://a/b.mp3"}, [Prediction(results)]))

    with pytest.raises(TasksRefused) as refused:
        check_config_of_team(tmp_path / "team.xml", label_config, survey)

    said = str(refused.value)
    assert "team.xml is not made for these tasks" in said
    assert 'it has no control named "language"' in said
    assert 'its control "text" is not for "audio"' in said
    assert 'its control "speaker" does not list spk_0' in said
    assert "it shows $words, which not every task has" in said


@pytest.mark.parametrize("content", [None, b"<View>", b"\xff\xfe<"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, content):
    """Whether it is not there, is cut off or no text: a sentence, and nothing is asked for."""
    path = tmp_path / "team.xml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BadSettings, match=r"team\.xml can't be read"):
        config_of_team(path)


def test_a_configuration_needs_a_project_to_be_made(run):
    """A project that is there keeps its own: the flag would do nothing."""
    outcome = run("push", "--project", "3", "--label-config", "team.xml")

    assert outcome.code == 2
    assert "--label-config is for a project that is made" in outcome.err
