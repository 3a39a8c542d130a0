"""What a task line holds, for Label Studio and for whoever splits the file into lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Job, Recording, Transcript, Word
from pipeline.tasks import transcript_task

JOB = Job(7, b"\x0a\x1b\x2c", "calls-0a1b2c", Recording("calls/a b.mp3", '"9f86d081"', 123_456))
WORDS = (
    Word("Close", 0.1, 0.4, 0.9, speaker="spk_0"),
    Word("it.", 0.4, 2.5, 0.8, speaker="spk_0"),
    Word("Gladly.", 1.2, 1.5, 0.9999, speaker="spk_1"),
)
SPOKEN = Transcript("calls-0a1b2c", "Close it. Gladly.", WORDS)
SILENT = Transcript("calls-0a1b2c", "", ())

# A short alphabet of troublesome letters is drawn from in no time, all of Unicode is not.
texts = st.text('ab "\\\x00\t\n\r\v\f\x1c\x7f\x85é電🚆\u2028\u2029\ufeff')
words = st.builds(
    Word,
    text=texts.filter(bool),
    start=st.floats(0, 1000),
    end=st.floats(1000, 2000),
    confidence=st.none() | st.floats(0, 1),
    speaker=st.none() | st.just("spk_0"),
)
transcripts = st.builds(
    Transcript,
    job_name=texts,
    text=texts,
    words=st.lists(words, max_size=5).map(tuple),
    languages=st.lists(texts, max_size=2).map(tuple),
    redacted=st.booleans(),
)


def task(transcript: Transcript = SPOKEN, audio: str = "s3://bucket/calls/a b.mp3") -> Any:
    return json.loads(transcript_task(audio, JOB, transcript, "amazon-transcribe"))


def assert_accepted_by_label_studio(task: Any) -> None:
    """Hold the task to the server's strict checks of a prediction, for our configuration."""
    assert isinstance(task["data"]["audio"], str)
    (prediction,) = task["predictions"]
    assert isinstance(prediction["score"], float | int)
    assert 0 <= prediction["score"] <= 1
    assert isinstance(prediction["model_version"], str)
    (result,) = prediction["result"]
    assert (result["from_name"], result["to_name"]) == ("transcription", "audio")
    assert result["type"] == "textarea"
    assert all(isinstance(text, str) for text in result["value"]["text"])


def test_a_task_holds_the_recording_the_text_and_where_it_comes_from():
    """The whole task, as Label Studio imports it."""
    text_area = {"from_name": "transcription", "to_name": "audio", "type": "textarea"}
    result = {"id": "tr", **text_area, "value": {"text": ["Close it. Gladly."]}}

    assert task() == {
        "data": {
            "audio": "s3://bucket/calls/a b.mp3",
            "job_id": "calls-0a1b2c",
            "word_count": 3,
            "speech_end": 2.5,
            "speaker_count": 2,
        },
        "predictions": [{"model_version": "amazon-transcribe", "score": 0.9, "result": [result]}],
        "meta": {"etag": '"9f86d081"', "size": 123_456},
    }


def test_a_silent_recording_is_a_task_with_an_empty_text_and_a_flag():
    """Silence is neither an error nor left out: text "", score 0, and meta says so."""
    silent = task(SILENT)

    assert silent["predictions"][0]["result"][0]["value"] == {"text": [""]}
    assert silent["predictions"][0]["score"] == 0
    assert silent["data"]["word_count"] == 0
    assert silent["data"]["speech_end"] == 0
    assert silent["meta"]["silent"] is True
    assert_accepted_by_label_studio(silent)


def test_a_text_of_blanks_alone_is_written_empty():
    """What the service calls a text but holds nothing does not look like one to a reviewer."""
    blank = task(Transcript("job", " \n", ()))

    assert blank["predictions"][0]["result"][0]["value"] == {"text": [""]}


def test_flags_stand_only_where_they_apply():
    """Flags, languages and the count of speakers stand only where there is something to say."""
    flagged = task(Transcript("job", "ja", WORDS, languages=("de-DE", "en-US"), redacted=True))

    assert flagged["meta"]["redacted"] is True
    assert flagged["meta"]["languages"] == ["de-DE", "en-US"]
    assert flagged["data"]["language"] == "de-DE"
    assert "language" not in task()["data"]
    assert "speaker_count" not in task(SILENT)["data"]
    assert not {"silent", "redacted", "languages"} & set(task()["meta"])


def test_the_line_is_utf_8():
    """Letters beyond ASCII stand as they are, so that the file can be read and searched."""
    line = transcript_task("s3://b/ü.mp3", JOB, Transcript("job", "fährt 電車 🚆", WORDS), "v")

    assert "fährt 電車 🚆".encode() in line
    assert "s3://b/ü.mp3".encode() in line


@pytest.mark.parametrize("end", ["\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_no_kind_of_line_end_splits_a_line(end):
    """Whatever a reader takes for a line end, a task is one line, and the URI comes back equal."""
    line = transcript_task(f"s3://b/a{end}b", JOB, Transcript("job", f"a{end}b", WORDS), "v")

    assert line.decode().splitlines() == [line.decode()[:-1]]
    assert json.loads(line)["data"]["audio"] == f"s3://b/a{end}b"


@pytest.mark.parametrize(
    "key", ["a//b", "../x", "%41", "a?b#c", "\x00\t", '"\\', "\u00e9", "e\u0301", "🚆"]
)
def test_the_uri_comes_back_byte_for_byte(key):
    """No key is encoded, normalised or repaired on its way into the task."""
    assert (
        task(audio=f"s3://bucket/{key}")["data"]["audio"].encode() == f"s3://bucket/{key}".encode()
    )


@given(texts, transcripts, texts)
def test_any_transcript_makes_one_line_that_comes_back_equal(audio, transcript, model_version):
    """Every task is one line, parses back to what went in, and passes Label Studio's checks."""
    line = transcript_task(audio, JOB, transcript, model_version)

    assert line.endswith(b"\n")
    assert len(line.decode().splitlines()) == 1
    back = json.loads(line)
    assert_accepted_by_label_studio(back)
    assert back["data"]["audio"] == audio
    assert back["predictions"][0]["model_version"] == model_version
    text = back["predictions"][0]["result"][0]["value"]["text"]
    assert text == ["" if transcript.silent else transcript.text]
