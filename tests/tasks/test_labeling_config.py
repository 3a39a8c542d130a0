"""The labeling configurations and the command that prints them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from pipeline.ground_truth.unusable import UNUSABLE
from pipeline.model import Job, Layout, Recording, TaskKind
from pipeline.tasks import labeling_config as labeling
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.labeling_config import labeling_config
from tests.support.labeling import assert_accepted_by_label_studio
from tests.support.transcripts import SHAPES, read

JOB = Job(1, b"", "job", Recording("a.mp3", "e", 1))
kinds = pytest.mark.parametrize("kind", TaskKind)


SCREENS = [(TaskKind.TRANSCRIPT, Layout.LIST), *((TaskKind.SEGMENTS, each) for each in Layout)]
screens = pytest.mark.parametrize(("kind", "layout"), SCREENS)


def controls(kind: TaskKind, layout: Layout = Layout.LIST) -> dict[str, ET.Element]:
    config = ET.fromstring(labeling_config(kind, layout))
    return {tag.get("name", ""): tag for tag in config.iter("*")}


@screens
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_transcript_fits_the_one_configuration(kind, layout, shape):
    """Speakers or none, channels or none, a language or none: one project takes all of them."""
    line = TaskBuilder(kind, "v").line("s3://b/a.mp3", JOB, read(shape))

    assert_accepted_by_label_studio(json.loads(line), labeling_config(kind, layout))


def test_the_names_are_those_of_the_configuration():
    """Whoever reads annotations finds the controls under the names that this module gives."""
    transcript, segments = controls(TaskKind.TRANSCRIPT), controls(TaskKind.SEGMENTS)
    ours = {labeling.AUDIO, labeling.TRANSCRIPTION, labeling.LANGUAGE}
    theirs = {labeling.AUDIO, labeling.SPEAKER, labeling.TEXT, labeling.LANGUAGE}

    assert set(transcript) - {""} == ours | {"verdict"}
    assert set(segments) - {""} == theirs | {"issue", "verdict", "note"}
    assert set(controls(TaskKind.SEGMENTS, Layout.FOCUS)) == set(segments)


@screens
def test_texts_are_edited_in_place(kind, layout):
    """A correction replaces the text: without these attributes the editor adds a second one."""
    name = labeling.TEXT if kind is TaskKind.SEGMENTS else labeling.TRANSCRIPTION
    box = controls(kind, layout)[name]
    in_list = kind is TaskKind.SEGMENTS and layout is Layout.LIST

    assert (box.get("editable"), box.get("maxSubmissions")) == ("true", "1")
    assert (box.get("displayMode") == "region-list") is in_list
    assert (box.get("transcription") == "true") is not in_list


def test_no_field_stands_behind_the_box_that_keys_leave():
    """The key that leaves the box would go on to it, where none leads to the next segment."""
    controls_in_order = [name for name in controls(TaskKind.SEGMENTS, Layout.FOCUS) if name]

    assert controls_in_order[-1] == labeling.TEXT


@kinds
def test_no_label_of_the_task_is_fixed(kind):
    """One fixed label or choice beside those of the task makes the strict check refuse the rest."""
    dynamic = [tag for tag in controls(kind).values() if tag.get("value", "").startswith("$")]

    assert len(dynamic) >= 2
    assert all(len(tag) == 0 for tag in dynamic)


def test_both_channels_show_and_every_script_reads():
    """A waveform for each channel, and texts in the direction of their own script."""
    for screen in SCREENS:
        assert controls(*screen)[labeling.AUDIO].get("splitchannels") == "true"
        assert "unicode-bidi: plaintext" in labeling_config(*screen)


def test_what_a_reviewer_marks_is_what_is_left_out():
    """The issues and the worst verdict are words by which a segment or recording is unusable."""
    issues = [each.get("value") for each in controls(TaskKind.SEGMENTS)["issue"]]

    assert set(issues) <= set(UNUSABLE)
    for screen in SCREENS:
        verdicts = [each.get("value") for each in controls(*screen)["verdict"]]
        assert set(verdicts) & set(UNUSABLE) == {"unusable"}
    marks = [each.get("value") for each in controls(TaskKind.TRANSCRIPT)[labeling.TRANSCRIPTION]]
    assert [each.strip("[]") in UNUSABLE for each in marks if each] == [True, True]


@screens
def test_the_command_prints_the_configuration(run, kind, layout):
    """What is printed is the XML alone, so that it can be written to a file."""
    shown_as = ("--layout", layout) if kind is TaskKind.SEGMENTS else ()

    outcome = run("labeling-config", "--task", kind, *shown_as)

    assert (outcome.code, outcome.out, outcome.err) == (0, labeling_config(kind, layout), "")


def test_the_command_takes_the_kind_from_the_settings(run):
    """A configuration file that says segments needs no flag."""
    (run.folder / "calls.toml").write_text('[tasks]\nkind = "segments"\n')

    outcome = run("labeling-config", "--config", "calls.toml")

    assert outcome.out == labeling_config(TaskKind.SEGMENTS)
