"""Which value each setting has, and where it came from: flag, environment, file or default; pure.

Passwords and tokens are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.config.loading import ENVIRONMENT
from pipeline.config.schema import SETTINGS, Config

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

FLAG = "flag"
DEFAULT = "default"
NOT_SHOWN = "(not shown)"

# Where a setting is "", the first of these variables that is set holds.
_ELSEWHERE = {
    "profile": ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "endpoint_url": ("AWS_ENDPOINT_URL",),
    "url": ("LABEL_STUDIO_URL",),
    "token_file": ("LABEL_STUDIO_API_KEY",),
}
_SECRET = frozenset({"LABEL_STUDIO_API_KEY"})
_USER = re.compile(r"(?<=//)[^/@\s]*@")


class InForce(msgspec.Struct, frozen=True):
    """A setting: its section and name, its value, and what gave it."""

    section: str
    name: str
    value: Any
    origin: str


class Given(msgspec.Struct, frozen=True):
    """What the settings are made of: names of flags, the environment, and the file's tables."""

    flags: Collection[str]
    environment: Mapping[str, str]
    path: str
    table: Mapping[str, Any]


def in_force(config: Config, given: Given) -> Iterator[InForce]:
    """Every setting in the order of the file."""
    derived = {
        "state": str(config.state_path),
        "model_version": config.model_version,
        "max_in_flight": config.most_in_flight,
    }
    for name, section in SETTINGS.items():
        value = derived.get(name, getattr(getattr(config, section), name))
        origin = _origin(name, section, given)
        if value == "" and (variable := _elsewhere(name, given.environment)):
            value = NOT_SHOWN if variable in _SECRET else given.environment[variable]
            origin = variable
        yield InForce(section, name, _without_user(value), origin)


def _origin(name: str, section: str, given: Given) -> str:
    variable = f"{ENVIRONMENT}{name.upper()}"
    if name in given.flags:
        return FLAG
    if variable in given.environment:
        return variable
    if name in given.table.get(section, {}):
        return given.path
    return DEFAULT


def _elsewhere(name: str, environment: Mapping[str, str]) -> str:
    """The variable of other programs that holds where a setting is not made; "" where none is."""
    return next((each for each in _ELSEWHERE.get(name, ()) if environment.get(each)), "")


def _without_user(value: Any) -> Any:
    """An address without the user and the password that it may hold."""
    return _USER.sub("", value) if isinstance(value, str) else value
