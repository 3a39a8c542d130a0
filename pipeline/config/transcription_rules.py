"""Which options of a job go together; pure. Every complaint is a sentence with what to do.

The rules are those of the service's API reference and Developer Guide. Many of them it enforces
after the start or not at all: a model of another language, say, is silently left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.config.transcription import IDENTIFIED, MULTIPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.transcription import Names, Transcribe

_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2,4}")
_NAME = re.compile(r"[0-9a-zA-Z._-]{1,200}")
_ENTITY = re.compile(r"[A-Z]+(_[A-Z]+)*")
_JOB_PREFIX = re.compile(r"[0-9a-zA-Z._-]{1,100}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.{1,512}")
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[A-Za-z0-9:/_-]{1,256}")
_PRINTABLE = re.compile(r"[ -~]*[!-~][ -~]*")
_REDACTED = ("en-US", "es-US")
_TOXICITY = "en-US"
_MOST_LANGUAGES = 5
_MOST_TAGS = 50
_MOST_PAIRS = 10
_FEWEST = 2
_LOWEST_RATE = 8_000

# "Identifying languages in multi-language audio" of the Developer Guide.
_IN_ONE_RECORDING = """
    en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-US fr-CA fr-FR zh-CN zh-TW pt-BR
    pt-PT de-CH de-DE af-ZA ar-AE da-DK he-IL hi-IN id-ID fa-IR it-IT ja-JP ko-KR ms-MY nl-NL ru-RU
    ta-IN te-IN th-TH tr-TR
"""
_NEVER_IDENTIFIED = frozenset({"sv-SE", "vi-VN"})

_BY_LANGUAGE = {
    "vocabulary": "vocabularies",
    "vocabulary_filter": "vocabulary_filters",
    "language_model": "language_models",
}
"""Settings of one language, and their plurals for languages that are identified."""


def complaints(options: Transcribe, results: str) -> Iterator[str]:
    """What is wrong with the options, and what can't go together; `results` is where they go."""
    yield from _languages(options)
    yield from _fallback(options.fallback_language)
    yield from _of_a_language(options)
    yield from _filters(options)
    yield from _counts(options)
    yield from _redaction(options)
    yield from _toxicity(options)
    yield from _subtitles(options, results)
    yield from _encryption(options, results)
    yield from _tags(options.tags)
    yield from _job(options)


def inherited(options: Transcribe, given: frozenset[str], base: Transcribe) -> Iterator[str]:
    """What a rule takes over from a base of another language, and which is of that language.

    `options` are the base with what is `given` in the rule.
    """
    if options.language == base.language or options.identifies or base.identifies:
        return
    for name in _BY_LANGUAGE:
        value = getattr(options, name)
        if value and name not in given:
            yield (
                f"{name} = {value!r} is of {base.language}, not of {options.language}: name "
                f"another one in the rule, or none with {name} = ''."
            )


def _languages(options: Transcribe) -> Iterator[str]:
    language, choices = options.language, options.language_options
    if language not in IDENTIFIED and not _LANGUAGE.fullmatch(language):
        yield (
            f"language = {language!r}: not a language code. Write it as en-US, or auto or multiple "
            "to have it identified."
        )
    if choices and not options.identifies:
        yield (
            f"language_options goes with language = 'auto' or 'multiple', not with {language!r}: "
            "there is nothing to choose."
        )
    for code in choices:
        if not _LANGUAGE.fullmatch(code):
            yield f"language_options: {code!r} is not a language code. Write it as en-US."
        elif code in _NEVER_IDENTIFIED:
            yield f"language_options: {code} can't be identified. Name it as language instead."
        elif language == MULTIPLE and code not in _IN_ONE_RECORDING.split():
            yield (
                f"language_options: {code} is not among the languages that are told apart within a "
                "recording. Use language = 'auto', or leave it out."
            )
    if choices and len(set(choices)) < max(_FEWEST, len(choices)):
        yield "language_options: name two or more different languages, or none."


def _fallback(code: str) -> Iterator[str]:
    if code and not _LANGUAGE.fullmatch(code):
        yield f"fallback_language = {code!r}: not a language code. Write it as en-US."


def _of_a_language(options: Transcribe) -> Iterator[str]:
    """Vocabularies, filters and models: one of the language, or one of each."""
    for one, several in _BY_LANGUAGE.items():
        name, names = getattr(options, one), getattr(options, several)
        if name and not _NAME.fullmatch(name):
            yield f"{one} = {name!r}: use 1 to 200 of the characters a-z A-Z 0-9 . _ -"
        if name and options.identifies:
            yield (
                f"{one} = {name!r}: it is of one language, so it does not go with language = "
                f"{options.language!r}. Name the language, or write {several} = "
                f"{{en-US = {name!r}}}."
            )
        if names:
            yield from _each(several, names, options)
        if names and not options.identifies:
            yield (
                f"{several} goes with language = 'auto' or 'multiple'. Write {one} = 'NAME' for "
                f"{options.language}."
            )
    if options.language_models and options.language == MULTIPLE:
        yield (
            "language_models does not go with language = 'multiple': the service takes no model "
            "there. Use language = 'auto', or leave it out."
        )
    settings = set().union(*(getattr(options, several) for several in _BY_LANGUAGE.values()))
    if len(settings) > _MOST_LANGUAGES:
        yield "vocabularies, vocabulary_filters and language_models: five languages at most."


def _each(setting: str, names: Names, options: Transcribe) -> Iterator[str]:
    for code, name in names.items():
        if not _NAME.fullmatch(name):
            yield f"{setting}: {name!r}: use 1 to 200 of the characters a-z A-Z 0-9 . _ -"
        if options.identifies and code not in options.language_options:
            yield (
                f"{setting}: {code!r} is not in language_options, so another dialect may be "
                "identified and it would be left out. Add it there."
            )


def _filters(options: Transcribe) -> Iterator[str]:
    filters = options.vocabulary_filter or options.vocabulary_filters
    if filters and not options.vocabulary_filter_method:
        yield "vocabulary_filter needs vocabulary_filter_method: write remove, mask or tag."
    if options.vocabulary_filter_method and not filters:
        yield "vocabulary_filter_method needs vocabulary_filter: name the filter, or leave it out."


def _counts(options: Transcribe) -> Iterator[str]:
    for name in ("max_speakers", "max_alternatives"):
        if 0 < getattr(options, name) < _FEWEST:
            yield f"{name} = 1: write 2 or more, or 0 for none."
    if 0 < options.sample_rate < _LOWEST_RATE:
        yield f"sample_rate = {options.sample_rate}: write 8000 to 48000, or 0 to have it detected."


def _redaction(options: Transcribe) -> Iterator[str]:
    if options.pii_entity_types and not options.redaction:
        yield "pii_entity_types needs redaction: write redaction = 'redacted', or leave it out."
    wrong = [each for each in options.pii_entity_types if not _ENTITY.fullmatch(each)]
    if wrong:
        yield f"pii_entity_types: {wrong[0]!r} is none. Write them as NAME, PHONE or SSN."
    if len(set(options.pii_entity_types)) < len(options.pii_entity_types):
        yield "pii_entity_types: name each only once."
    if not options.redaction:
        return
    if options.identifies:
        yield (
            f"redaction = {options.redaction!r} does not go with language = {options.language!r}: "
            "other languages than US English and US Spanish would come out unredacted. Name the "
            "language, in [[rules]] where folders differ."
        )
    elif options.language not in _REDACTED:
        yield (
            f"redaction = {options.redaction!r} does not go with language = {options.language!r}: "
            "the service redacts en-US and es-US only. Leave it out for other languages."
        )


def _toxicity(options: Transcribe) -> Iterator[str]:
    if not options.toxicity:
        return
    if options.language != _TOXICITY:
        yield (
            f"toxicity does not go with language = {options.language!r}: the service looks for "
            "toxic speech in en-US only."
        )
    others = (
        *("language_model", "vocabulary", "vocabulary_filter", "max_speakers"),
        *("channel_identification", "max_alternatives", "subtitles"),
    )
    if found := [name for name in others if getattr(options, name)]:
        yield (
            f"toxicity does not go with {', '.join(found)}: beside redaction the service takes no "
            "other option with it. Leave one of them out."
        )


def _subtitles(options: Transcribe, results: str) -> Iterator[str]:
    formats = options.subtitles
    if formats and not results:
        yield (
            "subtitles needs results: without a bucket of yours the service hands the files out "
            "for 15 minutes only. `convert srt` makes subtitles of the ground truth."
        )
    if len(set(formats)) < len(formats):
        yield "subtitles: name each format only once."
    if options.subtitle_start_index and not formats:
        yield "subtitle_start_index needs subtitles: write subtitles = ['srt'], or leave it out."


def _encryption(options: Transcribe, results: str) -> Iterator[str]:
    key, context = options.kms_key, options.encryption_context
    if key and not _KEY.fullmatch(key):
        yield f"kms_key = {key!r}: write it as arn:aws:kms:REGION:123456789012:key/ID."
    if key and not results:
        yield "kms_key needs results: it encrypts what the service writes into a bucket of yours."
    if context and not key:
        yield "encryption_context needs kms_key: name the key, or leave it out."
    if len(context) > _MOST_PAIRS:
        yield f"encryption_context: {len(context)} pairs; the service takes ten."
    if not all(_PRINTABLE.fullmatch(text) for pair in context.items() for text in pair):
        yield "encryption_context: use printable ASCII, and leave no name or value empty."


def _tags(tags: Names) -> Iterator[str]:
    if len(tags) > _MOST_TAGS:
        yield f"tags: {len(tags)} of them; a job has 50 at most."
    for name, value in tags.items():
        if name.lower().startswith("aws:"):
            yield f"tags: {name!r}: names that begin with aws: are AWS's own."
        if not 1 <= len(name) <= 128 or len(value) > 256:  # noqa: PLR2004 # as documented
            yield f"tags: {name!r}: a name has 1 to 128 characters, a value 256 at most."


def _job(options: Transcribe) -> Iterator[str]:
    role = options.data_access_role
    if role and not _ROLE.fullmatch(role):
        yield f"data_access_role = {role!r}: write it as arn:aws:iam::123456789012:role/NAME."
    if not _JOB_PREFIX.fullmatch(options.job_prefix):
        yield (
            f"job_prefix = {options.job_prefix!r}: use 1 to 100 of the characters a-z A-Z 0-9 . _ -"
        )
