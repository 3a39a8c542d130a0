"""A command's help, whose flags stand in the sections of the settings, and its usage."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_OWN = "Options"
_TITLES = {"aws": "AWS", "label_studio": "Label Studio"}
_NUMBER = r"(\d[\d.]*)"
_RANGE = re.compile(rf"(?<=[\[ ])(?:{_NUMBER}<=x<={_NUMBER}|x>={_NUMBER})(?=[;\]])")


class Command(TyperCommand):
    """A command of the command line, as a person reads it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what is left over, with what is behind it most often: a missing quote."""
        ctx.allow_extra_args = True
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:  # a shell that completes the line asks on
            ctx.fail(
                f"{left[0]!r} is an argument too many. Put quotes around what has spaces or a *."
            )
        return left

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] SOURCE`: what may be left out stands in brackets."""
        return ["[OPTIONS]", *(_argument(each) for each in _arguments(self, ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, the command's own flags, then those of settings, section by section."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], _OWN: []}
        for each in self.get_params(ctx):
            title, record = _record(each, ctx)
            sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def wrong_use(error: Any) -> str:
    """What is wrong with a flag or an argument, in words for a person.

    Args:
        error: click's; one that pydantic has found has its facts as its cause.
    """
    facts: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not facts:
        return str(error.message)
    kind, bounds = facts[0]["type"], facts[0].get("ctx", {})
    told: dict[str, str] = {
        "greater_than_equal": "write {ge} or more.",
        "less_than_equal": "write {le} or less.",
        "value_error": "{error}",
        **dict.fromkeys(("int_parsing", "int_from_float"), "write a whole number."),
        "float_parsing": "write a number.",
    }
    return told[kind].format(**bounds) if kind in told else str(error.message)


def _arguments(command: TyperCommand, ctx: Any) -> list[Any]:
    return [each for each in command.get_params(ctx) if each.param_type_name == "argument"]


def _argument(argument: Any) -> str:
    return str(argument.metavar if argument.required else f"[{argument.metavar}]")


def _record(parameter: Any, ctx: Any) -> tuple[str, tuple[str, str]]:
    """The section of a parameter, its names, and its meaning with its bounds in words."""
    names, meaning = parameter.get_help_record(ctx)
    meaning = _RANGE.sub(_in_words, meaning)
    if parameter.param_type_name == "argument":
        return "Arguments", (parameter.metavar, meaning.removesuffix("  [required]"))
    section = getattr(parameter, "rich_help_panel", None) or _OWN
    return _TITLES.get(section, section.replace("_", " ").capitalize()), (names, meaning)


def _in_words(found: re.Match[str]) -> str:
    """`0<=x<=1` as `0 to 1`, and `x>=0` as `0 or more`."""
    least, most, alone = found.groups()
    return f"{alone} or more" if alone else f"{least} to {most}"
