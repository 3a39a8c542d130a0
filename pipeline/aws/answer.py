"""An answer as the service's model has it: whoever answers in its place may write any JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.errors import ServiceUnreachable, Unavailable

if TYPE_CHECKING:
    from botocore.model import Shape

_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "timestamp": datetime,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "blob": bytes,
}

_READ_BY_BOTOCORE = "policyDocumentType"
"""IAM's policies are strings of JSON, and botocore gives what they say."""


class Answer(dict[str, Any]):
    """A structure of an answer to `action`; a member that is read and not there is an error."""

    def __init__(self, content: dict[str, Any], action: str) -> None:
        super().__init__(content)
        self.action = action

    def __missing__(self, member: str) -> NoReturn:
        error = not_of_the_service(self.action, f"it has no {member}")
        raise ServiceUnreachable(error.problem, error.advice, action=error.action)


def answer_of(value: object, shape: Shape, action: str) -> Any:
    """The value, each structure in it an `Answer`.

    Args:
        value: as botocore's parser gives it, which looks at the shape of JSON alone.
        shape: what the service's model says of it.
        action: the IAM action that it is the answer to.

    Raises:
        Unavailable: it is of another type than the model says.
    """
    kind = shape.type_name
    if shape.name == _READ_BY_BOTOCORE:
        return value
    if not isinstance(value, _TYPES.get(kind, object)):
        raise not_of_the_service(action, f"its {shape.name} is no {kind}")
    if isinstance(value, list):
        return [answer_of(each, shape.member, action) for each in value]
    if not isinstance(value, dict):
        return value
    if kind == "map":
        return {name: answer_of(each, shape.value, action) for name, each in value.items()}
    members = shape.members
    content = {
        name: answer_of(each, members[name], action) if name in members else each
        for name, each in value.items()
        if each is not None
    }
    return Answer(content, action)


def not_of_the_service(action: str, why: str) -> Unavailable:
    """Something that is no answer of the service to a call, and what to look at."""
    return Unavailable(
        f"The answer to {action} is not the service's: {why}",
        "A proxy or the login page of a network may answer in its place: check HTTPS_PROXY and the "
        "address.",
        action=action,
    )
