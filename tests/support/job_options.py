"""Every setting of a job, in sets that fit together."""

from __future__ import annotations

from typing import Any

ROLE = "arn:aws:iam::123456789012:role/transcribe"


KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


EVERY_OPTION: tuple[dict[str, Any], ...] = (
    {
        "language": "en-GB",
        "results": "s3://texts/a/",
        "vocabulary": "calls",
        "vocabulary_filter": "rude",
        "vocabulary_filter_method": "mask",
        "language_model": "support",
        "max_speakers": 3,
        "channel_identification": True,
        "max_alternatives": 4,
        "subtitles": ["vtt", "srt"],
        "subtitle_start_index": 1,
        "media_format": "wav",
        "sample_rate": 8000,
        "kms_key": KEY,
        "encryption_context": {"team": "speech"},
        "tags": {"team": "speech", "night": ""},
        "data_access_role": ROLE,
    },
    {"toxicity": True, "redaction": "redacted_and_unredacted", "pii_entity_types": ["NAME", "SSN"]},
    {
        "language": "auto",
        "language_options": ["en-US", "fr-FR"],
        "vocabularies": {"en-US": "calls", "fr-FR": "calls-fr"},
        "vocabulary_filters": {"fr-FR": "rude-fr"},
        "vocabulary_filter_method": "tag",
        "language_models": {"en-US": "support"},
        "fallback_language": "en-US",
    },
    {"language": "multiple", "language_options": ["en-US", "fr-FR"]},
)
