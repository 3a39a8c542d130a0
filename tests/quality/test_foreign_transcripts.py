"""Files of other engines: which recording each is of, and the text in it."""

from __future__ import annotations

import json

import pytest

from pipeline.quality.foreign_transcripts import transcripts_in


@pytest.mark.parametrize(
    "document",
    [
        {"results": {"transcripts": [{"transcript": "so it is"}], "items": [{"id": 0}]}},
        {"text": "so it is", "segments": [{"text": "so"}]},
        {"segments": [{"start": 0, "text": "so it"}, {"start": 1, "text": "is"}]},
        [{"text": "so it"}, {"text": "is"}],
        {"results": {"channels": [{"alternatives": [{"transcript": "so it is"}, {}]}]}},
        {"results": [{"alternatives": [{"transcript": each}]} for each in ("so it", "is")]},
    ],
    ids=["transcribe", "whisper", "segments", "list", "deepgram", "google"],
)  # fmt: skip
def test_the_text_is_found_where_engines_put_it(tmp_path, document):
    """Of the shapes of six engines, each text once, and of alternatives the first."""
    (tmp_path / "a.json").write_text(json.dumps(document))

    assert transcripts_in(tmp_path, ["s3://b/calls/a.mp3"]) == {"s3://b/calls/a.mp3": "so it is"}


def test_ctm_is_its_words(tmp_path):
    """Comments and marks in angle brackets are no words."""
    (tmp_path / "a.ctm").write_text(";; x\na 1 0.0 0.2 so 0.9\na 1 0.2 0.1 <eps>\na 1 0.3 0.1 it\n")

    assert transcripts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so it"}


def test_the_channels_of_ctm_are_one_conversation(tmp_path):
    """Words come in the order in which they are spoken, whoever speaks them."""
    (tmp_path / "a.ctm").write_text("a 1 0.0 0.2 so\na 1 10.3 0.1 is\na 2 2.2 0.1 it\n")

    assert transcripts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so it is"}


@pytest.mark.parametrize(("name", "content"), [("a.JSON", '{"text": "so"}'), ("a.Txt", "so")])
def test_files_of_windows_are_read(tmp_path, name, content):
    """Extensions in capitals, and a byte order mark before the text."""
    (tmp_path / name).write_text(content, "utf-8-sig")

    assert transcripts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so"}


def test_a_name_that_two_recordings_share_is_neither_ones(tmp_path):
    """The folder tells them apart, where the engine kept it; a bare name does not."""
    audio = ["s3://b/mon/a.mp3", "s3://b/tue/a.mp3", "s3://b/tue/b.mp3"]
    for name in ("a.txt", "tue/a.mp3.txt", "b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    assert transcripts_in(tmp_path, audio) == {
        "s3://b/tue/a.mp3": "tue/a.mp3.txt",
        "s3://b/tue/b.mp3": "b.txt",
    }
    assert transcripts_in(tmp_path, audio[2:], ["s3://b/mon/b.mp3"]) == {}
