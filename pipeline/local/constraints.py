"""What the service's model says of single values, refused in the service's words.

Bounds, patterns and enums are those of botocore's model of Amazon Transcribe. botocore itself
holds a request only against required members, types and lower bounds, and in other words.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from pipeline.local.errors import Refused, bad_request
from pipeline.text import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "list": list,
    "map": dict,
    "structure": dict,
}


@cache
def _service() -> Any:
    return ServiceModel(Loader().load_service_model("transcribe", "service-2"))


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Hold every value of a request against the model of its operation.

    Raises:
        Refused: SerializationException for a value of another type, else BadRequestException
            that lists each unmet constraint as the service does.
    """
    unmet = list(_unmet(request, _service().operation_model(operation).input_shape, ""))
    if unmet:
        count = f"{count_of(len(unmet), 'validation error')} detected"
        raise bad_request(f"{count}: {'; '.join(unmet)}")


def _unmet(value: Any, shape: Any, place: str) -> Iterator[str]:
    # In JSON true is no number, though in Python it is one.
    if type(value) is not _TYPES[shape.type_name]:
        raise Refused("SerializationException", f"{place} has another type")
    for demand in _demands(value, shape):
        yield _sentence(f"'{_shown(value)}'", place, demand)
    if shape.type_name == "structure":
        yield from _unmet_members(value, shape, place)
    elif shape.type_name == "map":
        for member in value.values():
            yield from _unmet(member, shape.value, f"{place}.member")
    elif shape.type_name == "list" and shape.member.type_name != "string":
        for member in value:
            yield from _unmet(member, shape.member, f"{place}.member")


def _unmet_members(value: Mapping[str, Any], shape: Any, place: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inside = f"{place}.{name[0].lower()}{name[1:]}".removeprefix(".")
        if value.get(name) is not None:
            yield from _unmet(value[name], member, inside)
        elif name in shape.required_members:
            yield _sentence("null", inside, "Member must not be null")


def _demands(value: Any, shape: Any) -> Iterator[str]:
    """What the service would say the value must satisfy, and doesn't."""
    if shape.type_name in {"boolean", "structure"}:
        return
    bounds = shape.metadata
    number = isinstance(value, int)
    size = value if number else len(value)
    measured = "value" if number else "length"
    if size < bounds.get("min", size):
        yield f"Member must have {measured} greater than or equal to {bounds['min']}"
    if size > bounds.get("max", size):
        yield f"Member must have {measured} less than or equal to {bounds['max']}"
    if "pattern" in bounds and not re.fullmatch(bounds["pattern"], value):
        yield f"Member must satisfy regular expression pattern: {bounds['pattern']}"
    if "enum" in bounds and value not in bounds["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(bounds['enum'])}]"
    if isinstance(value, list) and shape.member.type_name == "string":
        # The texts of a list are refused with the list, in one sentence.
        inner = (list(_demands(str(text), shape.member)) for text in value)
        if demands := next(filter(None, inner), None):
            yield f"Member must satisfy constraint: [{', '.join(demands)}]"


def _shown(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _sentence(shown: str, place: str, demand: str) -> str:
    return f"Value {shown} at '{place}' failed to satisfy constraint: {demand}"
