"""`check SOURCE`: the doctor; would a run go well, and if not, what is to be done?"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import textwrap
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipeline.cli.flags import AWS, EVENTS, FILES, JOBS, LABEL_STUDIO, SELECTION, with_settings
from pipeline.cli.options import examples
from pipeline.errors import CannotRun, NoAccess
from pipeline.naming import S3Uri, job_name_prefix
from pipeline.terminal import CANNOT_RUN
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import aiohttp

    from pipeline.config.schema import Config
    from pipeline.doctor.amazon import AccountChecks
    from pipeline.doctor.findings import Line
    from pipeline.doctor.runner import Check

NAME = "check"
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
_CONNECTIONS = 8
_NARROWEST = 40
_VERDICT_WIDTH = 8
_NAME_WIDTH = 14


@with_settings(FILES, JOBS, EVENTS, SELECTION, AWS, LABEL_STUDIO)
def command(
    *,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, or a folder.")
    ] = None,
    chosen: Config,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Look whether a run would go well, and say what to do where it would not.

    Everything is looked at by trying, at once, and each for 30 seconds at most: credentials, the
    clock, the region, listing, reading, writing, Transcribe's calls, quotas, what the settings
    name, this machine's files, and Label Studio if one is named. Nothing is paid for: no job is
    started. One small object is written to --results and removed again.

    Exit codes: 0 a run would go well, warnings included; 2 it would fail.
    """
    from pipeline.cli.place import parse_source
    from pipeline.doctor.findings import conclusion, report

    place = None if source is None else parse_source(source, chosen)
    show = _silent if json else partial(_show, columns=_columns())
    found = report(source or "", asyncio.run(_examined(chosen, place, show)))
    typer.echo(msgspec.json.encode(found) if json else conclusion(found))
    raise typer.Exit(0 if found.ready else CANNOT_RUN)


async def _examined(
    config: Config, place: S3Uri | Path | None, show: Callable[[Line], None]
) -> list[Line]:
    """Every line, each shown as soon as it and those before it are there."""
    from pipeline.doctor.runner import run_checks
    from pipeline.net.http import open_http

    lines = []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(open_http(_CONNECTIONS))
        amazon, of_amazon = await _of_amazon(stack, config, place, http)
        of_reviewing = await _of_reviewing(stack, config, amazon, http)
        checks = [*of_amazon, *_of_this_machine(config, place), *of_reviewing]
        async for line in run_checks(checks):
            lines.append(line)
            show(line)
    return lines


async def _of_amazon(
    stack: AsyncExitStack,
    config: Config,
    place: S3Uri | Path | None,
    http: aiohttp.ClientSession,
) -> tuple[AccountChecks | None, list[Check]]:
    """The lines about AWS, and what they are asked through; None where there is no way to it."""
    from pipeline.aws.s3 import open_s3
    from pipeline.aws.session import connect
    from pipeline.doctor.amazon import AccountChecks
    from pipeline.doctor.findings import finding_of, skipped
    from pipeline.doctor.runner import Check, constant
    from pipeline.net.wait_times import WaitTimes

    if isinstance(place, Path):
        why = "A folder is transcribed on this machine, without any account."
        return None, [Check("AWS", constant(skipped(why)))]
    try:
        session = await stack.enter_async_context(connect(config.aws, _CONNECTIONS))
    except CannotRun as error:
        name = "credentials" if isinstance(error, NoAccess) else "settings"
        without = skipped("Nothing there can be asked without.")
        return None, [Check(name, constant(finding_of(error))), Check("AWS", constant(without))]
    s3 = await stack.enter_async_context(open_s3(session, config.limits, WaitTimes()))
    amazon = AccountChecks(config, place, session, s3)
    return amazon, amazon.checks(http)


def _of_this_machine(config: Config, place: S3Uri | Path | None) -> list[Check]:
    from pipeline.doctor import machine
    from pipeline.doctor.runner import Check

    uri, bucket = _named(place)
    tag = job_name_prefix(config.transcribe.job_prefix, bucket)
    looks = [
        ("output", partial(machine.output, config)),
        ("state", partial(machine.state, config, uri, tag)),
        ("disk", partial(machine.disk, config)),
    ]
    if config.monitoring != type(config.monitoring)():
        looks.append(("monitoring", partial(machine.monitoring, config.monitoring)))
    if isinstance(place, Path):
        looks.insert(0, ("source", partial(machine.folder, place)))
    return [Check(name, partial(asyncio.to_thread, look)) for name, look in looks]


def _named(place: S3Uri | Path | None) -> tuple[str | None, str]:
    """The source's URI and its bucket, as a run names them in the state file."""
    if isinstance(place, S3Uri):
        return str(place), place.bucket
    return (place.as_uri(), place.as_uri()) if place else (None, "")


async def _of_reviewing(
    stack: AsyncExitStack, config: Config, amazon: AccountChecks | None, http: aiohttp.ClientSession
) -> list[Check]:
    """The lines about Label Studio, if one is named."""
    from pipeline.doctor.findings import finding_of, skipped
    from pipeline.doctor.label_studio import LabelStudioChecks
    from pipeline.doctor.runner import Check, constant
    from pipeline.label_studio.client import connected
    from pipeline.label_studio.token import URL_VARIABLE, address, read_token

    known = config.label_studio
    if not (known.url or known.project or os.environ.get(URL_VARIABLE)):
        why = f"None is named, with --url or {URL_VARIABLE}; a run needs none."
        return [Check("Label Studio", constant(skipped(why)))]
    try:
        at, token = address(known, os.environ), read_token(known, os.environ)
    except CannotRun as error:
        return [Check("Label Studio", constant(finding_of(error)))]
    client = await stack.enter_async_context(connected(at, token))
    bucket = amazon.bucket if amazon else ""
    playing = amazon.playing if amazon else constant(None)
    return LabelStudioChecks(config, client, bucket).checks(http, playing)


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
    message = textwrap.wrap(printable(line.message), width, break_on_hyphens=False)
    advice = textwrap.wrap(f"→ {printable(line.advice)}", width, break_on_hyphens=False)
    verdict = f"{line.verdict:<{_VERDICT_WIDTH}}"
    if columns and "NO_COLOR" not in os.environ:
        verdict = typer.style(verdict, fg=_COLOURS[line.verdict])
    yield f"{verdict} {line.check:<{_NAME_WIDTH}} {message[0]}"
    for more in (*message[1:], *(advice if line.advice else ())):
        yield indent + more
