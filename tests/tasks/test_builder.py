"""What a task line holds, for Label Studio and for whoever splits the file into lines."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.metadata import TASK_NAMES
from pipeline.model import (
    Alternatives,
    Job,
    JobSettings,
    Recording,
    Segment,
    TaskKind,
    ToxicitySegment,
    Transcript,
    Word,
)
from pipeline.tasks.builder import TaskBuilder
from pipeline.tasks.labeling_config import labeling_config
from tests.support.labeling import assert_accepted_by_label_studio

JOB = Job(7, b"\x0a\x1b\x2c", "calls-0a1b2c", Recording("calls/a b.mp3", '"9f86d081"', 123_456))
SEGMENTS = (
    Segment("Close it.", 0.1, 2.5, "spk_0", confidence=0.85),
    Segment("Gladly.", 1.2, 1.5, "spk_1", confidence=0.9999),
)
SPOKEN = Transcript("calls-0a1b2c", "Close it. Gladly.", SEGMENTS, 3, 0.89999)
WORDS = (Word("Hello", 0.1, 0.5, 0.96), Word("there.", 0.5, 1.0, 0.9))
SURE = Transcript("job", "Hello there.", (Segment("Hello there.", 0.1, 1.0, words=WORDS),), 2, 0.93)
SILENT = Transcript("calls-0a1b2c", "")
IDENTIFIED = Transcript("job", "ja", SEGMENTS[:1], 1, 0.5, ("de-DE", "en-US"), redacted=True)

# A short alphabet of troublesome letters is drawn from in no time, all of Unicode is not.
texts = st.text('ab "\\\x00\t\n\r\v\f\x1c\x7f\x85é電🚆\u2028\u2029\ufeff')
labels = st.none() | texts
segments = st.builds(
    Segment,
    text=texts.filter(bool),
    start=st.floats(0, 1000),
    end=st.floats(1000, 2000),
    speaker=labels,
    channel=st.none() | st.sampled_from(["ch_0", "ch_1", "left"]),
    confidence=st.none() | st.floats(0, 1),
)
transcripts = st.builds(
    Transcript,
    job_name=texts,
    text=texts,
    segments=st.lists(segments, max_size=5).map(tuple),
    word_count=st.integers(0, 9),
    confidence=st.none() | st.floats(0, 1),
    languages=st.lists(texts, max_size=2, unique=True).map(tuple),
    redacted=st.booleans(),
)
kinds = pytest.mark.parametrize("kind", TaskKind)


def line_of(
    transcript: Transcript = SPOKEN,
    kind: TaskKind = TaskKind.TRANSCRIPT,
    audio: str = "s3://bucket/calls/a b.mp3",
) -> bytes:
    return TaskBuilder(kind, "amazon-transcribe").line(audio, JOB, transcript)


def task(
    transcript: Transcript = SPOKEN,
    kind: TaskKind = TaskKind.TRANSCRIPT,
    audio: str = "s3://bucket/calls/a b.mp3",
) -> Any:
    return json.loads(line_of(transcript, kind, audio))


FACTS = {
    "audio": "s3://bucket/calls/a b.mp3",
    "recording": JOB.recording.key,
    "job_id": "calls-0a1b2c",
    "duration": 2.5,
    "word_count": 3,
    "mean_confidence": 0.9,
    "lowest_confidence": 0.85,
    "speaker_count": 2,
    "languages": [],
}


def test_a_transcript_task_holds_the_recording_the_text_and_where_it_comes_from():
    """The whole task of the kind transcript, as Label Studio imports it."""
    text_area = {"from_name": "transcription", "to_name": "audio", "type": "textarea"}
    result = {"id": "tr", **text_area, "value": {"text": ["Close it. Gladly."]}}

    assert task() == {
        "data": FACTS,
        "predictions": [{"model_version": "amazon-transcribe", "score": 0.9, "result": [result]}],
        "meta": {"etag": '"9f86d081"', "size": 123_456},
    }


@kinds
def test_a_task_without_words_to_mark_is_as_it_was(kind):
    """The threshold changes nothing where every word is above it; where one is below, it shows."""
    sure = TaskBuilder(kind, "v", 0.5).line("s3://b/a.mp3", JOB, SURE)
    marked = TaskBuilder(kind, "v", 0.95).line("s3://b/a.mp3", JOB, SURE)

    assert sure == TaskBuilder(kind, "v").line("s3://b/a.mp3", JOB, SURE)
    assert "<mark>there.</mark>" in json.loads(marked)["data"]["dialogue"]
    assert ("dialogue" in json.loads(sure)["data"]) is (kind is TaskKind.SEGMENTS)


def test_a_segments_task_has_a_label_and_a_text_for_each_segment():
    """Two results share the id of their region; the speakers' labels come with the task."""
    found = task(kind=TaskKind.SEGMENTS)

    speakers, said = found["data"].pop("speakers"), found["data"].pop("dialogue")
    assert found["data"] == FACTS
    assert said.startswith('<p dir="auto"><b>spk_0</b> 0:00<br>Close it.</p>\n<p')
    assert [each["value"] for each in speakers] == ["spk_0", "spk_1", "spk_2", "spk_3"]
    assert found["predictions"][0]["result"] == [
        {
            "id": "seg-00000",
            "from_name": "speaker",
            "to_name": "audio",
            "type": "labels",
            "value": {"start": 0.1, "end": 2.5, "labels": ["spk_0"]},
            "score": 0.85,
        },
        {
            "id": "seg-00000",
            "from_name": "text",
            "to_name": "audio",
            "type": "textarea",
            "value": {"start": 0.1, "end": 2.5, "text": ["Close it."]},
        },
        {
            "id": "seg-00001",
            "from_name": "speaker",
            "to_name": "audio",
            "type": "labels",
            "value": {"start": 1.2, "end": 1.5, "labels": ["spk_1"]},
            "score": 0.9999,
        },
        {
            "id": "seg-00001",
            "from_name": "text",
            "to_name": "audio",
            "type": "textarea",
            "value": {"start": 1.2, "end": 1.5, "text": ["Gladly."]},
        },
    ]


def test_segments_of_two_channels_are_drawn_on_theirs():
    """A channel is a number in both results, and the label where nobody was told apart."""
    apart = (Segment("Hi.", 0, 1, channel="ch_0"), Segment("Oh.", 1, 2, "spk_3", "ch_1"))

    found = task(Transcript("job", "Hi. Oh.", apart, 2), TaskKind.SEGMENTS)

    values = [each["value"] for each in found["predictions"][0]["result"]]
    assert [value["channel"] for value in values] == [0, 0, 1, 1]
    assert [values[0]["labels"], values[2]["labels"]] == [["ch_0"], ["spk_3"]]


def test_a_segment_of_nobody_has_a_label_too():
    """A region without a label can't be drawn, so speech that is nobody's is called speech."""
    found = task(Transcript("job", "Hi.", (Segment("Hi.", 0, 1),), 1), TaskKind.SEGMENTS)

    assert found["predictions"][0]["result"][0]["value"]["labels"] == ["speech"]
    assert [each["value"] for each in found["data"]["speakers"]] == ["speech", "spk_0", "spk_1"]


@kinds
def test_the_identified_language_is_a_choice_among_the_candidates(kind):
    """Where a language was identified it is chosen already, and the others can be."""
    found = task(IDENTIFIED, kind)

    assert found["predictions"][0]["result"][-1] == {
        "id": "lang",
        "from_name": "language",
        "to_name": "audio",
        "type": "choices",
        "value": {"choices": ["de-DE"]},
    }
    assert found["data"]["languages"] == [{"value": "de-DE"}, {"value": "en-US"}]
    assert found["data"]["language"] == "de-DE"


@kinds
def test_a_silent_recording_is_a_task_without_text_and_with_a_flag(kind):
    """Silence is neither an error nor left out: no text, score 0, and meta says so."""
    silent = task(SILENT, kind)

    [prediction] = silent["predictions"]
    assert [result["value"] for result in prediction["result"]] in ([{"text": [""]}], [])
    assert prediction["score"] == 0
    assert silent["data"]["word_count"] == silent["data"]["duration"] == 0
    assert silent["meta"]["silent"] is True
    assert_accepted_by_label_studio(silent, labeling_config(kind))


def test_a_text_of_blanks_alone_is_written_empty():
    """What the service calls a text but holds nothing does not look like one to a reviewer."""
    blank = task(Transcript("job", " \n"))

    assert blank["predictions"][0]["result"][0]["value"] == {"text": [""]}


def test_flags_stand_only_where_they_apply():
    """Flags, the language and the count of speakers stand only where there is something to say."""
    assert task(IDENTIFIED)["meta"]["redacted"] is True
    assert "language" not in task()["data"]
    assert "speaker_count" not in task(SILENT)["data"]
    assert not {"silent", "redacted"} & set(task()["meta"])


def test_a_task_carries_the_language_that_it_was_transcribed_in():
    """The language that was named stands in the data, unless another one was identified."""
    given = json.loads(
        TaskBuilder(TaskKind.TRANSCRIPT, "m").line("a", JOB, SPOKEN, JobSettings("ja-JP"))
    )

    assert given["data"]["language"] == "ja-JP"
    assert given["data"]["languages"] == []
    assert [each["id"] for each in given["predictions"][0]["result"]] == ["tr"]
    assert task(IDENTIFIED)["data"]["language"] == "de-DE"


@kinds
def test_what_was_asked_for_on_top_is_in_the_data(kind):
    """Toxicity, alternatives, languages' seconds and subtitles come with the task they are of."""
    asked = JobSettings("en-US", subtitles=("s3://t/n.vtt",))
    transcript = msgspec.structs.replace(
        SPOKEN,
        language_seconds={"en-US": 2.0, "de-DE": 0.5},
        toxicity=(
            ToxicitySegment(0.0, 1.0, 0.1, {}),
            ToxicitySegment(1.0, 2.5, 0.7, {"insult": 0.9}),
        ),
        alternatives=(Alternatives(0.0, 1.0, ["Clothe it."]),),
    )

    found = json.loads(TaskBuilder(kind, "m").line("a", JOB, transcript, asked))

    assert_accepted_by_label_studio(found, labeling_config(kind))
    assert found["data"]["language_seconds"] == {"en-US": 2.0, "de-DE": 0.5}
    assert found["data"]["toxicity"] == 0.7
    assert found["data"]["toxicity_detection"][1]["categories"] == {"insult": 0.9}
    assert found["data"]["alternatives"] == [{"start": 0.0, "end": 1.0, "texts": ["Clothe it."]}]
    assert found["data"]["subtitles"] == ["s3://t/n.vtt"]


def test_speech_that_is_not_toxic_at_all_says_so():
    """Zero is a finding, and not the same as having looked for nothing."""
    harmless = msgspec.structs.replace(SPOKEN, toxicity=(ToxicitySegment(0.0, 1.0, 0.0, {}),))

    assert task(harmless)["data"]["toxicity"] == 0
    assert "toxicity" not in task(SPOKEN)["data"]


def test_metadata_stands_beside_what_is_ours():
    """Every name of ours is one that metadata is refused for; what is given comes back as it is."""
    builder = TaskBuilder(TaskKind.SEGMENTS, "m")
    asked = JobSettings("en-US", subtitles=("s3://t/n.vtt",), redacted_transcript="s3://t/n.json")
    toxic = msgspec.structs.replace(SPOKEN, toxicity=(ToxicitySegment(0.0, 1.0, 0.5, {}),))

    ours = json.loads(builder.line("a", JOB, toxic, asked))["data"]
    data = json.loads(builder.line("a", JOB, toxic, asked, {"agent": "Ü", "n": 7}))["data"]

    assert ours.keys() <= TASK_NAMES
    assert data == ours | {"agent": "Ü", "n": 7}


def test_reviewers_are_not_led_to_what_was_redacted():
    """Label Studio opens the URIs in a task's data, so that of the unredacted text is in meta."""
    asked = JobSettings("en-US", True, "s3://t/redacted-n.json", "s3://t/n.json")  # noqa: FBT003

    found = json.loads(TaskBuilder(TaskKind.TRANSCRIPT, "m").line("a", JOB, SPOKEN, asked))

    assert found["data"]["redacted_transcript"] == "s3://t/redacted-n.json"
    assert "s3://t/n.json" not in json.dumps(found["data"])
    assert found["meta"]["unredacted_transcript"] == "s3://t/n.json"
    assert found["meta"]["redacted"] is True


def test_a_silent_recording_has_no_subtitles():
    """The service writes none without speech, so none are named."""
    asked = JobSettings("en-US", subtitles=("s3://t/n.vtt",))

    found = json.loads(TaskBuilder(TaskKind.TRANSCRIPT, "m").line("a", JOB, SILENT, asked))

    assert "subtitles" not in found["data"]


def test_channels_are_counted_where_they_were_apart():
    """The number of channels on which someone speaks stands beside that of the speakers."""
    apart = (Segment("Hi.", 0, 1, channel="ch_0"), Segment("Oh.", 1, 2, channel="ch_1"))

    assert task(Transcript("job", "Hi. Oh.", apart, 2))["data"]["channel_count"] == 2
    assert "channel_count" not in task()["data"]


def test_the_line_is_utf_8():
    """Letters beyond ASCII stand as they are, so that the file can be read and searched."""
    line = line_of(Transcript("job", "fährt 電車 🚆", SEGMENTS), audio="s3://b/ü.mp3")

    assert "fährt 電車 🚆".encode() in line
    assert "s3://b/ü.mp3".encode() in line


@pytest.mark.parametrize("end", ["\n", "\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_no_kind_of_line_end_splits_a_line(end):
    """Whatever a reader takes for a line end, a task is one line, and the URI comes back equal."""
    line = line_of(Transcript("job", f"a{end}b", SEGMENTS), audio=f"s3://b/a{end}b")

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


@given(st.sampled_from(TaskKind), texts, transcripts, texts)
def test_any_transcript_makes_one_line_that_comes_back_equal(
    kind, audio, transcript, model_version
):
    """Every task is one line, parses back to what went in, and passes Label Studio's checks."""
    line = TaskBuilder(kind, model_version).line(audio, JOB, transcript)

    assert line.endswith(b"\n")
    assert len(line.decode().splitlines()) == 1
    back = json.loads(line)
    assert_accepted_by_label_studio(back, labeling_config(kind))
    assert back["data"]["audio"] == audio
    assert back["predictions"][0]["model_version"] == model_version
    results = back["predictions"][0]["result"]
    said = [each["value"]["text"] for each in results if each["type"] == "textarea"]
    if kind is TaskKind.SEGMENTS:
        assert said == [[segment.text] for segment in transcript.segments]
    else:
        assert said == [["" if transcript.silent else transcript.text]]


def test_an_hour_of_segments_is_one_sound_task():
    """A thousand segments are a thousand regions, each with an id of its own."""
    hour = tuple(Segment(f"number {n}", n * 3.6, n * 3.6 + 3, "spk_0") for n in range(1000))

    found = task(Transcript("job", "…", hour, 2000), TaskKind.SEGMENTS)

    assert_accepted_by_label_studio(found, labeling_config(TaskKind.SEGMENTS))
    assert len({each["id"] for each in found["predictions"][0]["result"]}) == 1000


def test_a_score_has_four_digits():
    """Recordings of a thousand words differ in the third one, and are reviewed in that order."""
    found = task(msgspec.structs.replace(SPOKEN, confidence=0.123456))

    assert found["predictions"][0]["score"] == found["data"]["mean_confidence"] == 0.1235
