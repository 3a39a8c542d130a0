"""A command of the command line without a process of its own: a tenth of a second, not two."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from pipeline.cli.app import app
from tests.conftest import Outcome, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


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
