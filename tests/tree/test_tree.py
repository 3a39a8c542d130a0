"""The tree: its rooms and their map, the size of files, functions and classes, and the tests."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "pipeline"
MAP = ROOT / "docs" / "packages.md"
MOST_AT_THE_TOP = 34
MOST_LINES = 320
MOST_LINES_OF_A_FUNCTION = 45
MOST_LINES_OF_NINE_IN_TEN = 20
MOST_LINES_OF_A_CLASS = 200
MOST_PUBLIC_METHODS = 15

# What mirrors no room: the promises of the documents, what many tests share, the tree itself, every
# command before hostile answers, and the programs of others that a suite of its own is held to.
OTHER_FOLDERS = {
    "story",
    "support",
    "tree",
    "hostile",
    "benchmarks",
    "deploy",
    "dist",
    "airflow",
    "training",
    "label_studio_server",
    "browser",
    "cluster",
    "tables",
    "prometheus",
    "mutants",
}

# What knows all settings beside `cli`, `launch` and `config`, and why it is not handed less.
KNOW_ALL_SETTINGS = {
    "run.py": "puts the stages together, and hands each its part",
    "jobs/rules.py": "reads four sections, and keeps none",
    "plan/forecast.py": "hands each part of a plan what it reads",
    "doctor/examination.py": "checks all settings, and hands each check what it reads",
    "iam/rights.py": "allows what a run with all its settings does",
    "label_studio/push_report.py": "carries what `push` was asked for",
    "label_studio/push.py": "hands each part of a push what it reads",
    "label_studio/series.py": "opens one project after the other as it was asked for",
    "monitoring/snapshot.py": "looks at a run, which has its settings",
    "monitoring/summary.py": "looks at a run, which has its settings",
}

Function = (ast.FunctionDef, ast.AsyncFunctionDef)

pytestmark = pytest.mark.xdist_group("tree")  # one process reads every file once


def files_below(*folders: str) -> list[Path]:
    return sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(kind: type | tuple[type, ...], *folders: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node of a kind in files below the folders, with its place as `path:line name`."""
    for path in files_below(*folders):
        for node in ast.walk(parsed(path)):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node  # type: ignore[attr-defined] # both kinds have them


def is_a_command(function: ast.AST) -> bool:
    """Whether the signature is a command's flags, one a line."""
    assert isinstance(function, Function)
    return any(
        "Annotated" in ast.dump(each) for each in function.args.kwonlyargs if each.annotation
    )


def lines(node: ast.AST) -> int:
    """Lines from the `def` or `class` to the last one; of a command, those of its body."""
    assert isinstance(node, (*Function, ast.ClassDef))
    flags = isinstance(node, Function) and is_a_command(node)
    return (node.end_lineno or 0) - (node.body[0].lineno if flags else node.lineno) + 1


def public_methods(node: ast.AST) -> int:
    assert isinstance(node, ast.ClassDef)
    methods = (each for each in node.body if isinstance(each, Function))
    return sum(not each.name.startswith("_") for each in methods)


def test_the_map_shows_every_room_and_file_at_the_top():
    """What stands directly under `pipeline/` is what the map in the docs lists, 34 at most."""
    at_the_top = {
        path.name + "/" * path.is_dir()
        for path in PACKAGE.iterdir()
        if path.name not in ("__init__.py", "__pycache__", "py.typed")
    }
    shown = set(re.findall(r"^\| `([\w./]+)` \|", MAP.read_text(encoding="utf-8"), re.MULTILINE))

    assert shown == at_the_top
    assert len(at_the_top) <= MOST_AT_THE_TOP


def test_every_room_says_what_it_holds_and_what_to_read_first():
    """The `__init__.py` of a package tells what is in it, what it imports, and where to begin."""
    silent = [
        room.parent.name
        for room in PACKAGE.glob("*/__init__.py")
        if not re.search(r"may import.*\bRead\b", ast.get_docstring(parsed(room)) or "", re.DOTALL)
    ]

    assert silent == []


def test_files_are_short():
    """No file of the product has more than 320 lines."""
    long = {
        str(path.relative_to(ROOT)): count
        for path in files_below("pipeline", "benchmarks", "tools")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }

    assert long == {}


def test_functions_and_classes_are_short():
    """A function has 45 lines at most and nine in ten have 20; a class 200, and 15 methods."""
    functions = {place: lines(node) for place, node in nodes(Function, "pipeline")}
    classes = dict(nodes(ast.ClassDef, "pipeline"))
    long = {place: n for place, n in functions.items() if n > MOST_LINES_OF_A_FUNCTION}
    long |= {
        place: n for place, node in classes.items() if (n := lines(node)) > MOST_LINES_OF_A_CLASS
    }
    wide = {
        place: count
        for place, node in classes.items()
        if (count := public_methods(node)) > MOST_PUBLIC_METHODS
    }

    assert long == {}
    assert wide == {}
    assert sorted(functions.values())[len(functions) * 9 // 10] <= MOST_LINES_OF_NINE_IN_TEN


def test_slices_of_the_settings_are_handed_and_not_all_of_them():
    """Beside who begins a command, few know `Config`: others get a section, or a value of one."""
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in files_below("pipeline")
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "launch", "config")
        and any(map(knows_all_settings, ast.walk(parsed(path))))
    }

    assert knowing - KNOW_ALL_SETTINGS.keys() == set(), "hand it the sections that it reads"
    assert KNOW_ALL_SETTINGS.keys() - knowing == set(), "it needs to be named here no longer"


def knows_all_settings(node: ast.AST) -> bool:
    """Whether it imports `Config`, or reaches through another object for it."""
    if isinstance(node, ast.ImportFrom):
        names = {each.name for each in node.names}
        return node.module == "pipeline.config.schema" and "Config" in names
    return isinstance(node, ast.Attribute) and node.attr == "config"


def test_every_python_file_is_linted():
    """The linter leaves out none by its name, as its defaults do with a folder named dist."""
    asked = [sys.executable, "-m", "ruff", "check", "--show-files", str(ROOT)]
    linted = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()

    assert set(map(str, files_below("pipeline", "tests", "tools", "benchmarks", "deploy"))) <= set(
        linted
    )


def test_every_test_is_a_sentence():
    """Every test has one line of docstring that begins with a capital and ends as a sentence."""
    without = [
        place
        for place, node in nodes(Function, "tests")
        if isinstance(node, Function)
        and node.name.startswith("test_")
        and not is_a_sentence(ast.get_docstring(node) or "")
    ]

    assert without == []


def is_a_sentence(text: str) -> bool:
    """Whether a text is one line that ends as a sentence does."""
    return text.endswith(".") and len(text.splitlines()) == 1 and not text[0].islower()


def test_tests_mirror_the_rooms_and_share_through_support():
    """A folder of tests is a room's, and no test file imports another: support holds the rest."""
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    of_a_test = re.compile(
        r"^from tests\.(?:\w+\.)*(?:test_\w+ import| import test_)", re.MULTILINE
    )
    importers = [
        str(path.relative_to(ROOT))
        for path in files_below("tests")
        if of_a_test.search(path.read_text(encoding="utf-8"))
    ]

    assert folders - rooms == OTHER_FOLDERS
    assert importers == []


def test_what_a_group_shares_is_made_in_one_process(request):
    """Where processes take tests by their groups, pytest and pytest-xdist agree on how."""
    by_groups = getattr(request.config.option, "loadgroup", False)

    assert request.node.nodeid.endswith("@tree") is by_groups
