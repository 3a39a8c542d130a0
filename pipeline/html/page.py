"""Pages that need nothing else: one file of HTML, no script, nothing from the network.

A page is a template that extends `html/templates/page.html`. What stands in it comes from keys and
services, so every value is made printable and escaped where a template puts it in.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.files import replacing
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_BEGINS = (
    b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    b'<meta name="generator" content="transcribe-pipeline">\n'
)
_BEFORE_A_UNIT = re.compile(
    r"(?<=\d) (?=(?:s|min|h|d)\b|%)|(?<=\d min) (?=\d+ s\b)|(?<=\d [hd]) (?=\d+ (?:min|h)\b)"
)


def render(template: str, **values: object) -> str:
    """A whole page.

    Args:
        template: its path in the package: `report/templates/report.html`.
        values: what it names; a name that it lacks is an error.
    """
    return _ENVIRONMENT.get_template(template).render(values)


def write_page(path: Path, page: str) -> None:
    """Write a page, which takes the place of an earlier page alone.

    Raises:
        OutputUnusable: it can't be written, or something else is there.
    """
    with replacing(path, _BEGINS) as file:
        file.write(page.encode())


def _printable(value: Any) -> Any:
    """A text from outside on one line; what a template has made is left as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _units(text: str) -> Markup:
    """A text in which no figure is parted from its unit."""
    if isinstance(text, Markup):
        return text
    return Markup("\u00a0").join(_BEFORE_A_UNIT.split(printable(text)))


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _share(share: float) -> str:
    """A share of a plot's width or height."""
    return f"{100 * share:.4g}%"


def _places(points: Iterable[tuple[float, float]]) -> str:
    """Points of a curve in its plane of a thousand by a thousand."""
    return " ".join(f"{1000 * x:.4g},{1000 - 1000 * y:.4g}" for x, y in points)


_ENVIRONMENT = Environment(
    loader=PackageLoader("pipeline", ""),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_printable,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters |= {
    "digest": _digest,
    "places": _places,
    "printable": printable,
    "share": _share,
    "units": _units,
}
