"""Files of other engines: which recording each is of, and the text in it."""

from __future__ import annotations

import json

import pytest

from pipeline.quality.foreign_transcripts import transcripts_in

SPOKEN = ([("so", 0.0), ("is", 10.3)], [("it", 2.2)])
"""Two channels of a conversation, with the seconds of each word."""


def texts_in(*where):
    """The texts alone."""
    return transcripts_in(*where).texts


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

    assert texts_in(tmp_path, ["s3://b/calls/a.mp3"]) == {"s3://b/calls/a.mp3": "so it is"}


def test_ctm_is_its_words(tmp_path):
    """Comments and marks in angle brackets are no words."""
    (tmp_path / "a.ctm").write_text(";; x\na 1 0.0 0.2 so 0.9\na 1 0.2 0.1 <eps>\na 1 0.3 0.1 it\n")

    assert texts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so it"}


def test_the_channels_of_ctm_are_one_conversation(tmp_path):
    """Words come in the order in which they are spoken, whoever speaks them."""
    (tmp_path / "a.ctm").write_text("a 1 0.0 0.2 so\na 1 10.3 0.1 is\na 2 2.2 0.1 it\n")

    assert texts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so it is"}


@pytest.mark.parametrize(("name", "content"), [("a.JSON", '{"text": "so"}'), ("a.Txt", "so")])
def test_files_of_windows_are_read(tmp_path, name, content):
    """Extensions in capitals, and a byte order mark before the text."""
    (tmp_path / name).write_text(content, "utf-8-sig")

    assert texts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so"}


def test_a_name_that_two_recordings_share_is_neither_ones(tmp_path):
    """The folder tells them apart, where the engine kept it; a bare name does not."""
    audio = ["s3://b/mon/a.mp3", "s3://b/tue/a.mp3", "s3://b/tue/b.mp3"]
    for name in ("a.txt", "tue/a.mp3.txt", "b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    assert texts_in(tmp_path, audio) == {
        "s3://b/tue/a.mp3": "tue/a.mp3.txt",
        "s3://b/tue/b.mp3": "b.txt",
    }
    assert texts_in(tmp_path, audio[2:], ["s3://b/mon/b.mp3"]) == {}


def deepgram(spoken):
    """A channel of Deepgram's."""
    words = [{"word": word, "punctuated_word": word, "start": at} for word, at in spoken]
    return {"alternatives": [{"transcript": " ".join(w for w, _ in spoken), "words": words}]}


def google(spoken, channel):
    """A result of Google's, of one channel."""
    words = [{"word": word, "startTime": f"{at}s"} for word, at in spoken]
    text = " ".join(word for word, _ in spoken)
    return {"channelTag": channel, "alternatives": [{"transcript": text, "words": words}]}


@pytest.mark.parametrize(
    "document",
    [
        {"results": {"channels": [deepgram(each) for each in SPOKEN]}},
        {"results": [google(each, number) for number, each in enumerate(SPOKEN)]},
    ],
    ids=["deepgram", "google"],
)
def test_channels_are_joined_by_the_times_of_their_words(tmp_path, document):
    """As reviewers write a conversation down, and not one speaker after the other."""
    (tmp_path / "a.json").write_text(json.dumps(document))

    assert texts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so it is"}


def test_channels_whose_words_have_no_times_follow_each_other(tmp_path):
    """Then that is all that is known of them."""
    channels = [deepgram(each) for each in SPOKEN]
    del channels[1]["alternatives"][0]["words"][0]["start"]
    (tmp_path / "a.json").write_text(json.dumps({"results": {"channels": channels}}))

    assert texts_in(tmp_path, ["s3://b/a.mp3"]) == {"s3://b/a.mp3": "so is it"}


def test_of_several_files_of_a_recording_one_counts_and_all_are_told(tmp_path):
    """That with the longest name, and JSON before CTM before text."""
    for name in ("a.txt", "a.ctm", "a.json", "calls/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"text": name}))

    found = transcripts_in(tmp_path, ["s3://b/calls/a.mp3"])

    assert found.texts == {"s3://b/calls/a.mp3": '{"text": "calls/a.txt"}'}
    names = [path.relative_to(tmp_path).as_posix() for path in found.several[0]]
    assert names == ["calls/a.txt", "a.json", "a.ctm", "a.txt"]
