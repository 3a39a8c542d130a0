"""The flags of settings, made from their schema, and the settings that a command is given.

    @with_settings(FILES, AWS)
    def command(source: Source, *, chosen: Config, quiet: Quiet = False) -> None: ...

has a flag for each setting of these groups, and `--config`, where `chosen` stands. Their help, type
and bounds are the schema's; what the command gets is the whole of flags, environment and file.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from pipeline.config.loading import ENVIRONMENT, resolve
from pipeline.config.schema import SETTINGS, Config, LogFormat, describe, flag_of, type_of
from pipeline.config.shards import Engine
from pipeline.errors import BadSettings
from pipeline.logs import begin_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FILES = ("output", "state")
TRANSCRIPTS = ("transcripts", "transcript_format")
JOBS = ("results", "language", "kind", "vocabulary")
SELECTION = ("include", "exclude")
SHARDS = ("shards", "shard")
ENGINE = ("engine", "ray_address")
LIMITS = ("max_in_flight", "start_rate", "workers", "list_parallel")
AWS = ("profile", "region", "endpoint_url")
EVENTS = ("events",)
BUDGET = ("limit", "until", "max_hours", "max_cost")
MONITORING = ("log_format", "metrics_port", "metrics_file", "heartbeat_file")
LABEL_STUDIO = ("url", "project", "token_file")
GROUND_TRUTH = ("ground_truth",)

Given = Mapping[str, str]
"""The flags of a command line as they are spelled, by the names of their parameters."""

_METAVARS = {
    **dict.fromkeys(("output", "state", "ground_truth", "token_file"), "FILE"),
    **dict.fromkeys(("metrics_file", "heartbeat_file"), "FILE"),
    **dict.fromkeys(("endpoint_url", "events", "url"), "URL"),
    **dict.fromkeys(("profile", "region", "vocabulary"), "NAME"),
    **dict.fromkeys(("include", "exclude"), "GLOB"),
    "results": "S3URI",
    "transcripts": "PLACE",
    "transcript_format": "LIST",
    "language": "CODE",
    "kind": "KIND",
    "layout": "list|focus",
    "engine": "local|ray",
    "ray_address": "ADDRESS",
    "log_format": "text|json",
    "until": "TIME",
    "max_cost": "AMOUNT",
    "price_per_minute": "PRICE",
    "review_below": "SCORE",
    "audit": "SHARE",
    "overlap": "SHARE",
    "project_size": "TASKS",
}
_RAY = "Add --engine ray."
_ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings as TOML; `config example` prints them all."
    ),
]


def with_settings(
    *groups: tuple[str, ...], on_s3: bool = False, **replaced: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that has these settings' flags, and is handed the settings as `chosen`.

    One that has a parameter `given` gets the flags that were given, one that has `config_file` the
    path of the file that the others are from, or None.

    Args:
        groups: names of settings.
        on_s3: whether it works with an output on S3 as well.
        replaced: settings whose flag has another name or help here, as typer's Option.
    """
    names = [name for group in groups for name in group]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = _resolved(command)
        flags = [_CONTEXT, *_expanded(parameters, names, replaced)]

        def with_flags(context: typer.Context, **given: Any) -> None:
            settings = {name: given.pop(name) for name in names}
            given["given"] = flags_given(context)
            given["config_file"] = file = given.pop("config") or _file_of_environment()
            chosen = _settings(file, settings, quiet=bool(given.get("quiet")))
            if not on_s3 and "state" in names:
                _refuse_s3(chosen)
            if chosen.cluster.engine is not Engine.RAY and "engine" not in given["given"]:
                refuse_idle(given["given"], ["ray_address"], "nothing is done by a cluster", _RAY)
            command(**dict(_collected(parameters, given, chosen)))

        # No functools.wraps: typer would look through it at the command's own parameters.
        with_flags.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined] # read by inspect
        with_flags.__annotations__ = {each.name: each.annotation for each in flags}
        with_flags.__doc__ = command.__doc__
        return with_flags

    return decorate


def _refuse_s3(chosen: Config) -> None:
    if chosen.s3_output:
        raise BadSettings(
            f"The tasks of {chosen.output_name} are on S3, where this command does not look for "
            "them",
            "Name a file with --output.",
        )


def flags_given(context: typer.Context) -> Given:
    """Which flags the command line has, without those of the environment and the defaults."""
    return {
        each.name: each.opts[0]
        for each in context.command.params
        if each.name
        and each.opts[0].startswith("-")
        and (source := context.get_parameter_source(each.name))
        and source.name == "COMMANDLINE"
    }


def refuse_idle(given: Given, names: Iterable[str], because: str, advice: str) -> None:
    """Refuse flags that change nothing beside the others, rather than ignore them.

    Args:
        given: the flags of the command line.
        names: those that would change nothing.
        because: why, as the end of a sentence.
        advice: what helps, as a sentence.

    Raises:
        BadSettings: one of them is given.
    """
    idle = [given[name] for name in names if name in given]
    if idle:
        raise BadSettings(f"{' and '.join(idle)} would do nothing: {because}", advice)


class FlagGroup:
    """Flags that several commands share, as a dataclass whose fields are annotated for typer.

    A command has them where a parameter of such a class stands, and is handed an instance.
    """


def _resolved(command: Callable[..., None]) -> list[inspect.Parameter]:
    """Its parameters, with annotations that are types; every command waits for those of all."""
    known = {"Config": Config, "Given": Given}  # commands import them for types alone
    hints = get_type_hints(command, localns=known, include_extras=True)
    own = inspect.signature(command).parameters.values()
    return [_keyword(each.name, hints[each.name], each.default) for each in own]


def _fields(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """The flags of a group; none where the parameter is a flag of its own."""
    group = parameter.annotation
    if not (isinstance(group, type) and issubclass(group, FlagGroup)):
        return []
    hints = get_type_hints(group, include_extras=True)
    own = inspect.signature(group).parameters.values()
    return [_keyword(each.name, hints[each.name], each.default) for each in own]


def _expanded(
    parameters: list[inspect.Parameter], names: list[str], replaced: dict[str, Any]
) -> Iterator[inspect.Parameter]:
    """The command's own flags, with those of the settings where `chosen` stands."""
    for parameter in parameters:
        if parameter.name == "chosen":
            yield from (_keyword(name, _flag(name, replaced.get(name)), None) for name in names)
            yield _keyword("config", _ConfigFile, None)
        elif parameter.name not in ("given", "config_file"):
            yield from _fields(parameter) or [parameter]


def _collected(
    parameters: list[inspect.Parameter], values: dict[str, Any], chosen: Config
) -> Iterator[tuple[str, Any]]:
    """What the command is handed, by the names of its own parameters."""
    for parameter in parameters:
        name = parameter.name
        if name == "chosen":
            yield name, chosen
        elif fields := _fields(parameter):
            yield name, parameter.annotation(**{each.name: values[each.name] for each in fields})
        else:
            yield name, values[name]


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


_CONTEXT = inspect.Parameter(
    "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


def _flag(name: str, replaced: Any) -> Any:
    """A setting's flag, in its section of the help; `resolve` reads its number from text."""
    kind = type_of(name).__origin__
    option = replaced or _option(name)
    option.rich_help_panel = SETTINGS[name]
    return Annotated[(str if kind in (int, float) else kind) | None, option]


def _option(name: str) -> Any:
    """The command line option of a setting; its help is the setting's own description."""
    metavar = _METAVARS.get(name, "N")
    parser = _share if metavar == "SHARE" else None
    return typer.Option(
        flag_of(name), metavar=metavar, help=describe(name), show_default=False, parser=parser
    )


def _share(text: str) -> str:
    """A share of one, which may be written in percent: 5% and 0.05."""
    number = text.strip().removesuffix("%")
    try:
        return str(float(number) / 100) if text.strip().endswith("%") else number
    except ValueError:
        return text


def _file_of_environment() -> Path | None:
    file = os.environ.get(f"{ENVIRONMENT}CONFIG")
    return Path(file) if file else None


def _settings(config_file: Path | None, flags: dict[str, Any], *, quiet: bool) -> Config:
    """The settings from flags, environment and file, and a log in the format that they name.

    Complaints about the settings come in that format where the command line or the environment
    names it. `None` means that a flag was not given.
    """
    logs = "log_format" in flags
    named = flags.get("log_format") or os.environ.get(f"{ENVIRONMENT}LOG_FORMAT")
    if logs and named == LogFormat.JSON:
        begin_json(quiet=quiet)
    chosen = resolve(flags, os.environ, config_file)
    if logs and chosen.monitoring.log_format is LogFormat.JSON:
        begin_json(quiet=quiet)
    return chosen
