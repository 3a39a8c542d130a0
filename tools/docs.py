"""The parts of the documents that the program prints.

python -m tools.docs    # prints them into README.md and docs/
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from subprocess import PIPE
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from pipeline.cli.ending import command_line
from pipeline.model import TaskKind
from pipeline.tasks.labeling_config import labeling_config
from tests.conftest import COMMAND, ROOT, clean_environment
from tests.hostile.table import CALLS, COLUMNS, NEVER, USUAL, cell
from tests.support.fork_server import Forked
from tests.support.hostile_answers import Wire
from tools import reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = ROOT / "README.md"
DOCS = ROOT / "docs"
SURVIVED = DOCS / "what-it-survives.md"


def _names(command: Any, above: str = "") -> Iterator[str]:
    """The command, or those of a group, as they are called."""
    if not hasattr(command, "commands"):
        yield above.strip()
        return
    for name in command.commands:
        yield from _names(command.get_command(None, name), f"{above} {name}")


COMMANDS = sorted(_names(command_line()))
_BLOCK = re.compile(
    r"^( *)(<!-- ((?:help|config): [\w -]+|demo) -->\n *```\w+\n)(.*?)( *```\n)",
    re.DOTALL | re.MULTILINE,
)
_TABLE = re.compile(
    r"^(<!-- (printed: [\w -]+) -->\n\n)(.*?)(\n<!-- end -->\n)", re.DOTALL | re.MULTILINE
)


def help_text(command: str) -> str:
    """What `transcribe-pipeline COMMAND --help` prints on a terminal of 96 columns."""
    how: dict[str, Any] = {"cwd": ROOT, "env": clean_environment(COLUMNS="96")}
    with Forked([COMMAND, *command.split(), "--help"], stdout=PIPE, text=True, **how) as process:
        text, _ = process.communicate()
    assert not process.returncode
    return text


def pages() -> list[Path]:
    """The README and every page below docs/."""
    return [README, *sorted(DOCS.rglob("*.md"))]


def blocks() -> dict[str, str]:
    """The printed blocks of all pages by what they show."""
    return {
        match[3]: dedent(match[4])
        for page in pages()
        for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    }


def tables(helps: dict[str, str]) -> dict[str, str]:
    """The printed tables of the reference, by what they show."""
    return {
        "printed: commands": reference.commands(helps),
        "printed: exit codes": reference.exit_codes(helps),
        "printed: settings": reference.settings(helps),
        "printed: errors": reference.error_classes(),
        "printed: handled errors": reference.handled_classes(),
        "printed: failures": reference.failure_reasons(),
    }


def shown_tables() -> dict[str, str]:
    """The same as the pages have them."""
    return {
        match[2]: match[3]
        for page in pages()
        for match in _TABLE.finditer(page.read_text(encoding="utf-8"))
    }


def demo() -> str:
    """What `make demo` says, without what pip and make print."""
    shutil.rmtree(ROOT / "demo", ignore_errors=True)
    finished = subprocess.run(
        ["make", "--silent", "demo"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "96"},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout
    text = finished[finished.index("Done in") :]
    return text.replace(f"{ROOT}/", "…/")


def _filled(block: re.Match[str], text: str) -> str:
    return f"{block[1]}{block[2]}{indent(text.rstrip(), block[1])}\n{block[5]}"


def answers() -> str:
    """The table of what each command does before each hostile answer."""
    lines = [_row("command", "call", *COLUMNS), _row(*["---"] * (2 + len(COLUMNS)))]
    for command, kinds in CALLS.items():
        for kind in kinds:
            cells = (cell(command, kind, answer) for answer in COLUMNS)
            lines.append(
                _row(f"`{command}`", kind, *(each.text if each else NEVER for each in cells))
            )
    return "\n".join(lines)


def sentences() -> str:
    """What is said of each answer, by the service that is said to give it."""
    lines = [_row("answer", *_SERVICES.values()), _row(*["---"] * (1 + len(_SERVICES)))]
    for answer in COLUMNS:
        cells = [USUAL[wire].get(answer) for wire in _SERVICES]
        lines.append(_row(answer, *(_said(each.says) if each else NEVER for each in cells)))
    return "\n".join(lines)


_SERVICES = {Wire.S3: "S3", Wire.JSON: "Transcribe, SQS, EventBridge", Wire.LABELS: "Label Studio"}


def _said(texts: tuple[str, ...]) -> str:
    named = (text.format(place="PLACE", action="ACTION") for text in texts)
    return "; ".join(f"“{each}”" for each in named) or "nothing: it goes on"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def survived(page: str) -> str:
    """The page with its tables as they are now."""
    for name, made in (("answers", answers()), ("sentences", sentences())):
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->\n)", re.DOTALL)
        page = block.sub(lambda match, made=made: f"{match[1]}{made}\n{match[2]}", page)  # type: ignore[misc] # a default binds it
    return page


def main() -> None:
    """Print help texts, tables, labeling configurations and the demo into their pages."""
    SURVIVED.write_text(survived(SURVIVED.read_text(encoding="utf-8")), encoding="utf-8")
    helps = {name: help_text(name) for name in COMMANDS}
    Forked.end_server()
    fresh = {f"help: {name}": text for name, text in helps.items()}
    fresh |= {f"config: {kind}": labeling_config(kind) for kind in TaskKind}
    fresh["demo"] = demo()
    fresh_tables = tables(helps)
    for page in pages():
        text = page.read_text(encoding="utf-8")
        filled = _BLOCK.sub(lambda match: _filled(match, fresh[match[3]]), text)
        filled = _TABLE.sub(lambda match: match[1] + fresh_tables[match[2]] + match[4], filled)
        if filled != text:
            page.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
