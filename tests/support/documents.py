"""The console blocks of the documents, to be run and compared."""

from __future__ import annotations

import re
import shlex
import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

NOT_RUN = {
    "make install": "the environment of the tests is what it makes",
    "make test": "these tests are what it runs",
    "make demo": "tests/story/test_demo.py runs what it runs, and compares it",
    "export": "the test sets the variable, to its own account or server",
    "$EDITOR": "a person reads the table",
    "aws s3 mv": "it is the AWS CLI's, and needs an account",
    "python3 -m venv /opt": "it needs root; tests/deploy holds the unit to systemd's own checks",
    "/opt/transcribe-pipeline/bin/pip": "as above; tests/dist installs the wheel",
    "install -": "as above",
    "systemctl": "as above",
    "docker build": "it needs Docker; tests/deploy has the image's rules",
    "sbatch": "it needs a cluster; tests/deploy runs the script's tasks",
    "kubectl": "it needs a cluster; tests/deploy holds the objects to Kubernetes' schemas",
    "pip install 'transcribe-pipeline[ray]'": "tests/dist installs the wheel",
    "pip install 'transcribe-pipeline[tables]'": "as above",
    "transcribe-pipeline run --engine ray": "it needs a cluster; tests/cluster has one",
    "transcribe-pipeline plan --exact --engine ray": "it needs a cluster; tests/cluster has one",
    "transcribe-pipeline tasks rebuild --engine ray": "it needs a cluster; tests/cluster has one",
    "transcribe-pipeline quality --engine ray": "it needs a cluster; tests/cluster has one",
    "RAY_ADDRESS=": "it needs a cluster; tests/deploy runs what it submits",
    "aws cloudformation": "it needs an account; tests/deploy deploys the template to an emulator",
    "aws batch": "as above",
}
"""What the blocks of README, tutorial and how-to pages have and no test types, with the reason."""

_BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_ANYTHING = r"(?:.*\n)*?"
_VARYING = (
    (re.compile(r"arn:aws:iam::\d{12}|(?<=[: ])\d{12}(?=:)"), "ACCOUNT"),
    (re.compile(r"eu-central-1|us-east-1"), "REGION"),
    (re.compile(r"(?<=Key:  in )\S+"), "FILE;"),
    (re.compile(r"(?<=Done in )\d+ s"), "SECONDS"),
    (re.compile(r"https?://\S+/projects/\d+"), "PROJECT"),
    (re.compile(r"(?<=New project )\d+"), "NUMBER"),
)


class Typed(NamedTuple):
    """A command of a page, its words, and what the page shows below it."""

    line: str
    words: list[str]
    shown: str

    @property
    def is_run(self) -> bool:
        """Whether a test types it."""
        return not any(self.line.startswith(each) for each in NOT_RUN)


def typed(page: Path) -> list[Typed]:
    """The commands of a page in their order."""
    commands: list[tuple[str, list[str]]] = []
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in textwrap.dedent(block).replace("\\\n", "").splitlines():
            if line.startswith(("$ ", "# ")):  # a prompt, and that of root
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return [
        Typed(line, shlex.split(line, comments=True), "".join(f"{each}\n" for each in shown))
        for line, shown in commands
    ]


def is_what_is_shown(shown: str, printed: str) -> bool:
    """Whether a command printed what its page shows; a line `…` stands for any lines.

    Accounts, regions, seconds, projects and the place of credentials are those of the reader.
    """
    lines = [_ANYTHING if line == "…" else f"{re.escape(line)}\n" for line in _same(shown)]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in _same(printed))) is not None


def _same(text: str) -> list[str]:
    for varying, word in _VARYING:
        text = varying.sub(word, text)
    return text.rstrip("\n").splitlines()
