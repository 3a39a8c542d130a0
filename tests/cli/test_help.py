"""What a new user sees first."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from pipeline import __version__
from pipeline.cli.app import app


@pytest.mark.parametrize(
    "group", ["", "tasks", "vocabulary", "iam", "events", "config"], ids=lambda each: each or "all"
)
def test_every_command_is_listed_with_a_whole_sentence(group):
    """On a terminal of 80 columns no purpose is cut short."""
    shown = CliRunner().invoke(app, [*filter(None, [group]), "--help"], terminal_width=80).stdout
    purposes = shown.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()

    assert purposes
    assert [line for line in purposes if not line.endswith(".") or line.endswith("...")] == []


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_has_the_flags_that_people_try(flag):
    """Both print the same line."""
    assert CliRunner().invoke(app, [flag]).stdout == f"transcribe-pipeline {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runn"], "Did you mean 'run'?"),
        (["config", "shw"], "Did you mean 'show'?"),
        (["run", "--limt", "3", "s3://b/"], "--limit"),
        (["run"], "Missing argument 'SOURCE'."),
    ],
)
def test_what_is_mistyped_is_told_in_a_line_with_what_was_meant(words, said):
    """The usage, where help is, and one line that says what is wrong."""
    ended = CliRunner().invoke(app, words)

    usage, way, _, error = ended.stderr.splitlines()
    assert ended.exit_code == 2
    assert usage.startswith("Usage: transcribe-pipeline")
    assert way.startswith("Try 'transcribe-pipeline")
    assert said in error
