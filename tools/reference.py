"""The tables of the reference pages, made of what the program itself reads. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from pipeline import errors, failures
from pipeline.config.schema import SECTIONS, flag_of
from pipeline.config.values import values_of
from pipeline.errors import CannotRun, PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_FLAGS = re.compile(r"^  (?:-\w, )?--([\w-]+)", re.MULTILINE)
_EXIT_CODES = re.compile(r"Exit codes: (.*?)\n\n", re.DOTALL)


def commands(helps: Mapping[str, str]) -> str:
    """Every command with its purpose, linked to its page.

    Args:
        helps: the help text of each command, by its name.
    """
    return _table(
        ("command", "purpose"),
        ((f"[{name}]({page_of(name)})", _purpose(text)) for name, text in helps.items()),
    )


def exit_codes(helps: Mapping[str, str]) -> str:
    """The exit codes that the help of a command names."""
    rows = (
        (f"[{name}](commands/{page_of(name)})", _one_line(found[1]))
        for name, text in helps.items()
        if (found := _EXIT_CODES.search(text))
    )
    return _table(("command", "exit codes"), rows)


def page_of(command: str) -> str:
    """The file name of a command's page."""
    return f"{command.replace(' ', '-')}.md"


def settings(helps: Mapping[str, str]) -> str:
    """Every setting, a table for each section of the file."""
    flags = {flag for text in helps.values() for flag in _FLAGS.findall(text)}
    return "\n".join(
        f"## [{section}]\n\n{struct.__doc__}\n\n" + _table(_COLUMNS, _settings(struct, flags))
        for section, struct in SECTIONS.items()
    )


_COLUMNS = ("setting", "meaning", "default", "values", "flag")


def _settings(struct: type[msgspec.Struct], flags: set[str]) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        meta = hints[field.name].__metadata__[0]
        flag = flag_of(field.name)
        yield (
            f"`{field.name}`",
            _DEFAULT.sub("", meta.description),
            _default(meta.description, getattr(struct(), field.name)),
            values_of(field.name),
            f"`{flag}`" if flag.removeprefix("--") in flags else "",
        )


_DEFAULT = re.compile(r" ?\[default: (.*)\]")


def _default(meaning: str, value: Any) -> str:
    """The default as TOML; where that is empty, what the meaning says stands for it."""
    said = _DEFAULT.search(meaning)
    if said:
        return said[1]
    if isinstance(value, str):
        return f'`"{value}"`' if value else ""
    if isinstance(value, dict) and value:
        return "`" + ", ".join(f"{name} = {word}" for name, word in value.items()) + "`"
    return (
        f"`{str(value).lower() if isinstance(value, bool) else value}`"
        if value not in ({}, [])
        else ""
    )


def error_classes() -> str:
    """Every class of `pipeline/errors.py` that ends a command with 2, with its meaning."""
    return _classes(lambda kind: issubclass(kind, CannotRun))


def handled_classes() -> str:
    """Every other class, which the program handles itself."""
    return _classes(lambda kind: not issubclass(kind, CannotRun))


def _classes(shown: Callable[[type[PipelineError]], bool]) -> str:
    kinds = (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, PipelineError) and kind is not PipelineError
    )
    rows = ((f"`{kind.__name__}`", _one_line(kind.__doc__)) for kind in kinds if shown(kind))
    return _table(("class", "meaning"), rows)


def failure_reasons() -> str:
    """Every reason for which a recording fails, with the advice for it."""
    reasons = sorted(
        value
        for name, value in vars(failures).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    )
    otherwise = "The service's own words say what is wrong."
    return _table(
        ("reason", "advice"),
        ((f"`{reason}`", failures.advice(reason) or otherwise) for reason in reasons),
    )


def _purpose(help_text: str) -> str:
    return _one_line(help_text.split("\n\n")[1])


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
