"""A command of the command line without a process of its own: two thirds of the CPU.

What a forked process touches is copied, which takes the other third.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from pipeline.cli import main
from pipeline.cli.app import app
from tests.conftest import Outcome, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

_COMMANDS_BETWEEN_COLLECTIONS = 32

_commands = 0


def called(arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> Outcome:
    """Call the whole of `main` in a folder and an environment: how it ended, and what it said."""
    global _commands  # noqa: PLW0603 # of the process, as what it counts is
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    with _as_if_begun(folder, environment, arguments), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    _commands += 1
    if not _commands % _COMMANDS_BETWEEN_COLLECTIONS:
        gc.unfreeze()  # each command freezes what the earlier ones have left
        gc.collect()
        gc.freeze()
    text = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return Outcome(code, *text)


@contextmanager
def _as_if_begun(
    folder: Path, environment: dict[str, str], arguments: tuple[str, ...]
) -> Iterator[None]:
    """This process as a new one with these arguments would find itself."""
    before, here, argv = dict(os.environ), os.getcwd(), sys.argv  # noqa: PTH109 # to come back
    handlers, often = list(logging.root.handlers), gc.get_threshold()
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["transcribe-pipeline", *arguments]
    try:
        yield
    finally:
        sys.argv, logging.root.handlers = argv, handlers
        logging.captureWarnings(capture=False)
        gc.set_threshold(*often)
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


class InProcess:
    """One command, in a new folder and an environment of its own."""

    def __init__(self, command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._command = command
        self._monkeypatch = monkeypatch
        folder.mkdir()
        monkeypatch.chdir(folder)
        for name in set(os.environ) - set(clean_environment()):
            monkeypatch.delenv(name)
        self.use(**clean_environment(AWS_EC2_METADATA_DISABLED="true"))

    def __call__(self, *arguments: str | Path) -> Outcome:
        """Run the command to its end."""
        ended = CliRunner().invoke(app, [self._command, *map(str, arguments)])
        return Outcome(ended.exit_code, ended.stdout, ended.stderr)

    def use(self, **environment: str) -> None:
        """Set environment variables for the commands that follow."""
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
