"""What a run does not use costs it no time and no memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
import pipeline.cli.run, pipeline.run, pipeline.monitoring.summary
print(*(name for name in sys.modules if name.split(".")[:2] in {optional}))
"""


@pytest.mark.parametrize(
    "optional",
    [["pipeline", "events"], ["pipeline", "local"], ["pipeline", "report"], ["jinja2"], ["av"]],
    ids=".".join,
)
def test_a_run_loads_nothing_that_it_does_not_use(optional):
    """Without --events, a folder, a report or --max-cost, a run loads none of what they need."""
    program = LOADED.replace("{optional}", repr([optional]))
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert loaded.stdout.split() == []


def test_help_loads_no_templates():
    """Only a command that writes a page loads what pages are made with."""
    program = (
        "import sys; from pipeline.cli import main; sys.argv[1:] = ['--help']\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert b"report" in done.stdout
    assert not {b"jinja2", b"markupsafe"} & set(done.stderr.split())
