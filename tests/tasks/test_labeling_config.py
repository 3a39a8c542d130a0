"""The labeling configurations and the command that prints them."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from pipeline.model import Job, Recording, TaskKind
from pipeline.tasks import labeling_config as labeling
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.labeling_config import labeling_config
from tests.support.labeling import assert_accepted_by_label_studio
from tests.support.transcripts import SHAPES, read

JOB = Job(1, b"", "job", Recording("a.mp3", "e", 1))
kinds = pytest.mark.parametrize("kind", TaskKind)


def controls(kind: TaskKind) -> dict[str, ET.Element]:
    return {tag.get("name", ""): tag for tag in ET.fromstring(labeling_config(kind))}


@kinds
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_transcript_fits_the_one_configuration(kind, shape):
    """Speakers or none, channels or none, a language or none: one project takes all of them."""
    line = TaskBuilder(kind, "v").line("s3://b/a.mp3", JOB, read(shape))

    assert_accepted_by_label_studio(json.loads(line), labeling_config(kind))


def test_the_names_are_those_of_the_configuration():
    """Whoever reads annotations finds the controls under the names that this module gives."""
    transcript, segments = controls(TaskKind.TRANSCRIPT), controls(TaskKind.SEGMENTS)

    assert set(transcript) == {labeling.AUDIO, labeling.TRANSCRIPTION, labeling.LANGUAGE}
    assert set(segments) == {labeling.AUDIO, labeling.SPEAKER, labeling.TEXT, labeling.LANGUAGE}


@kinds
def test_texts_are_edited_in_place(kind):
    """A correction replaces the text: without these attributes the editor adds a second one."""
    [box] = [tag for tag in controls(kind).values() if tag.tag == "TextArea"]

    assert (box.get("editable"), box.get("maxSubmissions")) == ("true", "1")
    assert (box.get("displayMode") == "region-list") is (kind is TaskKind.SEGMENTS)


@kinds
def test_no_label_is_fixed(kind):
    """One fixed label or choice beside those of the task makes the strict check refuse the rest."""
    assert all(len(tag) == 0 for tag in controls(kind).values())


@kinds
def test_the_command_prints_the_configuration(run, kind):
    """What is printed is the XML alone, so that it can be written to a file."""
    outcome = run("labeling-config", "--task", kind)

    assert (outcome.code, outcome.out, outcome.err) == (0, labeling_config(kind), "")


def test_the_command_takes_the_kind_from_the_settings(run):
    """A configuration file that says segments needs no flag."""
    (run.folder / "calls.toml").write_text('[tasks]\nkind = "segments"\n')

    outcome = run("labeling-config", "--config", "calls.toml")

    assert outcome.out == labeling_config(TaskKind.SEGMENTS)
