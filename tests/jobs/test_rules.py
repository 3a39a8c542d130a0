"""What is asked for which recording: the request, the rules, the identity of a job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast, get_args

import pytest
from botocore.serialize import create_serializer
from botocore.session import Session
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.loading import resolve
from pipeline.config.schema import Config, Input, Rule
from pipeline.config.transcription import WITHOUT_EFFECT, MediaFormat, Transcribe
from pipeline.errors import BadSettings
from pipeline.jobs.rules import JobRules
from pipeline.model import Job, JobSettings, Recording, SourceObject
from pipeline.naming import S3Uri, identity
from pipeline.recordings.bucket import S3Source
from pipeline.recordings.selection import Selection
from tests.support.job_options import EVERY_OPTION, ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "s3://calls/a b+ü.MP3"
MODEL = Session().get_service_model("transcribe").operation_model("StartTranscriptionJob")

"""Each option that there is, in settings that go together."""


def request_for(key: str = "a b+ü.MP3", **flags: Any) -> dict[str, Any]:
    job = Job(7, b"\x0a", "calls-0a1b2c3d-4e", Recording(key, "9f86", 7))
    place = S3Uri("calls", "")
    rules = JobRules(resolve(flags, {}), S3Source(place, cast("Any", None)))
    return rules.request(job, f"s3://calls/{key}")


def leaves(shape: Any, path: str = "") -> Iterator[str]:
    """The places of a request that a model has, lists and maps by what they hold."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from leaves(member, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from leaves(shape.member, f"{path}[]")
    elif shape.type_name == "map":
        yield from leaves(shape.value, f"{path}{{}}")
    else:
        yield path.removeprefix(".")


def filled(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """The places of a model that a request fills."""
    if shape.type_name == "structure":
        for name, part in value.items():
            yield from filled(part, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for part in value:
            yield from filled(part, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for part in value.values():
            yield from filled(part, shape.value, f"{path}{{}}")
    else:
        yield path.removeprefix(".")


# The request


def test_a_request_names_the_job_the_media_and_the_language():
    """Without further settings a request holds these four things and no others."""
    assert request_for() == {
        "TranscriptionJobName": "calls-0a1b2c3d-4e",
        "Media": {"MediaFileUri": URI},
        "LanguageCode": "en-US",
        "MediaFormat": "mp3",
    }


def test_every_option_of_the_services_model_can_be_asked_for():
    """Walking botocore's model, each place but that of Call Analytics is filled by some setting."""
    reached = {
        place for flags in EVERY_OPTION for place in filled(request_for(**flags), MODEL.input_shape)
    }

    assert set(leaves(MODEL.input_shape)) - reached == {"Media.RedactedMediaFileUri"}


def test_every_setting_of_a_job_is_tried():
    """These tests give each setting of [transcribe] a value, but for the names of the jobs."""
    given_here = set().union(*EVERY_OPTION)

    assert set(Transcribe.__struct_fields__) - given_here == {"job_prefix"}


@pytest.mark.parametrize("flags", EVERY_OPTION)
def test_what_is_asked_for_stands_on_the_wire(flags):
    """Botocore finds nothing wrong with a request, and sends all of it."""
    request = request_for(**flags)

    report = ParamValidator().validate(request, MODEL.input_shape)
    sent = create_serializer("json").serialize_to_request(request, MODEL)["body"]

    assert not report.has_errors(), report.generate_report()
    assert json.loads(sent) == request


def test_options_have_the_services_names_and_values():
    """Counts turn on what they count, a method goes with its filter, toxicity means all of it."""
    plain, toxic, identified, _ = (request_for(**flags) for flags in EVERY_OPTION)

    assert plain["Settings"] == {
        "VocabularyName": "calls",
        "VocabularyFilterName": "rude",
        "VocabularyFilterMethod": "mask",
        "ShowSpeakerLabels": True,
        "MaxSpeakerLabels": 3,
        "ChannelIdentification": True,
        "ShowAlternatives": True,
        "MaxAlternatives": 4,
    }
    assert plain["JobExecutionSettings"] == {
        "AllowDeferredExecution": True,
        "DataAccessRoleArn": ROLE,
    }
    assert toxic["ToxicityDetection"] == [{"ToxicityCategories": ["ALL"]}]
    assert toxic["ContentRedaction"]["RedactionType"] == "PII"
    assert identified["Settings"] == {"VocabularyFilterMethod": "tag"}
    assert identified["LanguageIdSettings"] == {
        "en-US": {"VocabularyName": "calls", "LanguageModelName": "support"},
        "fr-FR": {"VocabularyName": "calls-fr", "VocabularyFilterName": "rude-fr"},
    }


@pytest.mark.parametrize(
    ("language", "selector"),
    [("auto", "IdentifyLanguage"), ("multiple", "IdentifyMultipleLanguages")],
)
def test_one_language_selector_is_sent(language, selector):
    """A language that is to be identified is no code: the service is asked to find it."""
    selectors = {"LanguageCode", "IdentifyLanguage", "IdentifyMultipleLanguages"}

    request = request_for(language=language)

    assert {name: request[name] for name in selectors & set(request)} == {selector: True}


@pytest.mark.parametrize(
    ("key", "flags", "sent"),
    [
        ("a.wav", {}, "wav"),
        ("a.mp4", {}, None),
        ("a.m4a", {}, None),
        ("a.m4a", {"media_format": "m4a"}, "m4a"),
        ("a.wav", {"media_format": "detect"}, None),
        ("a.opus", {}, "ogg"),
        ("a.m4b", {}, None),
        ("a.snd", {"extensions": {"snd": "wav"}}, "wav"),
        ("a.wav", {"extensions": {"wav": "detect"}}, None),
        ("a", {}, None),
        ("a", {"media_format": "flac"}, "flac"),
    ],
)
def test_an_uncertain_format_is_left_to_the_service(key, flags, sent):
    """A MediaFormat that does not match fails the job, so only a certain or a named one is sent."""
    assert request_for(key, **flags).get("MediaFormat") == sent


def test_a_key_without_extension_needs_a_word_of_its_format():
    """It is a recording where `media_format` is set for it, in a rule or for all, else not."""
    rules = job_rules(Rule(["raw/*"], Transcribe(media_format="detect")))

    assert rules.takes_bare("raw/0a1b")
    assert not rules.takes_bare("0a1b")


@pytest.mark.parametrize("name", [".opus", "OPUS", "a.opus", "", " opus"])
def test_an_extension_of_the_settings_is_one_that_a_key_can_have(name):
    """One with a dot or a capital letter matches no key, and is refused with how to write it."""
    with pytest.raises(BadSettings, match=r"extensions has .* small and without a dot"):
        resolve({"extensions": {name: "ogg"}}, {})


def test_the_formats_are_those_of_the_services_model():
    """The service's enumeration and ours are the same words."""
    enum = MODEL.input_shape.members["MediaFormat"].enum

    assert set(get_args(MediaFormat)) == set(enum)


@pytest.mark.parametrize(
    ("results", "key"),
    [
        ("s3://texts", "calls-0a1b2c3d-4e.json"),
        ("s3://texts/", "calls-0a1b2c3d-4e.json"),
        ("s3://texts/a/b", "a/b/calls-0a1b2c3d-4e.json"),
    ],
)
def test_the_result_goes_to_its_computed_place(results, key):
    """With results the request names the bucket and the key, so that no one need ask for them."""
    request = request_for(results=results)

    assert (request["OutputBucketName"], request["OutputKey"]) == ("texts", key)


# The identity of a job


@pytest.mark.parametrize(
    ("flags", "fingerprint"),
    [
        ({}, "language=en-US"),
        ({"language": "auto"}, "language=auto"),
        ({"language": "de-DE", "vocabulary": "calls"}, "language=de-DE&vocabulary=calls"),
    ],
)
def test_what_was_paid_for_keeps_its_name(flags, fingerprint):
    """Settings that there were from the start name their jobs byte for byte as ever."""
    assert resolve(flags, {}).transcribe.fingerprint == fingerprint


def test_each_option_that_changes_a_result_names_another_job():
    """Every option alone makes another fingerprint, but those without effect on a transcript."""
    plain = Transcribe()
    values = {name: v for flags in reversed(EVERY_OPTION) for name, v in flags.items()}
    changed = {
        name
        for name in Transcribe.__struct_fields__
        if Transcribe(**{name: values.get(name, "x")}).fingerprint != plain.fingerprint
    }

    assert changed == set(Transcribe.__struct_fields__) - WITHOUT_EFFECT


def test_the_order_of_what_is_listed_changes_no_name():
    """Lists and tables that say the same in another order are the same job."""
    one = Transcribe(language_options=["en-US", "fr-FR"], vocabularies={"en-US": "a", "fr-FR": "b"})
    two = Transcribe(language_options=["fr-FR", "en-US"], vocabularies={"fr-FR": "b", "en-US": "a"})

    assert one.fingerprint == two.fingerprint


# The rules

FRENCH, LAST = Transcribe("fr-FR"), Transcribe("de-DE")


def job_rules(*rules: Rule, source: str = "", before: tuple[str, ...] = ()) -> JobRules:
    place = S3Source(S3Uri("calls", source), cast("Any", None))
    return JobRules(Config(rules=rules), place, before)


def test_a_job_that_is_given_its_language_has_what_is_named_for_that_language():
    """The request names one language, its vocabulary and filter, and nothing of the others."""
    options = Transcribe(**EVERY_OPTION[2])
    rules = JobRules(Config(transcribe=options), S3Source(S3Uri("calls", ""), cast("Any", None)))
    recording = Recording("a.mp3", "1", 7)
    job = Job(1, rules.identity(recording), "n", recording, 2, language="fr-FR")

    request = rules.request(job, "s3://calls/a.mp3")

    assert request["LanguageCode"] == "fr-FR"
    assert request["Settings"] == {
        "VocabularyName": "calls-fr",
        "VocabularyFilterName": "rude-fr",
        "VocabularyFilterMethod": "tag",
    }
    assert not {"IdentifyLanguage", "LanguageOptions", "LanguageIdSettings"} & set(request)
    assert rules.known_of(job) == JobSettings("fr-FR")
    assert rules.fallback_language(job) == ""


def test_the_first_rule_that_matches_is_the_only_one():
    """Of two rules that match, the later one is not looked at; without one the base holds."""
    rules = job_rules(Rule(["fr/**", "?.mp3"], FRENCH), Rule(["**"], LAST))

    languages = [rules.of(key).language for key in ("fr/a/b.mp3", "a.mp3", "de/a.mp3")]

    assert languages == ["fr-FR", "fr-FR", "de-DE"]
    assert job_rules(Rule(["fr/*"], FRENCH)).of("a.mp3").language == "en-US"


@given(
    st.sampled_from(["", "calls", "calls/", "calls/2026"]), st.text("calfr/*?[]!.2\n", min_size=1)
)
def test_rules_match_as_include_does(source, glob):
    """What a glob takes as `include` is what it takes in a rule, whatever the source's prefix."""
    rules, selection = (
        job_rules(Rule([glob], FRENCH), source=source),
        Selection(source, Input([glob])),
    )

    for key in ("calls/fr/a.mp3", "calls/2026/a.mp3", "calls.mp3", "a\n.mp3"):
        taken = selection.why_skipped(SourceObject(key, "1", 7)) is None
        assert (rules.of(key) is FRENCH) == taken


def test_a_rule_names_the_jobs_of_its_recordings_alone():
    """The identity follows the settings that hold for a recording, and no other rule's."""
    rules = job_rules(Rule(["fr/*"], FRENCH))
    french, plain = Recording("fr/a.mp3", "1", 7), Recording("a.mp3", "1", 7)

    assert rules.identity(french) == identity("calls", french, "language=fr-FR")
    assert rules.identity(plain) == identity("calls", plain, "language=en-US")


def test_the_settings_of_a_job_are_known_by_its_name():
    """A job of today's settings or of remembered ones tells its language; another one does not."""
    recording = Recording("fr/a.mp3", "1", 7)
    rules = job_rules(Rule(["fr/*"], FRENCH), before=("language=ja-JP&redaction=redacted",))

    def known(fingerprint: str) -> JobSettings | None:
        return rules.known_of(Job(1, identity("calls", recording, fingerprint), "", recording))

    assert known("language=fr-FR") == JobSettings("fr-FR")
    assert known("language=ja-JP&redaction=redacted") == JobSettings("ja-JP", redacted=True)
    assert known("language=nobody") is None


@pytest.mark.parametrize(
    ("flags", "language", "places"),
    [
        ({}, "en-US", [None, None]),
        ({"language": "auto"}, None, [None, None]),
        ({"subtitles": ["vtt", "srt"]}, "en-US", [None, None, "n.srt", "n.vtt"]),
        (
            {"redaction": "redacted", "subtitles": ["vtt"]},
            "en-US",
            ["redacted-n.json", None, "redacted-n.vtt"],
        ),
        ({"redaction": "redacted_and_unredacted"}, "en-US", ["redacted-n.json", "n.json"]),
    ],
)
def test_the_files_of_a_job_lie_at_computed_places(flags, language, places):
    """What is redacted has a name of its own, and subtitles that of the transcript they are of."""
    config = resolve({"results": "s3://texts/a/", **flags}, {})
    rules = JobRules(config, S3Source(S3Uri("calls", ""), cast("Any", None)))
    recording = Recording("a.mp3", "1", 7)

    known = rules.known_of(Job(1, rules.identity(recording), "n", recording))

    assert known is not None
    assert (known.language, known.redacted) == (language, places[0] is not None)
    found = [known.redacted_transcript, known.unredacted_transcript, *known.subtitles]
    assert found == [place and f"s3://texts/a/{place}" for place in places]
