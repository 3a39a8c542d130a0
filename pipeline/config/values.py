"""What a setting may be, in words: for whoever gave it another value, and for the reference."""

from __future__ import annotations

from enum import EnumType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pipeline.config.schema import type_of

if TYPE_CHECKING:
    from msgspec import Meta

_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_LIST, _TABLE = "a list, as ['a', 'b']", "a table, as {name = 'value'}"
_LIST_IN_TEXT, _TABLE_IN_TEXT = "words with commas between", "name=value, with commas between"


def values_of(name: str) -> str:
    """The kind of a setting's value with its bounds, or the words that it may be, in backticks."""
    kind, meta = _kind_of(name)
    if words := words_of(kind):
        return ", ".join(f"`{word}`" for word in words)
    if kind not in _KINDS:
        return "table" if get_origin(kind) is dict else "list"
    return ", ".join((_KINDS[kind], *_bounds(meta)))


def how_to_write(name: str, *, in_text: bool = False) -> str:
    """What to write for a setting, as the end of a sentence: `a whole number, 1 to 100`.

    `in_text` is how a variable of the environment says a list or a table.
    """
    kind, meta = _kind_of(name)
    if words := words_of(kind):
        return " or ".join(words)
    if kind not in _KINDS:
        lists, tables = (_LIST_IN_TEXT, _TABLE_IN_TEXT) if in_text else (_LIST, _TABLE)
        written = tables if get_origin(kind) is dict else lists
        of = words_of(get_args(kind)[-1])
        return f"{written}, of {', '.join(of)}" if of else written
    article = "" if kind is bool else "a "
    return article + ", ".join((_KINDS[kind], *_bounds(meta)))


def words_of(kind: Any) -> list[str]:
    """The words that a value must be one of; none where it may be any."""
    if get_origin(kind) is Literal:
        return [word for word in get_args(kind) if word]
    return list(kind) if isinstance(kind, EnumType) else []


def _kind_of(name: str) -> tuple[Any, Meta]:
    hint = type_of(name)
    return hint.__origin__, hint.__metadata__[0]


def _bounds(meta: Meta) -> tuple[str, ...]:
    """The bounds of a number; a text may need to be one that is not empty.

    A least of -1 stands for what nobody has set, and is not to be written.
    """
    least, most = None if meta.ge is None else max(meta.ge, 0), meta.le
    if meta.gt is not None:
        upper = "" if most is None else f"up to {most:,}"
        return tuple(filter(None, (f"over {meta.gt}", upper)))
    if least is not None:
        return (f"{least:,} or more" if most is None else f"{least:,} to {most:,}",)
    return ("not empty",) if meta.min_length else ()
