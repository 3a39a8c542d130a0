"""Which options of a job go together, and what is said of those that don't."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config.loading import resolve
from pipeline.errors import BadSettings
from tests.support.job_options import EVERY_OPTION, KEY

IDENTIFY = {"language": "auto", "language_options": ["en-US", "fr-FR"]}
RESULTS = "s3://texts/"

INVALID: list[tuple[dict[str, Any], str]] = [
    # More than one selector, or one without what it needs
    ({"language": "several"}, "Write it as en-US, or auto or multiple"),
    ({"language_options": ["en-US", "fr-FR"]}, "there is nothing to choose"),
    (IDENTIFY | {"language_options": ["en-US"]}, "two or more different languages"),
    (IDENTIFY | {"language_options": ["en-US", "en-US"]}, "two or more different languages"),
    (
        IDENTIFY | {"language_options": ["en-US", "fr-FR", "en-US"]},
        "two or more different languages",
    ),
    (IDENTIFY | {"fallback_language": "auto"}, "fallback_language = 'auto': not a language code"),
    (IDENTIFY | {"language_options": ["en-US", "french"]}, "'french' is not a language code"),
    (IDENTIFY | {"language_options": ["en-US", "sv-SE"]}, "sv-SE can't be identified"),
    ({"language": "multiple", "language_options": ["en-US", "cy-WL"]}, "Use language = 'auto'"),
    # What is of one language, and what is of each
    *(
        ({"language": language, name: "calls"}, "does not go with language")
        for language in ("auto", "multiple")
        for name in ("vocabulary", "vocabulary_filter", "language_model")
    ),
    *(
        ({name: {"en-US": "calls"}}, "goes with language = 'auto' or 'multiple'")
        for name in ("vocabularies", "vocabulary_filters", "language_models")
    ),
    (
        IDENTIFY | {"language": "multiple", "language_models": {"en-US": "m"}},
        "language_models does not go with language = 'multiple'",
    ),
    (IDENTIFY | {"vocabularies": {"en-GB": "calls"}}, "'en-GB' is not in language_options"),
    ({"language": "auto", "vocabularies": {"en-US": "a"}}, "'en-US' is not in language_options"),
    (
        {
            "language": "auto",
            "language_options": ["en-US", "fr-FR", "de-DE", "it-IT", "es-ES", "pt-BR"],
            "vocabularies": {"en-US": "a", "fr-FR": "a", "de-DE": "a"},
            "language_models": {"it-IT": "a", "es-ES": "a", "pt-BR": "a"},
        },
        "five languages at most",
    ),
    ({"vocabulary_filter": "a b", "vocabulary_filter_method": "mask"}, "vocabulary_filter = 'a b'"),
    ({"language_model": "é"}, "language_model = 'é'"),
    (IDENTIFY | {"vocabularies": {"en-US": "a b"}}, "vocabularies: 'a b'"),
    # Halves of a pair
    ({"vocabulary_filter": "rude"}, "needs vocabulary_filter_method"),
    (IDENTIFY | {"vocabulary_filters": {"en-US": "rude"}}, "needs vocabulary_filter_method"),
    ({"vocabulary_filter_method": "mask"}, "needs vocabulary_filter: name the filter"),
    ({"max_speakers": 1}, "max_speakers = 1: write 2 or more"),
    ({"max_alternatives": 1}, "max_alternatives = 1: write 2 or more"),
    ({"sample_rate": 7999}, "write 8000 to 48000"),
    ({"pii_entity_types": ["NAME"]}, "pii_entity_types needs redaction"),
    ({"subtitle_start_index": 1}, "subtitle_start_index needs subtitles"),
    ({"kms_key": KEY}, "kms_key needs results"),
    ({"subtitles": ["vtt"]}, "subtitles needs results"),
    ({"encryption_context": {"a": "b"}, "results": RESULTS}, "encryption_context needs kms_key"),
    # Redaction
    *(
        ({"language": language, "redaction": "redacted"}, "would come out unredacted")
        for language in ("auto", "multiple")
    ),
    ({"language": "en-GB", "redaction": "redacted"}, "redacts en-US and es-US only"),
    ({"redaction": "redacted", "pii_entity_types": ["name"]}, "'name' is none"),
    ({"redaction": "redacted", "pii_entity_types": ["SSN", "SSN"]}, "each only once"),
    # Toxicity
    *(
        ({"language": language, "toxicity": True}, "toxic speech in en-US only")
        for language in ("en-GB", "auto", "multiple")
    ),
    *(
        ({"toxicity": True, "results": RESULTS, **other}, "toxicity does not go with")
        for other in (
            {"vocabulary": "calls"},
            {"vocabulary_filter": "rude", "vocabulary_filter_method": "tag"},
            {"language_model": "support"},
            {"max_speakers": 2},
            {"channel_identification": True},
            {"max_alternatives": 2},
            {"subtitles": ["srt"]},
        )
    ),
    # Single values that the service would refuse job by job
    ({"subtitles": ["srt", "srt"], "results": RESULTS}, "each format only once"),
    ({"kms_key": "alias/speech", "results": RESULTS}, "write it as arn:aws:kms"),
    (
        {
            "kms_key": KEY,
            "results": RESULTS,
            "encryption_context": {str(n): "x" for n in range(11)},
        },
        "the service takes ten",
    ),
    ({"kms_key": KEY, "results": RESULTS, "encryption_context": {"é": "x"}}, "printable ASCII"),
    ({"kms_key": KEY, "results": RESULTS, "encryption_context": {"a": ""}}, "empty"),
    ({"tags": {"AWS:x": "y"}}, "AWS's own"),
    ({"tags": {"a" * 129: "y"}}, "1 to 128 characters"),
    ({"tags": {"a": "y" * 257}}, "256 at most"),
    ({"tags": {str(n): "" for n in range(51)}}, "a job has 50 at most"),
]


def refusal(flags: dict[str, Any]) -> str:
    with pytest.raises(BadSettings) as refused:
        resolve(flags, {})
    return str(refused.value)


@pytest.mark.parametrize(("flags", "said"), INVALID)
def test_what_does_not_go_together_is_refused_with_what_to_do(flags, said):
    """Every pair that the service refuses, or silently leaves out, is one sentence or more."""
    message = refusal(flags)

    assert said in message
    assert all(line.endswith((".", "-")) for line in message.splitlines())


@pytest.mark.parametrize("flags", EVERY_OPTION)
def test_what_goes_together_is_taken(flags):
    """Settings that the service takes are settings here."""
    config = resolve(flags, {})

    kept = {name: getattr(config.transcribe, name) for name in flags if name != "results"}
    assert kept == {name: value for name, value in flags.items() if name != "results"}


@pytest.mark.parametrize(
    "flags",
    [
        {"max_speakers": 2, "channel_identification": True},
        {"toxicity": True, "redaction": "redacted"},
        {"language": "es-US", "redaction": "redacted", "language_model": "support"},
        {"language": "auto"},
        IDENTIFY | {"language": "multiple", "vocabularies": {"en-US": "a"}},
    ],
)
def test_what_only_looks_odd_is_taken(flags):
    """Speakers in channels, toxicity with redaction, a model with it, identification alone."""
    assert resolve(flags, {}).transcribe.language


def test_all_complaints_about_options_come_in_one_message():
    """Whoever has several mistakes learns of all of them at once, each on a line."""
    wrong = {"language": "auto", "redaction": "redacted", "vocabulary": "calls", "toxicity": True}

    assert len(refusal(wrong).splitlines()) == 4


def test_a_job_may_have_fifty_tags():
    """The service takes no more."""
    fifty = {f"name{number}": "value" for number in range(50)}

    assert len(resolve({"tags": fifty}, {}).transcribe.tags) == 50
    assert "a job has 50 at most" in refusal({"tags": fifty | {"one": "more"}})
