"""What is read from a transcript file, whatever its year, and what is refused."""

from __future__ import annotations

import contextlib
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingFailed
from pipeline.model import Alternatives, Segment, Transcript, Word
from pipeline.transcripts.parsing import parse_transcript
from tests.support.transcripts import (
    DOCUMENTS,
    FOLDER,
    SHAPES,
    damaged_documents,
    document,
    json_values,
    mark,
    parse,
    read,
    spoken,
    words_of,
    words_with_marks,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def refusal(document: Any) -> str:
    with pytest.raises(RecordingFailed) as caught:
        parse_transcript(document if isinstance(document, bytes) else json.dumps(document).encode())
    assert caught.value.reason == "broken transcript"
    return str(caught.value)


def bare(segments: Sequence[Segment]) -> list[Segment]:
    """Segments without their confidence."""
    return [msgspec.structs.replace(segment, confidence=None) for segment in segments]


def assert_sound(transcript: Transcript) -> None:
    for part in transcript.segments:
        assert 0 <= part.start <= part.end < math.inf
        assert part.text
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    means = [transcript.confidence, *(segment.confidence for segment in transcript.segments)]
    assert all(mean is None or 0 <= mean <= 1 + 1e-9 for mean in means)
    assert bool(transcript.segments) == bool(transcript.text.strip())


@pytest.mark.parametrize("shape", SHAPES)
def test_words_of_every_shape_joined_are_the_services_text(shape):
    """Whatever the shape, the words joined with spaces are the service's own text."""
    transcript = read(shape)

    words = words_of(shape)
    assert " ".join(word.text for word in words) == transcript.text
    assert len(words) == transcript.word_count
    assert transcript.text == DOCUMENTS[shape]["results"]["transcripts"][0]["transcript"]
    assert transcript.job_name == DOCUMENTS[shape]["jobName"]
    assert_sound(transcript)


@pytest.mark.parametrize("shape", SHAPES)
def test_segments_of_every_shape_hold_every_word_once(shape):
    """Whatever the shape, the segments hold all words and enclose them, in the order of time."""
    transcript = read(shape)

    said = [word for segment in transcript.segments for word in segment.text.split()]
    assert sorted(said) == sorted(transcript.text.split())
    if not shape.startswith("channels"):
        assert " ".join(segment.text for segment in transcript.segments) == transcript.text
    for word in words_of(shape):
        assert any(s.start <= word.start and word.end <= s.end for s in transcript.segments)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("below", [0.0, 0.9, 0.99])
def test_segments_hold_their_words_where_one_is_uncertain(shape, below):
    """No other way is needed to find an uncertain word, and a segment holds all words or none."""
    document = json.dumps(DOCUMENTS[shape]).encode()
    whole = parse_transcript(document, words=True).segments
    found = parse_transcript(document, words_below=below).segments

    for some, every in zip(found, whole, strict=True):
        uncertain = any((each.confidence or 1) < below for each in every.words)
        assert some.words == every.words or (some.words == () and not uncertain)
    assert below or not any(each.words for each in found)


def test_a_word_carries_its_times_confidence_and_punctuation():
    """Numbers that the service writes as strings arrive as numbers, punctuation with its word."""
    words = words_of("plain_2022")

    assert words[2] == Word("boils,", 1.12, 1.6, 0.9)


@pytest.mark.parametrize(
    ("items", "texts"),
    [
        ([mark("¿"), spoken("Qué"), mark("?"), spoken("Sí")], ["¿Qué?", "Sí"]),
        ([spoken("Oh"), mark("."), mark("."), spoken("no")], ["Oh..", "no"]),
        ([mark(".")], []),
    ],
)
def test_punctuation_goes_to_the_word_before_or_else_to_the_first(items, texts):
    """Punctuation is glued to the word before it, at the very start to the word after it."""
    assert [word.text for word in words_of(document(items))] == texts


def test_contents_pass_through_as_they_are():
    """Spaces from a custom vocabulary and the service's marks for hidden words are kept."""
    assert [w.text for w in words_of("filtered")] == ["Oh", "***", "Morning Edition"]
    assert words_of("redacted")[-1] == Word("[PII].", 5.56, 6.25, None)


def test_toxicity_is_read_whatever_its_categories_case():
    """Stretches of speech with their numbers; the service has written names in both cases."""
    [speech] = read("toxicity").toxicity

    assert (speech.start, speech.end, speech.toxicity) == (8.92, 9.4, 0.76)
    assert speech.categories == {"profanity": 0.2, "insult": 0.9}


def test_alternatives_are_those_beside_the_best_one():
    """Of each segment what else was heard, and nothing where there is only one version."""
    versions: list[Any] = [
        {"transcript": text, "items": []} for text in ("You fool", "Your fool", "You full")
    ]
    segment = {"start_time": "8.92", "end_time": "9.4", "alternatives": versions}
    several = parse({"results": DOCUMENTS["toxicity"]["results"] | {"segments": [segment]}})

    assert several.alternatives == (Alternatives(8.92, 9.4, ["Your fool", "You full"]),)
    assert read("toxicity").alternatives == ()


def test_seconds_of_each_language_are_told():
    """Where several languages were looked for, each has the seconds for which it was spoken."""
    assert read("languages_several").language_seconds == {"en-US": 2.45, "de-DE": 5.325}
    assert read("language_identified").language_seconds == {}


def test_a_redacted_file_says_so():
    """Only a file that calls itself redacted is; its unredacted twin is not."""
    assert read("redacted").redacted
    assert not parse({**DOCUMENTS["redacted"], "isRedacted": False}).redacted
    assert not read("plain_2022").redacted


@pytest.mark.parametrize("shape", ["speakers_2023", "speakers_2026"])
def test_speakers_on_the_items_are_taken_from_them(shape):
    """Since 2023 each item carries its speaker, and the segments theirs."""
    transcript = read(shape)

    assert transcript.speakers == ("spk_0", "spk_1")
    assert bare(transcript.segments) == [
        Segment("Close it.", 0.0, 0.95, "spk_0"),
        Segment("Gladly.", 1.1, 1.649, "spk_1"),
    ]


def test_speakers_of_before_2023_are_joined_by_their_times():
    """Words without a speaker get that of their segment; segments without words are left out."""
    transcript = read("speakers_2020")

    assert bare(transcript.segments) == [
        Segment("Who left the gate open?", 0.1, 1.9, "spk_0"),
        Segment("I did.", 2.0, 2.6, "spk_1"),
        Segment("Sorry.", 3.0, 3.6, "spk_0"),
    ]


def test_a_word_in_no_speaker_segment_has_no_speaker():
    """A word that no turn lists is a segment of nobody's, and the others keep their speakers."""
    listed = {"start_time": "0.5", "end_time": "1.0"}
    turn = {"start_time": "0", "end_time": "9", "speaker_label": "spk_0", "items": [listed]}
    items = [spoken(), spoken("lost", "1.1", "1.2")]

    transcript = parse(document(items, speaker_labels={"segments": [turn]}))

    assert bare(transcript.segments) == [
        Segment("word", 0.5, 1.0, "spk_0"),
        Segment("lost", 1.1, 1.2),
    ]


def test_channels_of_before_2023_are_joined_by_times_and_content():
    """Words at the same moment go to the channel that says them; equal ones in the order given."""
    words = words_of("channels_2022")

    assert [(word.text, word.channel) for word in words] == [
        ("Ready?", "ch_0"),
        ("Yes.", "ch_0"),
        ("Yes.", "ch_1"),
        ("No", "ch_1"),
        ("But", "ch_0"),
        ("wait!", "ch_1"),
    ]


def test_channels_on_the_items_are_taken_from_them():
    """Since 2023 each item carries its channel, and the segments theirs."""
    transcript = read("channels_2026")

    assert [segment.channel for segment in transcript.segments] == ["ch_0", "ch_1"]


@pytest.mark.parametrize(
    ("shape", "block"), [("speakers_2026", "speaker_labels"), ("channels_2026", "channel_labels")]
)
def test_a_block_that_only_repeats_the_items_labels_is_not_read(shape, block):
    """What the items say themselves is not read twice, be the block as it may."""
    results = {**DOCUMENTS[shape]["results"], block: "unreadable"}

    assert parse({**DOCUMENTS[shape], "results": results}) == read(shape)


@pytest.mark.parametrize(
    ("shape", "languages"),
    [
        ("language_identified", ("en-AU", "en-GB", "en-US")),
        ("languages_several", ("de-DE", "en-US")),
        ("plain_2022", ()),
    ],
)
def test_languages_come_most_likely_or_longest_first(shape, languages):
    """The service's choice and its candidates by score, or the spoken ones by their share."""
    assert read(shape).languages == languages


def test_the_language_the_service_chose_comes_first():
    """The service's choice counts before its candidates, whatever their scores."""
    candidates = [{"code": "en-GB", "score": "0.5"}, {"code": "en-IE", "score": "0.4"}]

    transcript = parse(document([], language_code="en-IE", language_identification=candidates))

    assert transcript.languages == ("en-IE", "en-GB")


def test_words_of_several_languages_carry_theirs():
    """In a recording of several languages each word names its own."""
    languages = [word.language for word in words_of("languages_several")]

    assert languages == ["en-US", "de-DE", "de-DE", "de-DE", "de-DE", "ja-JP"]


@pytest.mark.parametrize(
    "silence",
    [
        DOCUMENTS["silent"],
        document([], text=""),
        document([], text=" "),
        document([], text="", audio_segments=None, language_codes=None),
        document([], text="", audio_segments=[{"start_time": "0", "end_time": "9"}]),
        {"results": {"transcripts": []}},
        document([{"type": "pronunciation"}], text=""),
        document([{"type": "pronunciation", "alternatives": []}], text=""),
    ],
)
def test_a_file_without_text_and_words_is_silent(silence):
    """Nothing said is a transcript too, without a confidence."""
    transcript = parse(silence)

    assert transcript.silent
    assert transcript.segments == ()
    assert transcript.confidence is None


def test_the_confidence_is_the_mean_over_the_words_that_have_a_confidence():
    """Punctuation and redacted words do not count."""
    assert read("plain_2022").confidence == pytest.approx((1.0 + 0.8 + 0.9 + 0.7 + 1.0) / 5)
    assert read("redacted").confidence == pytest.approx((1.0 + 0.9 + 0.8) / 3)
    assert parse(document([spoken(confidence=None)])).confidence is None


@pytest.mark.parametrize(
    "item",
    [
        spoken(start="nan"),
        spoken(end="inf"),
        spoken(end="1e999"),
        spoken(end=10**400),
        spoken(end="1000001"),
        spoken(start="-0.1"),
        spoken(start="1.5", end="1.0"),
        spoken(start=None),
        spoken(start="soon"),
        spoken(confidence="nan"),
        spoken(confidence="1.01"),
        spoken(confidence=-0.1),
        spoken(content=7),
        {"type": "pronunciation", "alternatives": [{"content": "word"}]},
        {"type": "music", "alternatives": [{"content": "word"}]},
        {"alternatives": [{"content": "word"}]},
    ],
)
def test_a_word_that_can_not_be_right_is_refused(item):
    """Times not finite, negative, missing or reversed and confidences outside 0..1 are damage."""
    assert "word" not in refusal(document([item])).replace("A word of", "")


@pytest.mark.parametrize("times", [{}, {"start_time": "2", "end_time": "1"}])
def test_a_segment_without_sound_times_is_refused(times):
    """A segment's times are held to the rule of the words' times."""
    segment = {"transcript": "Hi", "items": [0], **times}

    assert "segment" in refusal(document([spoken(id=0)], audio_segments=[segment]))


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"results": null}',
        b'{"results": {}}',
        b'{"results": {"transcripts": [{}]}}',
        b'{"results": {"transcripts": [{"transcript": "cut o',
        b'{"results": {"transcripts": [{"transcript": "\xff"}]}}',
        b'{"results": {"transcripts": [{"transcript": "\\ud800"}]}}',
        b'\xef\xbb\xbf{"results": {"transcripts": []}}',
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    ],
)
def test_what_is_not_a_transcript_is_refused(damage):
    """Bytes that are no transcript file end the recording with one plain sentence."""
    words = refusal(damage)

    assert words.endswith(".")
    assert "\n" not in words


def test_words_without_a_text_are_refused():
    """Words but no text: to write an empty task would lose what was said."""
    assert "no text" in refusal(document([spoken()], text=""))
    assert "no text" in refusal({"results": {"transcripts": [], "items": [spoken()]}})


def test_a_call_analytics_output_is_named():
    """The other kind of job is recognised and named."""
    assert "Call Analytics" in refusal((FOLDER / "call_analytics.json").read_bytes())


def test_a_refusal_names_the_place_but_quotes_nothing():
    """A refusal says where the damage is and no word of the recording, its cause included."""
    with pytest.raises(RecordingFailed) as caught:
        parse(document([{"type": "secret - at `home`"}]))

    assert "$.results.items[0].type" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@given(words_with_marks())
def test_a_document_made_of_words_comes_back_as_those_words(made):
    """Texts, times and confidences survive, in order, and make up the text."""
    words, built = made

    transcript = parse(built)

    assert words_of(built) == words
    assert transcript.text == " ".join(word.text for word in words)
    assert_sound(transcript)


@given(st.lists(st.sampled_from(["ch_0", "ch_1"]), min_size=1, max_size=8), st.data())
def test_words_at_the_same_moment_share_out_the_channels_labels(labels, data):
    """However many words share one moment and content, each channel gets back as many as it had."""
    channels = [
        {"channel_label": label, "items": [spoken()] * labels.count(label)}
        for label in data.draw(st.permutations(["ch_0", "ch_1"]))
    ]

    built = document([spoken()] * len(labels), channel_labels={"channels": channels})

    assert Counter(word.channel for word in words_of(built)) == Counter(labels)


@given(damaged_documents())
def test_a_damaged_document_is_read_audioly_or_refused(damaged):
    """One wrong value anywhere gives a sound transcript or a refusal, never another error."""
    with contextlib.suppress(RecordingFailed):
        assert_sound(parse(damaged))


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(anything):
    """Any bytes at all give a transcript or a refusal, never another error."""
    with contextlib.suppress(RecordingFailed):
        assert_sound(parse_transcript(anything))


@given(st.sampled_from(SHAPES), st.data())
def test_a_file_cut_short_is_refused(shape, data):
    """No proper beginning of a file passes for the whole."""
    whole = (FOLDER / f"{shape}.json").read_bytes().strip()

    refusal(whole[: data.draw(st.integers(0, len(whole) - 1))])


def of_words(*words: str, **more: Any) -> Any:
    """A document of words, half a second each, and one segment of the service's that holds them."""
    items = [
        {
            "id": number,
            "type": "pronunciation",
            "start_time": str(number / 2),
            "end_time": str(number / 2 + 0.5),
            "alternatives": [{"content": word, "confidence": "0.9"}],
        }
        for number, word in enumerate(words)
    ]
    text = " ".join(filter(None, words))
    whole = {
        "id": 0,
        "transcript": "as the service puts it",
        "start_time": "0.0",
        "end_time": "9.0",
        "items": list(range(len(words))),
    }
    results = {"transcripts": [{"transcript": text}], "items": items, "audio_segments": [whole]}
    return {"jobName": "job", "results": results | more}


def parsed(content: Any) -> Transcript:
    return parse_transcript(json.dumps(content).encode())


def test_an_item_without_content_is_no_word():
    """It is neither counted nor part of a segment's confidence."""
    assert parsed(of_words("yes", "")).word_count == 1


def test_segments_of_the_service_are_used_where_they_hold_every_word():
    """One that lacks a word, or items that are not numbered as it says, make none of it be used."""
    whole, lacking, unnumbered = (of_words("yes", "no") for _ in range(3))
    lacking["results"]["audio_segments"][0]["items"] = [0]
    for number, item in enumerate(unnumbered["results"]["items"]):
        item["id"] = 1 - number

    assert [each.text for each in parsed(whole).segments] == ["as the service puts it"]
    assert [each.text for each in parsed(lacking).segments] == ["yes no"]
    assert [each.text for each in parsed(unnumbered).segments] == ["yes no"]


def test_speakers_are_not_lost_for_segments_without_them():
    """Where the service tells speakers apart but not in its segments, its older ones are used."""
    times = [{"start_time": "0.0", "end_time": "0.5"}, {"start_time": "0.5", "end_time": "1.0"}]
    labels = {
        "speakers": 2,
        "segments": [
            each | {"speaker_label": f"spk_{n}", "items": [each | {"speaker_label": f"spk_{n}"}]}
            for n, each in enumerate(times)
        ],
    }

    found = parsed(of_words("yes", "no", speaker_labels=labels)).segments

    assert [(each.speaker, each.text) for each in found] == [("spk_0", "yes"), ("spk_1", "no")]
