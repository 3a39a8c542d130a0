"""Where the settings come from: flag > environment > file > default.

All complaints come in one message, before anything is started.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_origin

import msgspec

from pipeline.config.disagreements import disagreements
from pipeline.config.schema import RULES, SECTIONS, SETTINGS, Config, Rule, flag_of, type_of
from pipeline.config.shards import Engine, shard_of
from pipeline.config.transcription import OF_THE_RUN, Transcribe
from pipeline.config.transcription_rules import complaints as job_complaints
from pipeline.config.transcription_rules import inherited
from pipeline.config.values import how_to_write
from pipeline.errors import BadSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ENVIRONMENT = "TRANSCRIBE_PIPELINE_"
_VARIABLES = "the environment"
_FLAGS = "the command line"
_LARGEST_FILE = 2**20
# What is read elsewhere, and what Kubernetes sets for a service of the program's name.
_OTHERS = re.compile(r"(config|traceback)$|(service|port)(_|$)")
_IN_A_RULE = [name for name in Transcribe.__struct_fields__ if name not in OF_THE_RUN]


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
    table = _read(path, complaints) if path else {}
    sources = (
        (_from_file(table, path, complaints), str(path)),
        (_from_environment(environment, complaints), _VARIABLES),
        (((n, v) for n, v in flags.items() if v not in (None, (), [])), _FLAGS),
    )
    for values, origin in sources:
        for name, value in values:
            checked = _checked(name, value, origin, complaints)
            if checked is not None:
                given[SETTINGS[name]][name] = checked
    config = msgspec.convert(given, Config)
    config = msgspec.structs.replace(config, rules=_rules(table, path, config, complaints))
    config = _sharded(config, environment, complaints)
    complaints.extend(disagreements(config))
    if complaints:
        raise BadSettings("\n".join(complaints))
    return config


def _sharded(config: Config, environment: Mapping[str, str], complaints: list[str]) -> Config:
    """The settings with the shard that the run is; an array's variables are of an output on S3."""
    cluster = config.cluster
    if not config.s3_output:
        if cluster.shards > 1 or cluster.shard > 0:
            complaints.append(
                f"output = {config.output.output!r}: several runs share a source through S3 alone. "
                "Name a place there, s3://bucket/prefix/, or leave --shards and --shard out."
            )
        if cluster.lanes:
            complaints.append(
                f"lanes = {cluster.lanes!r}, but output = {config.output.output!r}: several "
                "accounts share a source through S3 alone. Name a place there, "
                "s3://bucket/prefix/, or leave lanes out."
            )
        return config
    try:
        numbered = {} if cluster.engine is Engine.RAY else environment  # whose shards are all
        shard = shard_of(cluster.shard, cluster.shards, numbered)
    except BadSettings as error:
        complaints.append(str(error))
        return config
    if shard and cluster.engine is not Engine.RAY:
        cluster = msgspec.structs.replace(cluster, shard=shard.number, shards=shard.count)
    return msgspec.structs.replace(config, cluster=cluster)


def _read(path: Path, complaints: list[str]) -> dict[str, Any]:
    """The file's content, or nothing and a complaint."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) <= _LARGEST_FILE:
            return tomllib.loads(content.decode("utf-8-sig"))
        complaints.append(f"The configuration file {path} is larger than 1 MiB.")
    except OSError as error:
        complaints.append(f"The configuration file {path} can't be read: {error.strerror}.")
    except RecursionError:
        complaints.append(f"The configuration file {path} is nested too deep to be read.")
    except Exception as error:  # noqa: BLE001 # whatever foreign text does to its reader
        complaints.append(f"The configuration file {path} is not valid TOML: {error}.")
    return {}


def _from_file(
    table: Mapping[str, Any], path: Path | None, complaints: list[str]
) -> Iterator[tuple[str, Any]]:
    for section, values in table.items():
        if section == RULES:
            continue
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


def _rules(
    table: Mapping[str, Any], path: Path | None, config: Config, complaints: list[str]
) -> tuple[Rule, ...]:
    """The rules of the file, each with the settings that hold where it matches."""
    found = table.get(RULES, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        complaints.append(f"{path}: write each rule below a line [[rules]] of its own.")
        return ()
    return tuple(
        _rule(each, f"rule {number} of {path}", config, complaints)
        for number, each in enumerate(found, 1)
    )


def _rule(values: Mapping[str, Any], origin: str, config: Config, complaints: list[str]) -> Rule:
    globs = values.get("include")
    if not isinstance(globs, list) or not globs or not all(map(_is_glob, globs)):
        complaints.append(f"include in {origin}: name the globs of its keys, as ['calls/fr/**'].")
        globs = []
    given = {}
    for name, value in values.items():
        if name in _IN_A_RULE:
            given[name] = _checked(name, value, origin, complaints)
        elif name != "include":
            complaints.append(
                f"{origin}: there is no key {name} in a rule.{_nearest_in_rule(name)}"
            )
    given = {name: value for name, value in given.items() if value is not None}
    base = config.transcribe
    options = msgspec.structs.replace(base, **given)
    already = set(job_complaints(base, config.output.results))
    wrong = [
        *job_complaints(options, config.output.results),
        *inherited(options, frozenset(given), base),
    ]
    complaints.extend(f"In {origin}: {each}" for each in wrong if each not in already)
    return Rule(globs, options)


def _is_glob(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


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


def _nearest_in_rule(name: str) -> str:
    """A word about what was meant in a rule, or where what it names belongs."""
    if name in SETTINGS:
        return f" It holds for a whole run: set it in [{SETTINGS[name]}]."
    near = difflib.get_close_matches(name, ["include", *_IN_A_RULE], n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else " It takes include and those of [transcribe]."


def _nearest_section(name: str, values: Any) -> str:
    """A word about what was meant: by a table a section, by a value of no section a setting."""
    near = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=0.5)
    return f" Did you mean [{near[0]}]?" if near and isinstance(values, dict) else _nearest(name)


def _nearest(name: str, prefix: str = "") -> str:
    """A word about the known name that looks most like a wrong one."""
    known = {n: f"{n} in [{s}]" for n, s in SETTINGS.items()}
    name = next((n for n in known if flag_of(n) == f"--{name}"), name)
    if not prefix:
        known = {s: f"[{s}]" for s in SECTIONS} | known
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        return " `transcribe-pipeline config example` prints them all."
    return f" Did you mean {prefix + near[0].upper() if prefix else known[near[0]]}?"


def _checked(name: str, value: Any, origin: str, complaints: list[str]) -> Any:
    """The value as the setting's type, or None and a complaint.

    Variables, and the numbers of flags, are text: numbers are spelled as Python takes them.
    """
    hint = type_of(name)
    given, of_variable = value, origin == _VARIABLES
    in_text = origin in (_VARIABLES, _FLAGS)
    if of_variable:
        value = _split(value, get_origin(hint.__origin__))
    if in_text and isinstance(value, str) and hint.__origin__ in (int, float):
        with suppress(ValueError):  # msgspec knows JSON's spellings alone: no 08, .5 or +5
            value = hint.__origin__(value)
    try:
        checked = msgspec.convert(value, hint, strict=not in_text)
    except msgspec.ValidationError:
        checked = None
    if checked is None or checked in (math.inf, -math.inf):
        where = f"{name} = {given!r} in {origin}"
        where = f"{flag_of(name)} {given}" if origin == _FLAGS else where
        complaints.append(f"{where}: write {how_to_write(name, in_text=of_variable)}.")
        return None
    return checked


def _split(text: str, kind: Any) -> Any:
    """What a variable says, as a list ("a, b") or a table ("a=x, b=y") where it is to be one.

    A table whose parts lack their `=` stays a text, which is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if kind is dict:
        pairs = [part.partition("=") for part in parts]
        return dict(pair[::2] for pair in pairs) if all(sign for _, sign, _ in pairs) else text
    return parts if kind is list else text
