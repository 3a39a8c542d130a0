"""The console blocks of the documents, to be run and compared."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

NOT_RUN = {
    "make install": "the environment of the tests is what it makes",
    "make test": "these tests are what it runs",
    "make demo": "tests/story/test_demo.py runs what it runs, and compares it",
    "export": "the test sets the variable, to its own account or server",
}
"""What the blocks of README and tutorial have and no test types, each for its reason."""

_BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_ANYTHING = r"(?:.*\n)*?"
_VARYING = (
    (re.compile(r"arn:aws:iam::\d{12}|(?<=:)\d{12}(?=:)"), "ACCOUNT"),
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
        for line in block.splitlines():
            if line.startswith("$ "):
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
