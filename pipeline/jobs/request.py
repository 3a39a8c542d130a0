"""The StartTranscriptionJob request of a job, as botocore takes it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config.transcription import AUTO, MULTIPLE
from pipeline.naming import result_place

if TYPE_CHECKING:
    from pipeline.config.transcription import Transcribe
    from pipeline.model import Job
    from pipeline.naming import S3Uri


def start_request(
    job: Job, media_uri: str, settings: dict[str, Any], results: S3Uri | None
) -> dict[str, Any]:
    """The StartTranscriptionJob request of a job, with the `settings_request` of it. Pure."""
    named = {"TranscriptionJobName": job.name, "Media": {"MediaFileUri": media_uri}, **settings}
    if not results:
        return named
    result = result_place(results, job.name)
    return {**named, "OutputBucketName": result.bucket, "OutputKey": result.key}


def settings_request(options: Transcribe, media_format: str) -> dict[str, Any]:
    """The part of a request that jobs with the same options share; only what is set. Pure.

    Of a `media_format` "" nothing is said, and the service looks for itself.
    """
    request = {
        **_language(options),
        "MediaFormat": media_format,
        "MediaSampleRateHertz": options.sample_rate,
        "Settings": _settings(options),
        "ModelSettings": _set(LanguageModelName=options.language_model),
        "ContentRedaction": _redaction(options),
        "Subtitles": _subtitles(options),
        "ToxicityDetection": [{"ToxicityCategories": ["ALL"]}] if options.toxicity else [],
        "OutputEncryptionKMSKeyId": options.kms_key,
        "KMSEncryptionContext": options.encryption_context,
        "Tags": [{"Key": name, "Value": value} for name, value in options.tags.items()],
        "JobExecutionSettings": _execution(options),
    }
    return _set(**request)


def _set(**values: Any) -> dict[str, Any]:
    """The values that are."""
    return {name: value for name, value in values.items() if value}


def _language(options: Transcribe) -> dict[str, Any]:
    if not options.identifies:
        return {"LanguageCode": options.language}
    named = {
        "VocabularyName": options.vocabularies,
        "VocabularyFilterName": options.vocabulary_filters,
        "LanguageModelName": options.language_models,
    }
    return {
        "IdentifyLanguage": options.language == AUTO,
        "IdentifyMultipleLanguages": options.language == MULTIPLE,
        "LanguageOptions": options.language_options,
        "LanguageIdSettings": {
            code: _set(**{name: names.get(code) for name, names in named.items()})
            for code in sorted(set().union(*named.values()))
        },
    }


def _settings(options: Transcribe) -> dict[str, Any]:
    return _set(
        VocabularyName=options.vocabulary,
        VocabularyFilterName=options.vocabulary_filter,
        VocabularyFilterMethod=options.vocabulary_filter_method,
        ShowSpeakerLabels=bool(options.max_speakers),
        MaxSpeakerLabels=options.max_speakers,
        ChannelIdentification=options.channel_identification,
        ShowAlternatives=bool(options.max_alternatives),
        MaxAlternatives=options.max_alternatives,
    )


def _redaction(options: Transcribe) -> dict[str, Any]:
    if not options.redaction:
        return {}
    types = _set(PiiEntityTypes=options.pii_entity_types)
    return {"RedactionType": "PII", "RedactionOutput": options.redaction, **types}


def _subtitles(options: Transcribe) -> dict[str, Any]:
    if not options.subtitles:
        return {}
    return {"Formats": options.subtitles, "OutputStartIndex": options.subtitle_start_index}


def _execution(options: Transcribe) -> dict[str, Any]:
    if not options.data_access_role:
        return {}
    return {"AllowDeferredExecution": True, "DataAccessRoleArn": options.data_access_role}
