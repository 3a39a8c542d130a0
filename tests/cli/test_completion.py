"""Completion in the shells themselves: what typer installs, asked as a person who presses Tab.

Each of these starts the command itself several times, so what is installed is what is asked.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

BASH = """
eval "$(transcribe-pipeline --show-completion)"
COMP_WORDS=(transcribe-pipeline con) COMP_CWORD=1
_transcribe_pipeline_completion transcribe-pipeline
echo "${COMPREPLY[@]}"
COMP_WORDS=(transcribe-pipeline run --max-h) COMP_CWORD=2
_transcribe_pipeline_completion transcribe-pipeline
echo "${COMPREPLY[@]}"
COMP_WORDS=(transcribe-pipeline run one two --max-h) COMP_CWORD=4
_transcribe_pipeline_completion transcribe-pipeline 2>&1
echo "${COMPREPLY[@]}"
"""
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "autoload -U compinit; compinit -u -D; source {script}; echo rea''dy"
zpty -r shell seen '*ready*'
zpty -w -n shell $'transcribe-pipeline {words}\t'
zpty -r shell seen '*{wanted}*'
print -r -- $seen
zpty -d shell
"""
FISH = """
source {script}
complete --do-complete 'transcribe-pipeline {words}'
"""


@pytest.fixture
def environment(tmp_path):
    """A home of its own, and the command on the PATH."""
    return clean_environment(HOME=str(tmp_path), TERM="dumb")


def shell(name: str, text: str, environment: dict[str, str]) -> str:
    """What a shell prints; skipped where there is none."""
    if (program := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run(
        [program, "-c", text],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stdout


def installed(name: str, file: Path, environment: dict[str, str]) -> Path:
    """What `--install-completion` writes for the shell that it is called in."""
    said = shell(name, "transcribe-pipeline --install-completion; true", environment)

    assert "completion installed" in said
    assert "_TRANSCRIBE_PIPELINE_COMPLETE" in file.read_text(encoding="utf-8")
    return file


def test_bash_completes_commands_and_flags(environment):
    """Tab in bash gives the commands, and the flags of one, also behind an argument too many."""
    commands, flags, too_many = shell("bash", BASH, environment).splitlines()

    assert set(commands.split()) == {"config", "convert"}
    assert flags.split() == too_many.split() == ["--max-hours"]


def test_completion_is_installed_for_bash(tmp_path, environment):
    """`--install-completion` writes what bash reads when it starts."""
    installed("bash", tmp_path / ".bash_completions/transcribe-pipeline.sh", environment)


def test_zsh_completes_flags(tmp_path, environment):
    """Tab in zsh, in a terminal, puts in the flag that is meant, once completion is installed."""
    script = installed("zsh", tmp_path / ".zfunc/_transcribe-pipeline", environment)
    text = ZSH.format(script=script, words="run --max-h", wanted="--max-hours")

    assert "--max-hours" in shell("zsh", text, environment)


def test_fish_completes_commands(tmp_path, environment):
    """Tab in fish gives the commands with what they do, once completion is installed."""
    file = tmp_path / ".config/fish/completions/transcribe-pipeline.fish"
    script = installed("fish", file, environment)
    found = shell("fish", FISH.format(script=script, words="con"), environment)

    assert {line.split("\t")[0] for line in found.splitlines()} == {"config", "convert"}
