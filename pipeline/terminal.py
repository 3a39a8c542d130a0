"""What is said to a person on a terminal: errors, questions, and how far a command is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.errors import BadSettings
from pipeline.logs import ERROR, event, is_json
from pipeline.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LINE_SECONDS = 30.0
_PROGRAM = "transcribe-pipeline"

CANNOT_RUN = 2
"""The exit code of whatever can't run or can't go on."""


def program() -> str:
    """The command as the user can call it again, quoted for a shell.

    Its name alone is not found where an environment's command was called by its path.
    """
    called = sys.argv[0]
    if Path(called).name != _PROGRAM or not Path(called).exists():
        return _PROGRAM
    found = shutil.which(_PROGRAM)
    return _PROGRAM if found and Path(found).samefile(called) else shlex.quote(called)


def as_called(text: str) -> str:
    """A text whose advice names the command as the user can call it."""
    return text.replace(f"`{_PROGRAM} ", f"`{program()} ")


def say(error: str) -> None:
    """Say on stderr what went wrong: an event of the log, or lines under the program's name.

    Foreign words forge no line of either.
    """
    if is_json():
        event("error", ERROR, message=error)
        return
    for line in as_called(error).split("\n"):
        typer.echo(f"transcribe-pipeline: {printable(line)}", err=True)


answers: list[bytes] = []
"""What the command has answered so far, for whoever sees to it that it answers at all."""


def answer(line: bytes | str) -> None:
    """Print one line of JSON on stdout: what a program that asked for it reads."""
    content = line.encode() if isinstance(line, str) else line
    answers.append(content)
    typer.echo(content)


def confirm(question: str, undone: str, advice: str, *, yes: bool) -> None:
    """Ask before something is changed or paid for, unless that is settled.

    Raises:
        BadSettings: there is nobody to ask; `undone` says what was not done, and `advice` with
            which flag to agree.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadSettings(undone, advice)
    typer.confirm(question, abort=True, err=True)


class Style(StrEnum):
    """How progress is shown."""

    BAR = "bar"
    LINES = "lines"
    EVENTS = "events"
    QUIET = "quiet"


def style_for(*, quiet: bool) -> Style:
    """A bar where someone watches, lines where it goes to a log, events to one of JSON."""
    if quiet:
        return Style.QUIET
    if is_json():
        return Style.EVENTS
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Style.BAR if terminal else Style.LINES


@contextmanager
def counted(
    style: Style, total: int | None, what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Show how many of `total` are done; the body calls what it gets with the count so far.

    None is a total that nobody knows yet.
    """
    of_all = f" of {total:,} {what}" if total is not None else f" {what}"
    if style is Style.BAR:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            *(BarColumn(bar_width=16), TextColumn("{task.description}", markup=False)),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"0{of_all}", total=total)
            yield lambda done: progress.update(
                task, completed=done, description=f"{done:,}{of_all}"
            )
        return
    said = clock()

    def line(done: int) -> None:
        nonlocal said
        if style is Style.LINES and clock() - said >= _LINE_SECONDS:
            said = clock()
            sys.stderr.write(f"{done:,}{of_all}\n")

    yield line


def tell(style: Style, sentence: str) -> None:
    """Say something on stderr, above a bar, unless nothing is to be said."""
    if style is not Style.QUIET:
        sys.stderr.write(f"{as_called(sentence)}\n")
