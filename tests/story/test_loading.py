"""What a run does not use costs it no time and no memory."""

from __future__ import annotations

import subprocess
import sys

from pipeline.model import Segment, Transcript, Word
from pipeline.state.search_index import index_path, open_index
from pipeline.transcripts.searchable import searchable
from tests.support.state_files import begun, written

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


def test_a_search_on_this_machine_loads_no_other_command_and_no_network(tmp_path):
    """A search that its index answers asks nobody, so it does not wait for what would."""
    path = tmp_path / "tasks.jsonl.state"
    words = (Word("order", 0, 0.4), Word("number", 0.5, 1))
    said = Segment("order number", 0, 1, "spk_0", words=words)
    with begun(path) as state, open_index(index_path(path)) as index:
        written(state, "calls/1.mp3")
        for page in state.recordings.written():
            index.put([(job, *searchable(Transcript("job", "", (said,)))) for job in page])
        index.complete(state.recordings.written_mark())
    program = (
        f"import sys; from pipeline.cli import main; sys.argv[1:] = {['search', 'order number']}\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True
    )

    assert b"calls/1.mp3" in done.stdout
    loaded = set(done.stderr.decode().split())
    assert not {"aioboto3", "aiobotocore", "aiohttp", "boto3", "botocore", "urllib3"} & loaded
    assert not {"asyncio", "tenacity"} & loaded
    assert "pipeline.cli.search" in loaded
    assert not {f"pipeline.cli.{name}" for name in ("run", "check", "iam", "compare")} & loaded
