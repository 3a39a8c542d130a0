from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.document import document
from pipeline.local.recogniser import Speech, SpokenWord

REQUEST = {"TranscriptionJobName": "job", "LanguageCode": "en-US"}


@st.composite
def spoken(draw, channels: int = 1) -> Speech:
    words = []
    for channel in range(channels):
        now = 0.0
        for _ in range(draw(st.integers(0, 12))):
            now += draw(st.floats(0, 3))
            end = now + draw(st.floats(0.05, 1))
            text = draw(st.sampled_from(["hello", "Grüße", "o'clock", "世界"]))
            words.append(SpokenWord(text, now, end, draw(st.floats(0, 1)), channel))
            now = end
    return Speech(tuple(words), max([0.5, *(word.end for word in words)]), "wav", 16000, channels)


def results(request: dict[str, Any], speech: Speech):
    return orjson.loads(document(request, speech))["results"]


@given(spoken(channels=2))
def test_audio_segments_hold_every_item_once_and_in_order(speech):
    """The segments partition the items."""
    found = results(REQUEST, speech)

    listed = [number for segment in found["audio_segments"] for number in segment["items"]]

    assert listed == [item["id"] for item in found["items"]] == list(range(len(speech.words)))


@given(spoken(channels=2))
def test_the_transcript_is_its_segments_and_its_items(speech):
    """Joined with spaces, items and segments both say what the transcript says."""
    found = results(REQUEST, speech)
    whole = found["transcripts"][0]["transcript"]

    assert whole == " ".join(item["alternatives"][0]["content"] for item in found["items"])
    assert whole == " ".join(segment["transcript"] for segment in found["audio_segments"])


@given(spoken())
def test_a_segment_encloses_its_words_within_the_audio(speech):
    """No segment begins after its first word, ends before its last, or leaves the audio."""
    found = results(REQUEST, speech)

    for segment in found["audio_segments"]:
        inside = [found["items"][number] for number in segment["items"]]
        assert 0 <= float(segment["start_time"]) <= float(inside[0]["start_time"])
        assert float(segment["end_time"]) >= max(float(item["end_time"]) for item in inside)
        assert float(segment["end_time"]) <= round(speech.duration, 3)


@given(spoken())
def test_a_long_pause_begins_a_segment_and_a_short_one_does_not(speech):
    """Within a segment no pause is longer than 0.7 s; between two every one is."""
    found = results(REQUEST, speech)
    starts = {segment["items"][0] for segment in found["audio_segments"]}

    for number, (word, after) in enumerate(pairwise(speech.words), start=1):
        assert (number in starts) == (after.start - word.end > 0.7)


def test_silence_is_an_empty_transcript():
    """No words are an empty text and empty lists, as the service writes them."""
    found = results(REQUEST, Speech((), 3.0, "wav", 16000))

    assert found == {"transcripts": [{"transcript": ""}], "items": [], "audio_segments": []}


def test_times_and_confidences_are_strings():
    """Numbers of an item are written as strings of at most three decimals."""
    found = results(REQUEST, Speech((SpokenWord("yes", 0.12345, 0.5, 0.98765),), 1.0, "wav", 8000))

    assert found["items"][0] == {
        "id": 0,
        "type": "pronunciation",
        "alternatives": [{"confidence": "0.988", "content": "yes"}],
        "start_time": "0.123",
        "end_time": "0.5",
    }


@given(spoken(channels=2))
def test_channels_apart_are_listed_apart(speech):
    """Each channel holds its own items, without ids, and all items are in some channel."""
    found = results(REQUEST | {"Settings": {"ChannelIdentification": True}}, speech)
    labels = found["channel_labels"]

    assert labels["number_of_channels"] == 2
    assert sum(len(channel["items"]) for channel in labels["channels"]) == len(found["items"])
    for channel in labels["channels"]:
        assert {item["channel_label"] for item in channel["items"]} <= {channel["channel_label"]}
        assert not any("id" in item for item in channel["items"])


def test_an_identified_language_is_named():
    """A job that asks for the language gets it with a score."""
    speech = Speech((SpokenWord("yes", 0, 1, 1),), 1.0, "wav", 16000)

    one = results({"TranscriptionJobName": "job", "IdentifyLanguage": True}, speech)
    several = results({"TranscriptionJobName": "job", "IdentifyMultipleLanguages": True}, speech)

    assert one["language_code"] == "en-US"
    assert one["language_identification"] == [{"score": "1.0", "code": "en-US"}]
    assert several["language_codes"] == [{"language_code": "en-US", "duration_in_seconds": 1.0}]
    assert several["items"][0]["language_code"] == "en-US"


def test_the_document_is_one_line_of_utf8():
    """Text is not escaped to ASCII, and no line ends within."""
    body = document(REQUEST, Speech((SpokenWord("Grüße", 0, 1, 1),), 1.0, "wav", 16000))

    assert "Grüße".encode() in body
    assert b"\n" not in body
