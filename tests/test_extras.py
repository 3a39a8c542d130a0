"""Packages that only some commands need, and the line that installs them."""

from __future__ import annotations

import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pipeline.errors import MissingExtra
from pipeline.extras import EXTRAS, extras_named, install_line, missing_extra, require
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("left", "line"),
    [
        ("uv-receipt.toml", "uv tool install --force 'transcribe-pipeline[local,review]'"),
        ("pipx_metadata.json", "pipx install --force 'transcribe-pipeline[local,review]'"),
        ("pyvenv.cfg", f"{sys.executable} -m pip install 'transcribe-pipeline[local,review]'"),
    ],
)
def test_the_line_is_for_what_installed_the_command(tmp_path, left, line):
    """Tools leave a file in the environment that they make for a command; else it is pip's."""
    (tmp_path / left).touch()

    assert install_line(tmp_path, {"review", "local"}) == line


def test_an_extra_that_is_there_already_stays_in_the_line(monkeypatch):
    """Tools such as uv make the environment anew: what the line leaves out would be gone."""
    monkeypatch.setitem(EXTRAS, "review", ("no_such_module",))
    for other in ("ray", "tables"):
        monkeypatch.setitem(EXTRAS, other, ("no_such_module_either",))

    error = missing_extra("no_such_module")

    assert error.problem == (
        "This needs the package no_such_module, which comes with the extra 'review'"
    )
    assert error.advice.endswith("'transcribe-pipeline[local,review]'")


def test_an_extra_that_is_missing_stops_before_anything_begins(monkeypatch):
    """Whether a package is there is known without importing it."""
    monkeypatch.setitem(EXTRAS, "local", ("no_such_module",))

    with pytest.raises(MissingExtra, match="no_such_module"):
        require("local")
    require("review")


def test_what_is_installed_is_what_the_tests_ran_with():
    """Who installs the command gets the newest allowed, so no major version that nobody tried."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==([^;\s]+)", lines, re.MULTILINE))
    pinned = {canonicalize_name(name): Version(version) for name, version in pins.items()}

    for text in (*project["dependencies"], *(each for extra in EXTRAS for each in extras[extra])):
        needed = Requirement(text)
        tried = pinned[canonicalize_name(needed.name)]
        assert tried in needed.specifier, text
        assert Version(f"{tried.major + 1}") not in needed.specifier, text


def test_the_extras_are_those_of_the_package():
    """What the program offers to install can be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    for extra, modules in EXTRAS.items():
        assert len(project["optional-dependencies"][extra]) == len(modules)


def test_a_module_that_is_of_no_extra_is_a_fault_of_the_program():
    """Only what an extra holds is said to be missing; anything else is a defect, and shown."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extras_named():
        raise ModuleNotFoundError("no_such_module", name="no_such_module")
