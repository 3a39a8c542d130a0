"""Values as somebody would send them who wants a page to run his script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import msgspec

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\n\x1b[31m/../../key.mp3"


def poisoned(value: Any) -> Any:
    """The same value with every text in it hostile, however deep."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return HOSTILE
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return msgspec.structs.replace(value, **{n: poisoned(getattr(value, n)) for n in names})
    if is_dataclass(value) and not isinstance(value, type):
        names = tuple(each.name for each in fields(value))
        return replace(value, **{n: poisoned(getattr(value, n)) for n in names})
    if isinstance(value, Mapping):
        return {poisoned(key): poisoned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        made = map(poisoned, value)
        return value._make(made) if hasattr(value, "_make") else type(value)(made)
    return value
