"""What the settings name at the service: vocabularies, filters, language models, keys, a queue."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.doctor.findings import Finding, finding_of, ok, problem, skipped
from pipeline.errors import (
    BadSettings,
    Denied,
    DryRunOk,
    JobMissing,
    PipelineError,
    ResourceMissing,
    ServiceUnreachable,
)
from pipeline.events.queue import EventQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pipeline.aws.service import Service
    from pipeline.config.schema import Config
    from pipeline.config.transcription import Transcribe
    from pipeline.vocabulary.service import Vocabularies

_HERE = "in this account and region"


class Named(NamedTuple):
    """Every name with the language that it must be of, and every key with its context."""

    vocabularies: list[tuple[str, str]]
    filters: list[tuple[str, str]]
    models: list[tuple[str, str]]
    keys: list[tuple[str, tuple[tuple[str, str], ...]]]


def named(config: Config) -> Named:
    """What the settings and their rules name, each once. Pure."""
    return Named(
        _each(_of(each, "vocabulary", each.vocabularies) for each in config.asked),
        _each(_of(each, "vocabulary_filter", each.vocabulary_filters) for each in config.asked),
        _each(_of(each, "language_model", each.language_models) for each in config.asked),
        _each([(each.kms_key, tuple(each.encryption_context.items()))] for each in config.asked),
    )


def _of(asked: Transcribe, name: str, by_language: dict[str, str]) -> list[tuple[str, str]]:
    pairs = [(value, code) for code, value in by_language.items()]
    return [(getattr(asked, name), asked.language), *pairs]


def _each(named: Iterable[list[tuple[str, Any]]]) -> list[tuple[str, Any]]:
    return list(dict.fromkeys(pair for pairs in named for pair in pairs if pair[0]))


async def vocabulary(vocabularies: Vocabularies, name: str, language: str) -> Finding:
    """Whether a vocabulary is there, READY, and of the right language."""
    try:
        await vocabularies.version(name, language)
    except Denied as error:
        return _unknown(name, error)
    return ok(f"{name} is READY, of {language}.")


async def vocabulary_filter(transcribe: Service, name: str, language: str) -> Finding:
    """Whether a vocabulary filter is there, and of the right language."""
    asked = partial(transcribe.call, "GetVocabularyFilter", VocabularyFilterName=name)
    return await _of_language(f"vocabulary filter {name}", language, asked, lambda answer: answer)


async def language_model(transcribe: Service, name: str, language: str) -> Finding:
    """Whether a custom language model is there, trained, and of the right language.

    The service passes over one of another language without a word.
    """

    def described(answer: dict[str, Any]) -> dict[str, Any]:
        model: dict[str, Any] = answer["LanguageModel"]
        if model["ModelStatus"] != "COMPLETED":
            why = model.get("FailureReason", "Wait until it is COMPLETED.")
            raise BadSettings(f"The language model {name} is {model['ModelStatus']}", why)
        return model

    asked = partial(transcribe.call, "DescribeLanguageModel", ModelName=name)
    return await _of_language(f"language model {name}", language, asked, described)


async def _of_language(
    what: str,
    language: str,
    ask: Callable[[], Awaitable[dict[str, Any]]],
    described: Callable[[dict[str, Any]], dict[str, Any]],
) -> Finding:
    try:
        found = described(await ask())["LanguageCode"]
    except (JobMissing, ResourceMissing):
        return problem(f"There is no {what} {_HERE}.", "Check its name, and --region.")
    except Denied as error:
        return _unknown(what, error)
    if found != language:
        return problem(f"The {what} is of {found}, not of {language}.")
    return ok(f"The {what} is there, of {language}.")


def _unknown(what: str, error: PipelineError) -> Finding:
    return skipped(
        f"{what} is not looked at, for which no run needs a right: {finding_of(error).message}"
    )


async def key(kms: Service, arn: str, context: tuple[tuple[str, str], ...]) -> Finding:
    """Whether results could be encrypted: KMS is asked for a data key, as a trial only."""
    trial = {"KeyId": arn, "KeySpec": "AES_256", "DryRun": True}
    try:
        with suppress(DryRunOk):
            await kms.call("GenerateDataKey", **trial, EncryptionContext=dict(context))
    except ResourceMissing:
        return problem(f"There is no KMS key {arn}.", "Check kms_key in [transcribe].")
    except ServiceUnreachable as error:  # a run asks no key: the service does
        return _unknown(arn, error)
    return ok(f"{arn} may be used to encrypt.")


async def queue(sqs: Service, url: str, region: str) -> Finding:
    """Whether the events about jobs could be received; what is seen stays in the queue.

    Raises:
        BadSettings: there is no such queue, or it is in another region than the jobs.
        Denied: it may not be read.
    """
    known = EventQueue(sqs, url, region)
    known.check()
    await known.look()
    return ok(f"Events may be received from {url}.")
