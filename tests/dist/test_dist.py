"""The wheel as who installs it gets it: in an empty environment, outside of the tree."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pipeline import __version__
from tests.conftest import COMMAND, RECORDINGS, ROOT, Outcome, clean_environment, endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

PYTHON = os.environ.get("DIST_PYTHON") or sys.executable
NEWEST = bool(os.environ.get("DIST_NEWEST"))
WHEEL = ROOT / "dist" / f"transcribe_pipeline-{__version__}-py3-none-any.whl"
SPOKEN = sorted(RECORDINGS.rglob("*.wav"))[:2]
IMPORT_ALL = """
import importlib, pkgutil, pipeline
for each in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
    try:
        importlib.import_module(each.name)
    except ModuleNotFoundError as error:
        print(each.name, error.name)
"""


@dataclass
class Installed:
    """An environment with the wheel in it, and a folder to work in."""

    environment: Path
    folder: Path

    def __call__(self, *arguments: str, **environment: str) -> Outcome:
        """Run the installed command to its end."""
        return self.start("transcribe-pipeline", *arguments, **environment)

    def start(self, program: str, *arguments: str, **environment: str) -> Outcome:
        """Run a program of the environment to its end."""
        ended = subprocess.run(
            [self.environment / "bin" / program, *arguments],
            check=False,
            cwd=self.folder,
            env=clean_environment(COLUMNS="96", **environment),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr)


def install(folder: Path, extra: str = "") -> Path:
    """A new environment that holds the wheel, what it needs, and nothing of the tests."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet")
    pins = () if NEWEST else ("--constraint", ROOT / "constraints.txt")
    wheels = ("--only-binary", ":all:", f"{WHEEL}{extra}")
    subprocess.run([*pip, *pins, *wheels], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without any extra."""
    return install(tmp_path_factory.mktemp("core"))


@pytest.fixture
def installed(core: Path, tmp_path: Path) -> Installed:
    """The command without any extra, in an empty folder."""
    return Installed(core, tmp_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a command that finds recordings in `s3://calls/`, as on AWS."""
    folder = tmp_path_factory.mktemp("served") / "calls"
    folder.mkdir()
    for path in SPOKEN:
        shutil.copy(path, folder)
    keys = endpoint("")
    with subprocess.Popen(
        [COMMAND, "serve", folder, "--keys-from-env"],
        env=clean_environment(**keys),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield endpoint(process.stdout.readline().split()[-1])
        process.terminate()


def test_it_says_its_help_and_its_version(installed):
    """The first two commands of a stranger work at once."""
    assert installed("--version").out == f"transcribe-pipeline {__version__}\n"
    assert "transcribe-pipeline [OPTIONS] COMMAND" in installed("--help").out


def test_it_brings_its_settings_file(installed):
    """What `config example` prints is the repository's file."""
    path = ROOT / "pipeline/config/config.example.toml"

    assert installed("config", "example").out == path.read_text(encoding="utf-8")


def test_only_rooms_of_an_extra_need_one(installed):
    """Whatever else is imported is there: recogniser, error rates, grids and tables are not."""
    told = installed.start("python", "-c", IMPORT_ALL).out
    lacking = dict(line.split() for line in told.splitlines())

    assert set(lacking.values()) == {"pocketsphinx", "jiwer", "praatio", "pyarrow"}
    assert {name for name, lacks in lacking.items() if lacks == "pocketsphinx"} == {
        "pipeline.local.speech"
    }
    error_rates = {name for name, lacks in lacking.items() if lacks == "jiwer"}
    assert {name.split(".")[1] for name in error_rates} == {"quality"}
    assert {name.rpartition(".")[2] for name, lacks in lacking.items() if lacks == "pyarrow"} == {
        "tables",
        "transcript_tables",
    }


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (("serve", "."), "pocketsphinx", "local"),
        (("run", "."), "pocketsphinx", "local"),
        (("plan", "."), "pocketsphinx", "local"),
        (("quality",), "jiwer", "review"),
        (("vocabulary", "build"), "jiwer", "review"),
        (("convert", "textgrid"), "praatio", "review"),
    ],
)
def test_a_command_whose_extra_is_missing_says_what_installs_it(
    installed, arguments, module, extra
):
    """One sentence names the package and the line, the exit code is 2, and nothing is left."""
    outcome = installed(*arguments)

    assert outcome.code == 2
    assert outcome.err == (
        f"transcribe-pipeline: This needs the package {module}, which comes with the extra "
        f"'{extra}'. Install it with: {installed.environment}/bin/python -m pip install "
        f"'transcribe-pipeline[{extra}]'\n"
    )
    assert list(installed.folder.iterdir()) == []


def test_a_bucket_is_planned_transcribed_and_reported(installed, served):
    """What works on AWS works without any extra: plan, a run with a budget of money, the rest."""
    planned = installed("plan", "s3://calls/", **served)
    ran = installed("run", "s3://calls/", "--max-cost", "5", "--json", **served)

    assert (planned.code, planned.err) == (0, "")
    assert (ran.code, ran.counts["written"]) == (0, len(SPOKEN))
    for command in (("status",), ("report",), ("export", "--to", "arrays"), ("clean", "--help")):
        assert installed(*command, **served).code == 0, command


def test_a_folder_is_transcribed_with_the_extra(tmp_path):
    """With `local`, a folder of recordings needs no account and nothing else."""
    if "3.14" in subprocess.check_output([PYTHON, "--version"], text=True):
        pytest.skip("PocketSphinx has no wheel for Python 3.14")
    local = Installed(install(tmp_path / "environment", "[local]"), tmp_path / "work")
    (local.folder / "calls").mkdir(parents=True)
    shutil.copy(SPOKEN[0], local.folder / "calls")

    outcome = local("run", "calls", "--json")

    assert (outcome.code, outcome.counts["written"]) == (0, 1)


def test_the_wheel_says_what_a_package_index_shows():
    """Name, licence, Pythons, a README whose links lead somewhere, and that it has types."""
    with zipfile.ZipFile(WHEEL) as wheel:
        names = wheel.namelist()
        [path] = [name for name in names if name.endswith(".dist-info/METADATA")]
        facts = email.message_from_bytes(wheel.read(path))

    assert facts["License-Expression"] == "MIT"
    assert "Programming Language :: Python :: 3.14" in facts.get_all("Classifier", [])
    assert "](docs/" not in facts.get_payload()
    assert "pipeline/py.typed" in names
    assert not any(name.startswith(("tests/", "tools/")) for name in names)
