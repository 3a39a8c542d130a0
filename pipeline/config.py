"""The settings as one value that is handed down: flag > environment > file > default.

Every setting is a field here, with its meaning, unit and bounds; the command line takes its help
from it, and the example file is compared with it. All complaints come in one message.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from pipeline.errors import BadSettings
from pipeline.naming import parse_s3_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENVIRONMENT = "TRANSCRIBE_PIPELINE_"
_VARIABLES = "the environment"
_OUTPUT_KEY = re.compile(r"[a-zA-Z0-9\-_.!*'()/]{0,850}")
_LANGUAGE = re.compile(r"[a-z]{2,3}-[A-Z]{2,4}")
_JOB_PREFIX = re.compile(r"[0-9a-zA-Z._-]{1,100}")


class Aws(msgspec.Struct, frozen=True):
    """Which account and where."""

    profile: Annotated[str, Meta(description="Profile of the AWS credentials files.")] = ""
    region: Annotated[str, Meta(description="AWS region of the bucket and the jobs.")] = ""
    endpoint_url: Annotated[
        str, Meta(description="Where the services answer, instead of AWS itself.")
    ] = ""


class Input(msgspec.Struct, frozen=True):
    """Which recordings of the source."""

    include: Annotated[
        list[str], Meta(description="Only keys that match one of these globs (* matches / too).")
    ] = msgspec.field(default_factory=list)
    exclude: Annotated[list[str], Meta(description="No keys that match one of these globs.")] = (
        msgspec.field(default_factory=list)
    )


class Output(msgspec.Struct, frozen=True):
    """Where things are written."""

    output: Annotated[str, Meta(description="The Label Studio tasks, JSON Lines.")] = "tasks.jsonl"
    state: Annotated[
        str, Meta(description="What an interrupted run goes on from. [default: OUTPUT.state]")
    ] = ""
    results: Annotated[
        str,
        Meta(description="s3://bucket/prefix/ for the service's transcripts; else it keeps them."),
    ] = ""


class Transcribe(msgspec.Struct, frozen=True):
    """What the service is asked for."""

    language: Annotated[
        str, Meta(description="Language of the recordings (en-US), or auto to identify it.")
    ] = "en-US"
    job_prefix: Annotated[str, Meta(description="What the names of all jobs begin with.")] = (
        "transcribe-pipeline"
    )


class Limits(msgspec.Struct, frozen=True):
    """Upper bounds; the program finds the account's real ceilings by itself."""

    max_in_flight: Annotated[
        int, Meta(ge=1, le=100_000, description="Jobs in flight at once, at most.")
    ] = 250
    start_rate: Annotated[
        float, Meta(gt=0, le=10_000, description="Jobs started per second, at most.")
    ] = 25.0
    get_rate: Annotated[
        float, Meta(gt=0, le=10_000, description="GetTranscriptionJob calls per second, at most.")
    ] = 30.0
    list_rate: Annotated[
        float, Meta(gt=0, le=10_000, description="ListTranscriptionJobs calls per second, at most.")
    ] = 5.0
    workers: Annotated[
        int, Meta(ge=1, le=1_000, description="Start calls under way at once, at most.")
    ] = 16
    collectors: Annotated[
        int, Meta(ge=1, le=1_000, description="Transcripts fetched at once, at most.")
    ] = 16
    poll_seconds: Annotated[
        float, Meta(gt=0, le=3_600, description="Seconds between two looks at the jobs, at most.")
    ] = 10.0


class Tasks(msgspec.Struct, frozen=True):
    """What a task looks like."""

    model_version: Annotated[
        str,
        Meta(
            description="Name of the predictions in Label Studio; keep it the same per project."
            " [default: amazon-transcribe/LANGUAGE]"
        ),
    ] = ""


class Config(msgspec.Struct, frozen=True):
    """Every setting, by section as in the file."""

    aws: Aws = Aws()
    input: Input = Input()
    output: Output = Output()
    transcribe: Transcribe = Transcribe()
    limits: Limits = Limits()
    tasks: Tasks = Tasks()

    @property
    def output_path(self) -> Path:
        """The JSON Lines file."""
        return Path(self.output.output)

    @property
    def state_path(self) -> Path:
        """The state file, beside the output unless it is named."""
        return Path(self.output.state or f"{self.output.output}.state")

    @property
    def model_version(self) -> str:
        """Constant over a run, or Label Studio's label stream opens empty editors."""
        return self.tasks.model_version or f"amazon-transcribe/{self.transcribe.language}"

    @property
    def fingerprint(self) -> str:
        """The settings that change a transcript, as one string: others name no new job."""
        return f"language={self.transcribe.language}"


SECTIONS: dict[str, type[msgspec.Struct]] = get_type_hints(Config)
SETTINGS: dict[str, str] = {
    field.name: section
    for section, struct in SECTIONS.items()
    for field in msgspec.structs.fields(struct)
}
"""The section of each setting; a name is unique over all of them, so a flag is the name."""


def describe(name: str) -> str:
    """The meaning of a setting and its default, as help texts print it."""
    struct = SECTIONS[SETTINGS[name]]
    hint = get_type_hints(struct, include_extras=True)[name]
    meaning: str = hint.__metadata__[0].description
    default = getattr(struct(), name)
    return meaning if default in ("", []) else f"{meaning} [default: {default}]"


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
            complaints.append(f"{path}: there is no section [{section}].{_nearest(section)}")
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
        if not variable.startswith(ENVIRONMENT) or name == "config":
            continue
        if name in SETTINGS:
            yield name, value
        else:
            complaints.append(
                f"The environment variable {variable} is no setting.{_nearest(name, ENVIRONMENT)}"
            )


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
        value = [part for part in value.split(",") if part]
    try:
        return msgspec.convert(value, hint, strict=not text)
    except msgspec.ValidationError as error:
        reason = str(error).replace("`", "").partition(" - at ")[0]
        complaints.append(f"{name} = {value!r} in {origin}: {reason[0].lower()}{reason[1:]}.")
        return None


def _disagreements(config: Config) -> Iterator[str]:
    """What is wrong although every value has its type."""
    language = config.transcribe.language
    if language != "auto" and not _LANGUAGE.fullmatch(language):
        yield (
            f"language = {language!r}: not a language code. Write it as en-US, or auto to have "
            "it identified."
        )
    if not _JOB_PREFIX.fullmatch(config.transcribe.job_prefix):
        yield (
            f"job_prefix = {config.transcribe.job_prefix!r}: use 1 to 100 of the characters "
            "a-z A-Z 0-9 . _ -"
        )
    if config.output.results:
        yield from _bad_results(config.output.results)
    if not config.output.output:
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
