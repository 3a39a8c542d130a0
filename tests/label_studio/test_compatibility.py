"""Whether a project is made for the tasks."""

from __future__ import annotations

import pytest

from pipeline.config.schema import Aws
from pipeline.doctor.label_studio import sample
from pipeline.label_studio.compatibility import Survey, misfits
from pipeline.label_studio.label_config import label_config_for
from pipeline.label_studio.playback import storage_settings
from pipeline.label_studio.schema import Control, Project
from pipeline.label_studio.task_lines import Prediction, Result, TaskLine, Value
from pipeline.model import Layout, TaskKind
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.labeling_config import labeling_config

TEXT = Result("transcription", "audio", "textarea")
PROJECT = Project(
    12,
    label_config=labeling_config(TaskKind.TRANSCRIPT),
    parsed_label_config={
        "transcription": Control("TextArea", ["audio"]),
        "language": Control("Choices", ["audio"], dynamic_labels=True),
        "mood": Control("Choices", ["audio"], ["good", "bad"]),
    },
)


def surveyed(*results: Result, version: str = "m", **data: object) -> Survey:
    survey = Survey()
    known = {"audio": "s3://calls/a.mp3", "recording": "a.mp3", "languages": [], **data}
    survey.add(TaskLine(b"", 0, "j", known, [Prediction(list(results), 0.5, version)]))
    return survey


def test_project_of_the_same_kind_fits():
    """The project of our own configuration has a place for everything."""
    assert list(misfits(PROJECT, surveyed(TEXT))) == []


def test_no_tasks_need_nothing():
    """A night without new tasks is no reason to refuse a project."""
    assert list(misfits(PROJECT, Survey())) == []


@pytest.mark.parametrize("identifies", [False, True])
@pytest.mark.parametrize(("kind", "fits"), [("transcript", True), ("segments", False)])
def test_what_a_run_will_write_is_known_before_there_is_a_task(kind, identifies, fits):
    """The doctor asks with a task that never was, and it is as those of a run are."""
    tasks = TaskBuilder(TaskKind(kind), "amazon-transcribe/en-US", 0.5)

    survey = sample(tasks, "calls", identifies=identifies)

    assert (list(misfits(PROJECT, survey)) == []) is fits
    assert survey.version == "amazon-transcribe/en-US"
    assert survey.buckets == {"calls"}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Result("text", "audio", "textarea"), 'it has no control named "text"'),
        (Result("mood", "audio", "textarea"), 'its control "mood" is Choices, where the predic'),
        (Result("transcription", "video", "textarea"), 'its control "transcription" is not for'),
        (Result("mood", "audio", "choices", Value(choices=["meh"])), '"mood" does not list meh'),
    ],
)
def test_what_has_no_place_is_named(result, said):
    """Each way in which a prediction can miss the configuration has its sentence."""
    [misfit] = misfits(PROJECT, surveyed(result))

    assert said in misfit


def test_choices_that_come_out_of_the_task_are_not_looked_for():
    """What $languages lists needs no place in the configuration."""
    survey = surveyed(Result("language", "audio", "choices", Value(choices=["de-DE"])))

    assert list(misfits(PROJECT, survey)) == []


def test_key_that_one_task_lacks_is_named():
    """The server refuses a whole import for one task without a key that the project shows."""
    survey = surveyed(TEXT)
    survey.add(TaskLine(b"", 0, "k", {"audio": "s3://calls/b.mp3", "recording": "b.mp3"}, []))

    assert list(misfits(PROJECT, survey)) == ["it shows $languages, which not every task has"]


@pytest.mark.parametrize("layout", Layout)
def test_new_project_has_the_configuration_of_the_kind(layout):
    """Tasks with speakers are tasks of segments, shown in the layout that is asked for."""
    transcript, segments = surveyed(), surveyed(speakers=[])

    assert label_config_for(transcript, layout) == labeling_config(TaskKind.TRANSCRIPT)
    assert label_config_for(segments, layout) == labeling_config(TaskKind.SEGMENTS, layout)


def test_what_a_tag_without_a_name_shows_no_task_must_have():
    """The server asks for the others alone, and shows nothing of a key that is not there."""
    survey = Survey()
    survey.add(TaskLine(b"", 0, "k", {"audio": "s3://calls/b.mp3", "languages": []}, []))
    label_config = '<Header value="$recording"/><Text name="t" value="$word"/>'

    assert list(misfits(PROJECT, survey)) == []
    assert list(misfits(Project(1, label_config=label_config), survey)) == [
        "it shows $word, which not every task has"
    ]


def test_survey_tells_buckets_from_folders():
    """Buckets are to be heard through the project; a folder's audio no browser loads."""
    survey = surveyed()
    survey.add(TaskLine(b"", 0, "k", {"audio": "file:///a.mp3"}, []))

    assert (survey.tasks, survey.buckets, survey.unplayable) == (2, {"calls"}, 1)


def test_survey_counts_what_no_browser_plays():
    """AMR is fetched and stays silent, whatever its letter case."""
    survey = Survey()
    for key in ("a.amr", "b.AMR", "c.mp3"):
        survey.add(TaskLine(b"", 0, "k", {"audio": f"s3://calls/{key}"}, []))

    assert (survey.mute, survey.unplayable) == (2, 0)


def test_storage_row_carries_no_secret():
    """The server uses credentials of its own; only the region and endpoint are told to it."""
    plain = storage_settings(12, "calls", Aws())
    full = storage_settings(12, "calls", Aws(profile="p", region="eu-west-1", endpoint_url="h://s"))

    assert plain.keys() & {"aws_access_key_id", "region_name", "s3_endpoint"} == set()
    assert full.keys() - plain.keys() == {"region_name", "s3_endpoint"}
    assert "p" not in full.values()
