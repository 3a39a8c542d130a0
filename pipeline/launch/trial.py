"""The settings of the run of a `compare`: what is tried, in files and jobs of its own; pure."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from pipeline.config.transcription import WITHOUT_EFFECT

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.schema import Config
    from pipeline.config.transcription import Transcribe
    from pipeline.vocabulary.service import Version


def trial_settings(config: Config, version: Version | None, to: Path) -> Config:
    """The settings of the trial's run: files and job names of its own for whatever is tried.

    With the version of a vocabulary, that and its language hold for every recording; else what the
    settings say, rules too.
    """
    replace = msgspec.structs.replace
    name, tried = (version.name if version else "settings"), config.rules
    if version:
        tried = tuple(replace(r, transcribe=_tried(r.transcribe, config.transcribe)) for r in tried)
    hearing = [_hearing(config.transcribe), [[r.include, _hearing(r.transcribe)] for r in tried]]
    facts = orjson.dumps([list(version or ()), hearing], option=orjson.OPT_SORT_KEYS)
    digest = blake2b(facts, digest_size=4).hexdigest()
    prefix = f"{config.transcribe.job_prefix[:80]}-compare-{digest}"
    output = to / f"{name}-{digest}" / "tasks.jsonl"
    return replace(
        config,
        aws=replace(config.aws, events=""),  # that queue tells of the jobs of ordinary runs
        input=type(config.input)(),
        output=replace(config.output, output=str(output), state=""),
        transcribe=replace(config.transcribe, job_prefix=prefix),
        rules=tried,
        budget=type(config.budget)(),
        cluster=type(config.cluster)(),
    )


def _hearing(transcribe: Transcribe) -> dict[str, Any]:
    """What changes the text; tags and names do not."""
    facts = msgspec.structs.asdict(transcribe)
    return {name: value for name, value in facts.items() if name not in WITHOUT_EFFECT}


def _tried(rule: Transcribe, wanted: Transcribe) -> Transcribe:
    """A rule's settings with the trial's language and vocabulary; what it redacts it redacts."""
    of_each: Any = {
        name: type(getattr(wanted, name))()
        for name in ("language_options", "vocabularies", "vocabulary_filters", "language_models")
    }
    return msgspec.structs.replace(
        rule, language=wanted.language, vocabulary=wanted.vocabulary, toxicity=False, **of_each
    )
