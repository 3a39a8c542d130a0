"""What the settings name at the service: vocabularies, filters, language models, keys, a queue."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import chain
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
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from pipeline.aws.service import Service
    from pipeline.config.transcription import Transcribe
    from pipeline.vocabulary.service import Vocabularies

_HERE = "in this account and region"


class Services(NamedTuple):
    """Who knows what is named."""

    transcribe: Service
    kms: Service
    vocabularies: Vocabularies


def named(
    options: Sequence[Transcribe], services: Services
) -> Iterator[tuple[str, Callable[[], Awaitable[Finding]]]]:
    """What the settings and their rules name, each once: the check's name, and what makes it."""
    for title, setting, by_language, ask in _KINDS:
        pairs = (_pairs(each, setting, by_language) for each in options)
        for name, language in dict.fromkeys(chain.from_iterable(pairs)):
            if name:
                yield title, partial(ask, services, name, language)
    keys = dict.fromkeys((each.kms_key, tuple(each.encryption_context.items())) for each in options)
    for arn, context in keys:
        if arn:
            yield "KMS key", partial(_key, services, arn, dict(context))


def _pairs(options: Transcribe, setting: str, by_language: str) -> Iterator[tuple[str, str]]:
    """Each name of a kind, with the language that it must be of."""
    yield getattr(options, setting), options.language
    yield from ((name, code) for code, name in getattr(options, by_language).items())


async def _vocabulary(services: Services, name: str, language: str) -> Finding:
    """Whether a vocabulary is there, READY, and of the right language."""
    try:
        await services.vocabularies.version(name, language)
    except Denied as error:
        return _not_examined(name, error)
    return ok(f"{name} is READY, of {language}.")


async def _vocabulary_filter(services: Services, name: str, language: str) -> Finding:
    """Whether a vocabulary filter is there, and of the right language."""
    described = services.transcribe.call("GetVocabularyFilter", VocabularyFilterName=name)
    return await _of_language(f"vocabulary filter {name}", language, described)


async def _model(services: Services, name: str, language: str) -> Finding:
    """Whether a custom language model is there, trained, and of the right language.

    The service ignores one of another language without a word.
    """

    async def described() -> dict[str, Any]:
        answer = await services.transcribe.call("DescribeLanguageModel", ModelName=name)
        model: dict[str, Any] = answer["LanguageModel"]
        if model["ModelStatus"] != "COMPLETED":
            why = model.get("FailureReason", "Wait until it is COMPLETED.")
            raise BadSettings(f"The language model {name} is {model['ModelStatus']}", why)
        return model

    return await _of_language(f"language model {name}", language, described())


async def _of_language(what: str, language: str, described: Awaitable[dict[str, Any]]) -> Finding:
    try:
        found = (await described)["LanguageCode"]
    except (JobMissing, ResourceMissing):
        return problem(f"There is no {what} {_HERE}.", "Check its name, and --region.")
    except Denied as error:
        return _not_examined(what, error)
    if found != language:
        return problem(f"The {what} is of {found}, not of {language}.")
    return ok(f"The {what} is there, of {language}.")


def _not_examined(what: str, error: PipelineError) -> Finding:
    why = finding_of(error).message
    return skipped(f"{what} is not looked at, for which no run needs a right: {why}")


async def _key(services: Services, arn: str, context: dict[str, str]) -> Finding:
    """Whether results could be encrypted: KMS is asked for a data key, as a trial only."""
    trial = {"KeyId": arn, "KeySpec": "AES_256", "DryRun": True}
    try:
        with suppress(DryRunOk):
            await services.kms.call("GenerateDataKey", **trial, EncryptionContext=context)
    except ResourceMissing:
        return problem(f"There is no KMS key {arn}.", "Check kms_key in [transcribe].")
    except ServiceUnreachable as error:  # a run asks no key: the service does
        return _not_examined(arn, error)
    return ok(f"{arn} may be used to encrypt.")


_KINDS = (
    ("vocabulary", "vocabulary", "vocabularies", _vocabulary),
    ("filter", "vocabulary_filter", "vocabulary_filters", _vocabulary_filter),
    ("model", "language_model", "language_models", _model),
)
"""Of each kind the check's name, the setting, the setting by language, and what examines one."""


async def queue(sqs: Service, url: str, region: str) -> Finding:
    """Whether the events about jobs could be received; what is seen stays in the queue.

    Raises:
        BadSettings: there is no such queue, or it is in another region than the jobs.
        Denied: it may not be read.
    """
    known = EventQueue(sqs, url, region)
    known.check()
    await known.peek()
    return ok(f"Events may be received from {url}.")
