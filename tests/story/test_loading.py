"""What a run does not use costs it no time and no memory."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys
import pipeline.cli.run, pipeline.run, pipeline.monitoring.summary
print(*sys.modules)
"""


def test_a_run_loads_nothing_that_it_does_not_use():
    """Without --events, a folder, a report or --max-cost, a run loads none of what they need."""
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)

    names = {".".join(name.split(".")[:2]) for name in loaded.stdout.decode().split()}
    assert "pipeline.run" in names
    for optional in ("pipeline.events", "pipeline.local", "pipeline.report", "jinja2", "av"):
        assert optional not in names


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
