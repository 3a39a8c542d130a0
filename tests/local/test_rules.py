from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.constraints import check
from pipeline.local.errors import Refused
from pipeline.local.request import media_place, output_place, recognised_as
from pipeline.local.rules import check_start
from pipeline.naming import S3Uri

ROLE = {"AllowDeferredExecution": True, "DataAccessRoleArn": "arn:aws:iam::000000000000:role/x"}


REDACTION = {"RedactionType": "PII", "RedactionOutput": "redacted"}
TOXICITY = [{"ToxicityCategories": ["ALL"]}]
IDENTIFY: dict[str, Any] = {"LanguageCode": None, "IdentifyLanguage": True}


def request(**changes: Any) -> dict[str, Any]:
    whole = {
        "TranscriptionJobName": "job",
        "Media": {"MediaFileUri": "s3://audio/a.wav"},
        "LanguageCode": "en-US",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def start(**changes: Any) -> None:
    check("StartTranscriptionJob", request(**changes))
    check_start(request(**changes))


def refusal(**changes: Any) -> str:
    with pytest.raises(Refused) as caught:
        start(**changes)
    return str(caught.value)


@given(st.from_regex(r"[0-9a-zA-Z._-]{1,200}", fullmatch=True))
def test_every_name_of_the_services_pattern_is_taken(name):
    """Letters, digits, dots, underscores and hyphens, up to 200."""
    start(TranscriptionJobName=name)


@pytest.mark.parametrize("name", ["a b", "a/b", "ä", "a\n"])
def test_a_name_outside_the_pattern_is_refused_in_the_services_words(name):
    """The sentence names the value, the member and the pattern."""
    expected = (
        f"BadRequestException: 1 validation error detected: Value '{name}' at "
        "'transcriptionJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[0-9a-zA-Z._-]+"
    )

    assert refusal(TranscriptionJobName=name) == expected


def test_every_unmet_constraint_is_listed():
    """Several errors stand in one sentence."""
    sentence = refusal(TranscriptionJobName="x" * 201, MediaSampleRateHertz=7999)

    assert sentence.startswith("BadRequestException: 2 validation errors detected: ")
    assert "Member must have length less than or equal to 200; Value '7999'" in sentence
    assert "Member must have value greater than or equal to 8000" in sentence


def test_the_texts_of_a_list_are_refused_in_one_sentence_with_the_list():
    """The sentence names the list, and in brackets what one of its texts has to be."""
    phrases = ["a", "b" * 257]

    with pytest.raises(Refused) as caught:
        check(
            "CreateVocabulary", {"VocabularyName": "v", "LanguageCode": "en-US", "Phrases": phrases}
        )

    assert str(caught.value).endswith(
        "' at 'phrases' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must have length less than or equal to 256]"
    )


def test_a_member_that_is_null_is_a_member_that_is_missing():
    """JSON has null, and the service takes it for nothing."""
    start(Settings={"VocabularyName": None, "MaxAlternatives": None})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TranscriptionJobName": None}, "Value null at 'transcriptionJobName'"),
        ({"MediaFormat": "wma"}, "enum value set: [mp3, mp4, wav, flac, ogg, amr, webm, m4a]"),
        ({"LanguageCode": "xx"}, "Value 'xx' at 'languageCode' failed"),
        ({"Media": {"MediaFileUri": "ftp://a/b"}}, "'media.mediaFileUri'"),
        ({"OutputBucketName": "Upper"}, "'outputBucketName'"),
        ({"OutputBucketName": "audio", "OutputKey": "a b"}, "'outputKey'"),
        ({"Settings": {"MaxSpeakerLabels": 31, "ShowSpeakerLabels": True}}, "equal to 30"),
        ({"MediaSampleRateHertz": "8000"}, "SerializationException"),
        ({"MediaSampleRateHertz": True}, "SerializationException"),
        ({"Settings": []}, "SerializationException"),
        ({"LanguageCode": None}, "The language code is missing."),
        ({"IdentifyLanguage": True}, "Specify only one of these"),
        ({"Settings": {"ShowSpeakerLabels": True}}, "must also include Settings.MaxSpeakerLabels"),
        ({"Settings": {"MaxAlternatives": 2}}, "must also include Settings.ShowAlternatives"),
        ({"JobExecutionSettings": {"AllowDeferredExecution": True}}, "DataAccessRoleArn"),
        ({"OutputKey": "a"}, "must also include OutputBucketName"),
        ({"LanguageOptions": ["en-US", "en-GB"]}, "must also include IdentifyLanguage"),
        ({"Subtitles": {"Formats": ["txt"]}}, "'subtitles.formats' failed"),
        ({"Subtitles": {"Formats": ["vtt"], "OutputStartIndex": 2}}, "equal to 1"),
        ({"Tags": [{"Value": "a"}]}, "Value null at 'tags.member.key'"),
        ({"ContentRedaction": {"RedactionType": "PII"}}, "'contentRedaction.redactionOutput'"),
        ({"ToxicityDetection": [{}]}, "'toxicityDetection.member.toxicityCategories'"),
        ({"LanguageCode": "en-GB", "ContentRedaction": REDACTION}, "codes en-US and es-US"),
        ({"LanguageCode": "en-GB", "ToxicityDetection": TOXICITY}, "the language code en-US"),
        (
            {"ToxicityDetection": TOXICITY, "Settings": {"ChannelIdentification": True}},
            "Toxicity detection doesn't go with Settings",
        ),
        ({"ContentRedaction": REDACTION}, "This local endpoint doesn't offer ContentRedaction."),
        ({"ToxicityDetection": TOXICITY}, "doesn't offer ToxicityDetection."),
        (
            {"Settings": {"ShowSpeakerLabels": True, "MaxSpeakerLabels": 2}},
            "doesn't offer Settings.ShowSpeakerLabels.",
        ),
        ({"LanguageIdSettings": {"en-US": {}}}, "must also include IdentifyLanguage"),
        (IDENTIFY | {"ModelSettings": {"LanguageModelName": "m"}}, "ModelSettings goes with a"),
        (IDENTIFY | {"Settings": {"VocabularyName": "v"}}, "goes with a LanguageCode"),
        (
            IDENTIFY | {"LanguageIdSettings": {"en-US": {"LanguageModelName": "m"}}},
            "The requested language model couldn't be found",
        ),
        (
            {
                "LanguageCode": None,
                "IdentifyMultipleLanguages": True,
                "LanguageIdSettings": {"en-US": {"LanguageModelName": "m"}},
            },
            "doesn't support custom language models",
        ),
        (
            IDENTIFY | {"LanguageIdSettings": {"en-US": {"VocabularyFilterName": "f"}}},
            "must also include VocabularyFilterMethod",
        ),
        (
            {"Settings": {"VocabularyFilterMethod": "mask"}},
            "must also include VocabularyFilterName",
        ),
        (
            {"Settings": {"VocabularyFilterName": "f", "VocabularyFilterMethod": "mask"}},
            "The requested vocabulary filter couldn't be found",
        ),
        ({"LanguageCode": "de-DE"}, "This local endpoint recognizes US English"),
        (
            {"LanguageCode": None, "IdentifyLanguage": True, "LanguageOptions": ["de-DE"]},
            "This local endpoint recognizes US English",
        ),
    ],
)
def test_what_the_service_refuses_is_refused(changes, words):
    """Constraints, language selectors, half pairs, and what this endpoint can't do."""
    assert words in refusal(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"LanguageCode": "en-GB"},
        {"LanguageCode": None, "IdentifyLanguage": True},
        {"LanguageCode": None, "IdentifyMultipleLanguages": True},
        {"JobExecutionSettings": ROLE},
        {"OutputBucketName": "audio", "OutputKey": "a/b.json"},
        {"Settings": {"ChannelIdentification": True, "ShowSpeakerLabels": False}},
        {"Settings": {"ShowAlternatives": True, "MaxAlternatives": 2}},
        {"Subtitles": {"Formats": ["vtt", "srt"], "OutputStartIndex": 1}},
        {"Tags": [{"Key": "a", "Value": ""}]},
        IDENTIFY | {"LanguageIdSettings": {"en-US": {"VocabularyName": "v"}}},
    ],
)
def test_what_is_sound_is_taken(changes):
    """English in each way of saying it, queueing, an own bucket, channels."""
    start(**changes)


@given(st.text(min_size=1))
def test_an_s3_address_is_the_key_byte_for_byte(key):
    """Nothing in `s3://` is decoded or tidied."""
    assert media_place(f"s3://audio/{key}") == S3Uri("audio", key)


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("https://s3.us-east-1.amazonaws.com/audio/a/b.wav", "a/b.wav"),
        ("https://s3.amazonaws.com/audio/a%20b.wav", "a b.wav"),
        ("http://127.0.0.1:8000/audio/b.wav", "b.wav"),
    ],
)
def test_a_path_style_http_address_is_understood(uri, key):
    """S3's own host, or this endpoint's, then bucket and key."""
    assert media_place(uri) == S3Uri("audio", key)


@pytest.mark.parametrize("uri", ["https://example.com/audio/a.wav", "s3://audio", "http://[/a/b"])
def test_any_other_address_is_no_readable_object(uri):
    """What is not in S3 can't be accessed."""
    with pytest.raises(Refused, match="The S3 URI that you provided can't be accessed"):
        media_place(uri)


@pytest.mark.parametrize(
    ("output", "key"),
    [
        ({}, "job.json"),
        ({"OutputKey": "made/up.json"}, "made/up.json"),
        ({"OutputKey": "made"}, "made/job.json"),
        ({"OutputKey": "made/"}, "made/job.json"),
    ],
)
def test_the_output_key_is_an_object_or_a_folder(output, key):
    """Only a key that ends in .json is the object itself."""
    assert output_place(request(OutputBucketName="audio", **output)) == S3Uri("audio", key)


def test_the_closest_listed_language_is_answered():
    """Among language options English is found, US English first."""
    assert recognised_as({"LanguageOptions": ["de-DE", "en-GB", "en-US"]}) == "en-US"
    assert recognised_as({"LanguageOptions": ["de-DE", "en-GB"]}) == "en-GB"
