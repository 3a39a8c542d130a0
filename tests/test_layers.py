"""Imports point one way, and each foreign library has one door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = (
    ("cli",),
    ("summary", "report", "doctor", "watching", "metrics", "plan"),
    ("run",),
    ("producer", "starters", "poller", "listener", "collector", "writer"),
    (
        *(
            "asking",
            "aws_errors",
            "aws",
            "aws_service",
            "presign",
            "s3",
            "s3_answers",
            "http",
            "manifest",
            "inventory",
            "listing",
            "content",
            "results",
            "files",
            *("state_reading", "state_writing", "state_history", "state_figures", "history"),
            "failed",
            "sources",
            *("lengths", "looking", "partial", "purse"),
            "state",
            "state_cleaning",
            "cleaning",
            "board",
            "brakes",
            "figures",
            "tasks",
            "transcript",
            *("event_queue", "eventing"),
        ),
        *("progress", "exporting", "parts", "iam", "label_studio"),
        "vocabularies",
    ),
    ("state_file", "logs"),
    (
        *("text", "html_page"),
        "proxies",
        "vocabulary",
        "charsets",
        "resolving",
        "limits",
        "naming",
        "budget",
        "globs",
        *("job_options", "job_checks"),
        "durations",
        "failures",
        "config",
        "model",
        "errors",
        *("labeling", "document", "segments", "prices"),
        *("events", "event_plan"),
    ),
)
"""From the top down; a part imports from its own layer and those below."""

STAGES = LAYERS[3]
PARTS = {part: depth for depth, layer in enumerate(LAYERS) for part in layer}

# The line of a task is what the collector hands to the writer; its class stands where it is made.
BETWEEN_STAGES = {("writer", "pipeline.stages.collector", "Line")}

DOORS = {
    "sqlite3": {
        f"pipeline/{name}.py" for name in ("state", "state_file", "state_reading", "state_writing")
    },
    "botocore": {"pipeline/aws.py", "pipeline/aws_errors.py"},
    "aioboto3": {"pipeline/aws.py"},
    "aiobotocore": {"pipeline/aws.py"},
    "tenacity": {"pipeline/brakes.py"},
}


def modules() -> list[Path]:
    """The package's own modules; the local endpoint is a program of its own."""
    return [path for path in sorted((ROOT / "pipeline").rglob("*.py")) if "local" not in path.parts]


def imports(path: Path) -> set[tuple[str, str]]:
    """Every (module, name) that a file imports, wherever it does and for types only as well."""
    found: set[tuple[str, str]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found |= {(node.module or "", alias.name) for alias in node.names}
    return found


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to, as LAYERS names it."""
    return path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")


def parts_imported(path: Path) -> set[tuple[str, str, str]]:
    """Every (part, module, name) of this package that a file imports."""
    found = set()
    for module, name in imports(path):
        full = f"{module}.{name}" if module == "pipeline" else module
        if full.startswith("pipeline."):
            found.add((full.split(".")[1], full, name))
    return found


def checked() -> list[Path]:
    return [path for path in modules() if part_of(path) != "__init__"]


def test_every_module_has_a_layer():
    """A new module is given its place in LAYERS before it is used."""
    assert {part_of(path) for path in checked()} <= set(PARTS)


@pytest.mark.parametrize("path", checked(), ids=lambda path: path.stem)
def test_imports_point_downwards(path):
    """No part imports from a layer above its own."""
    upwards = {
        full
        for part, full, _ in parts_imported(path)
        if part in PARTS and PARTS[part] < PARTS[part_of(path)]
    }

    assert upwards == set()


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_know_each_other(stage):
    """A stage hands on through a queue or the state file, and imports no other stage."""
    others = {
        (stage, full, name)
        for part, full, name in parts_imported(ROOT / "pipeline" / f"{stage}.py")
        if part in STAGES and part != stage
    }

    assert others <= BETWEEN_STAGES


@pytest.mark.parametrize("path", checked(), ids=lambda path: path.stem)
def test_only_the_command_line_knows_the_local_cloud(path):
    """The pipeline knows an endpoint's URL, and not that it may be our own."""
    assert part_of(path) == "cli" or "local" not in {part for part, _, _ in parts_imported(path)}


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_has_one_door(library):
    """SQL, AWS and retries are each in one file; nobody else imports their libraries."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipeline").rglob("*.py")
        if any(module.split(".")[0] == library for module, _ in imports(path))
    }

    assert users <= DOORS[library]


def test_the_lowest_layer_knows_no_network_and_no_files():
    """What is called pure imports nothing that waits: no asyncio, HTTP, SQL or processes."""
    waiting = {"asyncio", "aiohttp", "sqlite3", "subprocess", "socket", "threading", "time"}

    found = {
        (name, module)
        for name in (*LAYERS[-1], "tasks", "transcript")
        for module, _ in imports(ROOT / "pipeline" / f"{name}.py")
        if module.split(".")[0] in waiting
    }

    assert found == set()
