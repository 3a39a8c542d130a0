"""What is said to a person names the command as that person can call it."""

from __future__ import annotations

import sys

import pytest

from pipeline.terminal import as_called, program
from tests.conftest import COMMAND


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A command in a folder, which the PATH does not hold; called by its path."""
    path = tmp_path / "an environment" / "transcribe-pipeline"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(path), "run"])
    monkeypatch.setenv("PATH", str(tmp_path))
    return path


def test_a_command_that_the_path_does_not_find_is_named_by_its_path(command):
    """Who follows the advice of a command below `.venv` does not get "command not found"."""
    assert program() == f"'{command}'"
    assert as_called("Use `transcribe-pipeline retry`.") == f"Use `'{command}' retry`."


def test_what_a_command_advises_can_be_typed(run):
    """A refusal, and the next step of a run, name the command that was called."""
    run.use(PATH="/usr/bin:/bin")

    outcome = run("quality")

    assert f"`{COMMAND} pull` writes it" in outcome.err


def test_a_command_that_the_path_finds_is_named_by_its_name(command, monkeypatch):
    """What was called is what the name alone would call."""
    monkeypatch.setenv("PATH", str(command.parent))

    assert program() == "transcribe-pipeline"


def test_another_one_on_the_path_is_not_what_was_called(command, tmp_path):
    """The PATH may hold another installation, of another version."""
    other = tmp_path / "transcribe-pipeline"
    other.write_text("#!/bin/sh\n", encoding="utf-8")
    other.chmod(0o755)

    assert program() == f"'{command}'"


def test_a_program_of_another_name_is_no_command_of_ours(command, monkeypatch):
    """A test, or a program that imports the package, is told the usual name."""
    monkeypatch.setattr(sys, "argv", ["pytest"])

    assert program() == "transcribe-pipeline"
