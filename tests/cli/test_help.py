"""What a new user sees first."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from pipeline import __version__
from pipeline.cli.app import app
from pipeline.cli.ending import run_to_its_end


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
        (["search", "money", "back"], "'back' is an argument too many. Put quotes around what has"),
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "x", "--task", "segmnts"), "'segmnts' is not one of 'transcript', 'segments'."),
        (("serve", "x", "--port", "70000"), "Invalid value for '--port': write 65535 or less."),
        (("status", "--watch", "0"), "Invalid value for 'SECONDS': write 0.1 or more."),
        (("status", "--watch", "x"), "Invalid value for 'SECONDS': write a number."),
        (("plan", "x", "--sample", "1.5"), "Invalid value for '--sample': write a whole number."),
        (("push", "--audit", "abc"), "--audit abc: write a number, 0 to 1."),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(words, said, capfd):
    """What to write instead, and nothing of the library that read it."""
    assert run_to_its_end(words) == 2
    assert capfd.readouterr().err.splitlines()[-1].endswith(said)


def help_of(*command: str) -> str:
    """The help of a command on a terminal of 80 columns."""
    return CliRunner().invoke(app, [*command, "--help"], terminal_width=80).stdout


def test_the_flags_of_a_command_stand_in_the_sections_of_the_settings():
    """A command's own flags come first; the others where the settings file has them."""
    shown = help_of("run")

    titles = [line for line in shown.splitlines() if line and line[0] != " "]
    own = shown.partition("\nOptions:\n")[2].partition("\n\n")[0]
    budget = shown.partition("\nBudget:\n")[2].partition("\n\n")[0]
    assert titles[0] == "Usage: transcribe-pipeline run [OPTIONS] SOURCE"
    assert titles[1:3] == ["Arguments:", "Options:"]
    assert {"AWS:", "Budget:", "Limits:", "Monitoring:", "Output:"} < set(titles)
    assert "--json" in own
    assert "--max-cost" not in own
    assert all(flag in budget for flag in ("--limit", "--until", "--max-hours", "--max-cost"))


def test_what_a_help_text_says_of_values_is_plain():
    """Bounds are words, choices are named, and what may be left out stands in brackets."""
    assert "[default: 50; 0 or more]" in help_of("compare")
    assert "[0.1 to 3600]" in help_of("status")
    assert "[OPTIONS] [SECONDS]" in help_of("status")
    assert "nemo, srt, vtt" in help_of("convert")
    assert "--format json|jsonl-parts" in help_of("export")
    assert "[default: False]" not in help_of("push")
