"""Where the settings come from: flag > environment > file > default.

All complaints come in one message, before anything is started.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import datetime
from enum import EnumType
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from pipeline.budget import seconds_left
from pipeline.config import SECTIONS, SETTINGS, Config
from pipeline.errors import BadSettings
from pipeline.naming import parse_s3_uri
from pipeline.prices import parse_tiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ENVIRONMENT = "TRANSCRIBE_PIPELINE_"
_VARIABLES = "the environment"
# What is read elsewhere, and what Kubernetes sets for a service of the program's name.
_OTHERS = re.compile(r"(config|traceback)$|(service|port)(_|$)")
_OUTPUT_KEY = re.compile(r"[a-zA-Z0-9\-_.!*'()/]{0,850}")
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2,4}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.{1,512}")
_VOCABULARY = re.compile(r"[0-9a-zA-Z._-]{1,200}")
_JOB_PREFIX = re.compile(r"[0-9a-zA-Z._-]{1,100}")


def resolve(
    flags: Mapping[str, Any], environment: Mapping[str, str], path: Path | None = None
) -> Config:
    """The settings of one run.

    Args:
        flags: values from the command line by setting; None and () mean not given.
        environment: the process environment.
        path: the TOML file, if one was named.

    Raises:
        BadSettings: with every complaint in one message.
    """
    complaints: list[str] = []
    given: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    sources = (
        (_from_file(path, complaints) if path else (), str(path)),
        (_from_environment(environment, complaints), _VARIABLES),
        (((n, v) for n, v in flags.items() if v not in (None, (), [])), "the command line"),
    )
    for values, origin in sources:
        for name, value in values:
            checked = _checked(name, value, origin, complaints)
            if checked is not None:
                given[SETTINGS[name]][name] = checked
    config = msgspec.convert(given, Config)
    complaints.extend(_disagreements(config))
    if complaints:
        raise BadSettings("\n".join(complaints))
    return config


def _from_file(path: Path, complaints: list[str]) -> Iterator[tuple[str, Any]]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        complaints.append(f"The configuration file {path} can't be read: {error.strerror}.")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        complaints.append(f"The configuration file {path} is not valid TOML: {error}.")
        return
    for section, values in table.items():
        if section not in SECTIONS or not isinstance(values, dict):
            complaints.append(
                f"{path}: there is no section [{section}].{_nearest_section(section, values)}"
            )
            continue
        for name, value in values.items():
            if SETTINGS.get(name) == section:
                yield name, value
            else:
                complaints.append(f"{path}: there is no key {name} in [{section}].{_nearest(name)}")


def _from_environment(
    environment: Mapping[str, str], complaints: list[str]
) -> Iterator[tuple[str, Any]]:
    for variable, value in sorted(environment.items()):
        name = variable.removeprefix(ENVIRONMENT).lower()
        if not variable.startswith(ENVIRONMENT) or _OTHERS.match(name):
            continue
        if name in SETTINGS:
            yield name, value
        else:
            complaints.append(
                f"The environment variable {variable} is no setting.{_nearest(name, ENVIRONMENT)}"
            )


def _nearest_section(name: str, values: Any) -> str:
    """A word about what was meant: by a table a section, by a value of no section a setting."""
    near = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=0.5)
    return f" Did you mean [{near[0]}]?" if near and isinstance(values, dict) else _nearest(name)


def _nearest(name: str, prefix: str = "") -> str:
    """A word about the known name that looks most like a wrong one."""
    known = {n: f"{n} in [{s}]" for n, s in SETTINGS.items()}
    if not prefix:
        known = {s: f"[{s}]" for s in SECTIONS} | known
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        return " config.example.toml lists them all."
    return f" Did you mean {prefix + near[0].upper() if prefix else known[near[0]]}?"


def _checked(name: str, value: Any, origin: str, complaints: list[str]) -> Any:
    """The value as the setting's type, or None and a complaint; variables are always text."""
    hint = get_type_hints(SECTIONS[SETTINGS[name]], include_extras=True)[name]
    text = origin == _VARIABLES
    if text and hint.__origin__ == list[str]:
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return msgspec.convert(value, hint, strict=not text)
    except msgspec.ValidationError as error:
        reason = str(error).replace("`", "").partition(" - at ")[0]
        if isinstance(hint.__origin__, EnumType):
            reason = f"write it as {' or '.join(hint.__origin__)}"
        complaints.append(f"{name} = {value!r} in {origin}: {reason[0].lower()}{reason[1:]}.")
        return None


def _disagreements(config: Config) -> Iterator[str]:
    """What is wrong although every value has its type."""
    url = config.aws.endpoint_url
    if url and not url.startswith(("http://", "https://")):
        yield f"endpoint_url = {url!r}: write it with http:// or https://."
    yield from _bad_transcribe(config)
    yield from _bad_output(config)
    try:
        parse_tiers(config.prices.price_tiers)
    except ValueError:
        yield (
            f"price_tiers = {config.prices.price_tiers!r}: write each as minutes and price, the "
            "minutes rising: ['250000: 0.024', '1000000: 0.015']."
        )
    try:
        seconds_left(config.budget.until, 0, datetime.now().astimezone())
    except ValueError as error:
        yield f"until = {config.budget.until!r}: {error}. Write it as 06:00 or 06:00 Europe/Berlin."


def _bad_transcribe(config: Config) -> Iterator[str]:
    language, role = config.transcribe.language, config.transcribe.data_access_role
    if language != "auto" and not _LANGUAGE.fullmatch(language):
        yield (
            f"language = {language!r}: not a language code. Write it as en-US, or auto to have "
            "it identified."
        )
    yield from _bad_vocabulary(config.transcribe.vocabulary, language)
    if role and not _ROLE.fullmatch(role):
        yield f"data_access_role = {role!r}: write it as arn:aws:iam::123456789012:role/NAME."
    if not _JOB_PREFIX.fullmatch(config.transcribe.job_prefix):
        yield (
            f"job_prefix = {config.transcribe.job_prefix!r}: use 1 to 100 of the characters "
            "a-z A-Z 0-9 . _ -"
        )


def _bad_vocabulary(name: str, language: str) -> Iterator[str]:
    if name and not _VOCABULARY.fullmatch(name):
        yield f"vocabulary = {name!r}: use 1 to 200 of the characters a-z A-Z 0-9 . _ -"
    if name and language == "auto":
        yield (
            f"vocabulary = {name!r}: a vocabulary is of one language, so it does not go with "
            "language = 'auto'. Name the language."
        )


def _bad_output(config: Config) -> Iterator[str]:
    if config.output.results:
        yield from _bad_results(config.output.results)
    if config.output.output == "-":
        yield "output = '-': a stream can't be gone on with after an interruption; name a file."
    elif config.output_path.exists() and not config.output_path.is_file():
        yield f"output = {config.output.output!r}: that is no ordinary file."
    elif not config.output.output:
        yield "output is empty: name the file for the tasks."
    elif config.output_path.absolute() == config.state_path.absolute():
        yield f"output and state are the same file, {config.output_path}."


def _bad_results(uri: str) -> Iterator[str]:
    place = parse_s3_uri(uri)
    if place is None:
        yield f"results = {uri!r}: write it as s3://bucket/prefix/."
    elif not _OUTPUT_KEY.fullmatch(place.key):
        yield (
            f"results = {uri!r}: the service writes only below prefixes of the characters "
            "a-z A-Z 0-9 - _ . ! * ' ( ) / (at most 850)."
        )
