"""`config example`, `config schema` and `config show`: what can be set, and what is."""

from __future__ import annotations

import os
import tomllib
from importlib.resources import files
from pathlib import Path  # flags reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from pipeline.cli.command import Command
from pipeline.cli.flags import (
    AWS,
    BUDGET,
    EVENTS,
    FILES,
    GROUND_TRUTH,
    JOBS,
    LABEL_STUDIO,
    LIMITS,
    MONITORING,
    SELECTION,
    SHARDS,
    with_settings,
)
from pipeline.cli.options import Json, examples, group
from pipeline.cli.place import parse_source
from pipeline.config.schema import RULES
from pipeline.terminal import answer
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.cli.flags import Given
    from pipeline.config.in_force import InForce
    from pipeline.config.schema import Config

commands = group("Settings: an example, their schema, what is in force.")
EXAMPLE_EXAMPLES = examples(
    ("Begin a settings file of your own", "config example > calls.toml"),
)
SCHEMA_EXAMPLES = examples(
    ("Have an editor complete and check a settings file", "config schema > config.schema.json"),
)
SHOW_EXAMPLES = examples(
    ("See what a run would do with, and where each value is from", "config show --config c.toml"),
    ("Whether a source and its settings go together", "config show s3://bucket/calls/"),
    ("The same for a program", "config show --json"),
)


@commands.command("example", cls=Command, epilog=EXAMPLE_EXAMPLES)
def example() -> None:
    """Print a settings file with every setting.

    Each has its default, its unit and what it is for. Keep the lines that you change: a setting
    that is not in the file has its default.
    """
    text = files("pipeline.config").joinpath("config.example.toml").read_text(encoding="utf-8")
    typer.echo(text, nl=False)


@commands.command("schema", cls=Command, epilog=SCHEMA_EXAMPLES)
def schema() -> None:
    """Print the JSON Schema of the settings file.

    It has every key with its meaning, unit and bounds. An editor that knows TOML schemas (taplo,
    Even Better TOML) completes and checks a file whose first line is `#:schema
    ./config.schema.json`, where that file is what this command prints.
    """
    from pipeline.config.json_schema import json_schema

    typer.echo(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2))


@commands.command("show", cls=Command, epilog=SHOW_EXAMPLES)
@with_settings(
    *(FILES, JOBS, SELECTION, LIMITS, AWS, EVENTS),
    *(BUDGET, MONITORING, LABEL_STUDIO, GROUND_TRUTH, SHARDS),
    on_s3=True,
)
def show(
    *,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")
    ] = None,
    chosen: Config,
    given: Given,
    config_file: Path | None,
    json: Json = False,
) -> None:
    """Show every setting in force, and where it comes from.

    A flag wins over the environment, the environment over the file, and the file over the default.
    Pass the flags that you would pass to the other command. SOURCE is checked as `run` checks it.
    Passwords and tokens are not shown.
    """
    from pipeline.config.in_force import Given as From
    from pipeline.config.in_force import in_force

    if source is not None:
        parse_source(source, chosen)
    table = tomllib.loads(config_file.read_text(encoding="utf-8-sig")) if config_file else {}
    settings = list(in_force(chosen, From(given, os.environ, str(config_file), table)))
    rules = table.get(RULES, [])
    if json:
        facts = {"config_file": str(config_file or ""), "settings": settings, RULES: rules}
        answer(msgspec.json.encode(facts))
    else:
        typer.echo("\n".join(_lines(settings, rules, str(config_file))))


def _lines(settings: list[InForce], rules: list[dict[str, Any]], path: str) -> Iterator[str]:
    """A table: name, value and origin, by section as in the file."""
    rows = [(each.section, each.name, _text(each.value), each.origin) for each in settings]
    for number, rule in enumerate(rules, 1):
        rows += [(f"rule {number}", name, _text(value), path) for name, value in rule.items()]
    names, values = (max(len(row[column]) for row in rows) for column in (1, 2))
    values = min(values, 40)
    section = ""
    for of, name, value, origin in rows:
        if of != section:
            yield f"[{of}]"
            section = of
        yield f"  {name:<{names}}  {value:<{values}}  {printable(origin)}"


def _text(value: object) -> str:
    """A value as TOML has it, nearly: what JSON makes of it."""
    return printable(msgspec.json.encode(value).decode())
