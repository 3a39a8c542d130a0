"""Packages that only some commands need: which extra has them, and the line that installs it.

What every command needs is in `dependencies` of pyproject.toml, the rest in its extras. Whoever
installed the command without an extra is told in one sentence how to get it.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = "transcribe-pipeline"

EXTRAS = {
    "local": ("pocketsphinx",),
    "ray": ("ray",),
    "review": ("jiwer", "praatio"),
    "tables": ("pyarrow",),
}
"""The modules of each extra, as they are imported."""

# What an installer leaves in the environment that it made for a command.
_INSTALLERS = {
    "uv-receipt.toml": "uv tool install --force",
    "pipx_metadata.json": "pipx install --force",
}


def require(extra: str) -> None:
    """See that the packages of an extra are there, without importing them.

    Raises:
        MissingExtra: one is not.
    """
    for module in EXTRAS[extra]:
        if find_spec(module) is None:
            raise missing_extra(module)


@contextmanager
def extras_named() -> Iterator[None]:
    """Say of a module that is missing which extra has it.

    Raises:
        MissingExtra: the body imports one that is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if any(error.name in modules for modules in EXTRAS.values()):
            raise missing_extra(str(error.name)) from error
        raise


def missing_extra(module: str) -> MissingExtra:
    """The error for a module of an extra that is not installed."""
    extra = next(extra for extra, modules in EXTRAS.items() if module in modules)
    there = {each for each, names in EXTRAS.items() if all(map(find_spec, names))}
    return MissingExtra(
        f"This needs the package {module}, which comes with the extra {extra!r}",
        f"Install it with: {install_line(Path(sys.prefix), there | {extra})}",
    )


def install_line(environment: Path, extras: set[str]) -> str:
    """The command that installs extras where the program is, in the way it was installed."""
    wanted = shlex.quote(f"{_PROGRAM}[{','.join(sorted(extras))}]")
    for left, command in _INSTALLERS.items():
        if (environment / left).exists():
            return f"{command} {wanted}"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"
