"""`check SOURCE`: the doctor; would a run go well, and if not, what is to be done?"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import (
    AWS,
    EVENTS,
    FILES,
    JOBS,
    LABEL_STUDIO,
    SELECTION,
    SHARDS,
    with_settings,
)
from pipeline.cli.options import Json, examples
from pipeline.launch.event_loop import in_event_loop
from pipeline.naming import S3Uri
from pipeline.terminal import CANNOT_RUN, answer, as_called
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.schema import Config
    from pipeline.doctor.findings import Line

EXAMPLES = examples(
    (
        "Would tonight's run go well",
        "check s3://bucket/calls/ --results s3://bucket/transcripts/",
    ),
    (
        "With the settings of the nightly job, as JSON",
        "check s3://bucket/ --config night.toml --json",
    ),
    ("Only the account, Label Studio and this machine", "check --url https://labels.example.com"),
)
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red", "skipped": "bright_black"}
_NARROWEST = 40
_VERDICT_WIDTH = 8
_NAME_WIDTH = 14


@with_settings(
    *(FILES, SHARDS, ("transcripts",), JOBS, EVENTS, SELECTION, AWS, LABEL_STUDIO), on_s3=True
)
def command(
    *,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")
    ] = None,
    chosen: Config,
    json: Json = False,
) -> None:
    """Check whether a run would go well, and how to fix it.

    It tries everything at once, each thing for 30 seconds at most: credentials, clock, region,
    listing, reading, writing, Transcribe's calls, quotas, what the settings name, this machine's
    files, and Label Studio if you name one. It starts no job, so it costs nothing. It writes one
    small object to --results, and removes it again.

    Exit codes: 0 a run would go well, warnings included; 2 it would fail.
    """
    from pipeline.cli.place import parse_source
    from pipeline.doctor.examination import examine
    from pipeline.doctor.findings import conclusion, report
    from pipeline.launch.account import look_whether_a_run_begins

    place = None if source is None else parse_source(source, chosen)
    looks = partial(look_whether_a_run_begins, chosen, place) if isinstance(place, S3Uri) else None
    show = _silent if json else partial(_show, columns=_columns())
    found = report(source or "", in_event_loop(examine(chosen, place, show, looks)))
    if json:
        answer(msgspec.json.encode(found))
    else:
        typer.echo(conclusion(found))
    raise typer.Exit(0 if found.ready else CANNOT_RUN)


def _silent(_: Line) -> None:
    """JSON is told at the end."""


def _columns() -> int:
    """How wide a terminal is; 0 where the lines go elsewhere, and are not to be broken."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _show(line: Line, columns: int) -> None:
    for text in _texts(line, columns):
        typer.echo(text)


def _texts(line: Line, columns: int) -> Iterator[str]:
    """The line as it is printed: verdict, name, what was found, and below what to do."""
    indent = " " * (_VERDICT_WIDTH + _NAME_WIDTH + 2)
    width = max(_NARROWEST, columns - len(indent)) if columns else sys.maxsize
    message = textwrap.wrap(as_called(printable(line.message)), width, break_on_hyphens=False)
    advice = textwrap.wrap(f"→ {as_called(printable(line.advice))}", width, break_on_hyphens=False)
    verdict = f"{line.verdict:<{_VERDICT_WIDTH}}"
    if columns and "NO_COLOR" not in os.environ:
        verdict = typer.style(verdict, fg=_COLOURS[line.verdict])
    yield f"{verdict} {line.check:<{_NAME_WIDTH}} {message[0]}"
    for more in (*message[1:], *(advice if line.advice else ())):
        yield indent + more
