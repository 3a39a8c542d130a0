"""The workflows call what is there: the Makefile's targets, the Dockerfile, the Pythons we name."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
CI, RELEASE = "ci.yml", "release.yml"


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return found


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def test_every_target_that_is_called_is_in_the_makefile():
    """A workflow does what a developer does, by the same names."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "".join((WORKFLOWS / name).read_text(encoding="utf-8") for name in (CI, RELEASE))
    called = set(re.findall(r"(?:run: make|target:) ([a-z][\w-]*)", text))

    assert called >= {"check", "demo", "test", "test-dist", "test-prometheus"}
    assert {name for name in called if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_every_python_that_the_package_names_is_tried():
    """The wheel is installed and used on each Python of the classifiers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))

    assert workflow(CI)["jobs"]["installs"]["strategy"]["matrix"]["python"] == named


@pytest.mark.parametrize("name", [CI, RELEASE])
def test_a_workflow_may_do_no_more_than_it_needs(name):
    """Reading is all that holds for a whole workflow; no secret but GitHub's own is named."""
    text = (WORKFLOWS / name).read_text(encoding="utf-8")

    assert workflow(name)["permissions"] == {"contents": "read"}
    assert set(re.findall(r"secrets\.(\w+)", text)) <= {"GITHUB_TOKEN"}
    checkouts = [step for step in steps(name) if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_a_release_is_of_this_repository():
    """The image is built from our Dockerfile, and names come from where the workflow runs."""
    [build] = [step for step in steps(RELEASE) if "build-push" in step.get("uses", "")]
    jobs = workflow(RELEASE)["jobs"]

    assert (ROOT / build["with"]["file"]).is_file()
    assert build["with"]["sbom"] is True
    assert jobs["build"]["env"]["REPOSITORY_URL"] == (
        "${{ github.server_url }}/${{ github.repository }}"
    )
    assert jobs["pypi"]["permissions"] == {"id-token": "write"}
