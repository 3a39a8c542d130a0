"""Completion in the shells themselves: what typer installs, asked as a person who presses Tab."""

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
COMP_WORDS=(transcribe-pipeline {words}) COMP_CWORD={at}
_transcribe_pipeline_completion transcribe-pipeline
printf '%s\\n' "${{COMPREPLY[@]}}"
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


def script_for(name: str, folder: Path, environment: dict[str, str]) -> Path:
    """The file that completes in a shell, printed for the shell that asks."""
    path = folder / f"completion.{name}"
    shell(name, f"transcribe-pipeline --show-completion > {path}; true", environment)
    return path


@pytest.mark.parametrize(
    ("words", "wanted"), [("con", {"config", "convert"}), ("run --max-h", {"--max-hours"})]
)
def test_bash_completes_commands_and_flags(environment, words, wanted):
    """Tab in bash gives the commands, and the flags of one."""
    text = BASH.format(words=words, at=len(words.split()))

    assert set(shell("bash", text, environment).split()) == wanted


def test_zsh_completes_flags(tmp_path, environment):
    """Tab in zsh, in a terminal, puts in the flag that is meant."""
    script = script_for("zsh", tmp_path, environment)
    text = ZSH.format(script=script, words="run --max-h", wanted="--max-hours")

    assert "--max-hours" in shell("zsh", text, environment)


def test_fish_completes_commands(tmp_path, environment):
    """Tab in fish gives the commands with what they do."""
    script = script_for("fish", tmp_path, environment)
    found = shell("fish", FISH.format(script=script, words="con"), environment)

    assert {line.split("\t")[0] for line in found.splitlines()} == {"config", "convert"}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bash", ".bash_completions/transcribe-pipeline.sh"),
        ("zsh", ".zfunc/_transcribe-pipeline"),
        ("fish", ".config/fish/completions/transcribe-pipeline.fish"),
    ],
)
def test_completion_is_installed_for_a_shell(tmp_path, environment, name, file):
    """`--install-completion` writes what the shell that it is called in reads when it starts."""
    said = shell(name, "transcribe-pipeline --install-completion; true", environment)

    assert "completion installed" in said
    assert "_TRANSCRIBE_PIPELINE_COMPLETE" in (tmp_path / file).read_text(encoding="utf-8")
