"""The size of files and functions, and the sentence that every test holds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MOST_LINES = 320
MOST_LINES_OF_A_FUNCTION = 45

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files_below(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def functions(path: Path) -> list[Function]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def length(function: Function) -> int:
    """Lines of the body: a command's flags, one a line, are its signature."""
    return (function.end_lineno or 0) - function.body[0].lineno + 1


@pytest.mark.parametrize("path", files_below("pipeline") + files_below("benchmarks"), ids=name_of)
def test_files_and_functions_are_short(path):
    """No file has more than 320 lines, and no function has a body of more than 45."""
    too_long = [each.name for each in functions(path) if length(each) > MOST_LINES_OF_A_FUNCTION]

    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert too_long == []


@pytest.mark.parametrize("path", files_below("tests"), ids=name_of)
def test_every_test_is_a_sentence(path):
    """Every test has one line of docstring that begins with a capital and ends with a full stop."""
    without = [
        test.name
        for test in functions(path)
        if test.name.startswith("test_") and not is_a_sentence(ast.get_docstring(test) or "")
    ]

    assert without == []


def is_a_sentence(text: str) -> bool:
    """Whether a text is one line that ends as a sentence does."""
    return text.endswith(".") and len(text.splitlines()) == 1 and not text[0].islower()
