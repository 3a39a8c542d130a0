"""Puts small faults into a copy of the product, one by one, and tells which ones no test finds.

    python -m tests.mutants [NAMES]

It ends with 1 when fewer than 95 in 100 are found, and with 2 when the tests fail without any.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.listed import ROOT, Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEAST_FOUND = 0.95
_SECONDS = 300.0  # a fault that makes a test wait for ever is found
_WHOLE = ("-m", "", "--hypothesis-profile", "full", "--timeout", "600")
_COPIED = ("pipeline", "tests", "docs", "deploy", "tools", "pyproject.toml", "README.md")


def main(names: Sequence[str]) -> int:
    """Try these mutants, all when none is named; return the exit code."""
    chosen = [each for each in mutants() if not names or each.name in names]
    if unknown := set(names) - {each.name for each in chosen}:
        sys.stderr.write(f"No such mutant: {', '.join(sorted(unknown))}\n")
        return 2
    tried = [each for each in chosen if not each.equivalent]
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder))
        all_tests = {test for each in tried for test in each.tests}
        if not tests_pass(tree, sorted(all_tests), None):
            sys.stderr.write("The tests fail without any mutant.\n")
            return 2
        found = sum(_is_found(tree, each) for each in tried)
    _say(f"{found} of {len(tried)} found, {len(chosen) - len(tried)} equivalent")
    return int(found < LEAST_FOUND * len(tried))


def copied(folder: Path) -> Path:
    """The tree without what is made of it, in a folder where it may be broken."""
    for name in _COPIED:
        source, copy = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    return folder


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _is_found(tree: Path, mutant: Mutant) -> bool:
    path = tree / mutant.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(mutant.applied_to(whole), encoding="utf-8")
    try:
        found = not tests_pass(tree, mutant.tests, _SECONDS)
    finally:
        path.write_text(whole, encoding="utf-8")
    _say(f"{'found' if found else 'LIVED'}  {mutant.name}: {mutant.breaks}")
    return found


def tests_pass(tree: Path, tests: Iterable[str], within: float | None) -> bool:
    """Whether these tests of a tree pass, `within` so many seconds where it is not None.

    Processes that they start are of that tree too.
    """
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *_WHOLE, *tests],
            cwd=tree,
            env=environment,
            stdout=subprocess.DEVNULL,
            timeout=within,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
