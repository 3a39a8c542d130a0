"""No flag that names a file destroys what is in it: whatever the spelling, whoever wrote it."""

from __future__ import annotations

import pytest

from tests.conftest import SILENT

PRECIOUS = b'{"data":{"audio":"s3://calls/a.mp3"},"predictions":[]}\n'


@pytest.mark.parametrize(
    "flag",
    [
        ("--heartbeat-file", "x/../tasks.jsonl"),
        ("--heartbeat-file", "link"),
        ("--heartbeat-file", "work/tasks.jsonl.state"),
        ("--heartbeat-file", "mine.json"),
        ("--metrics-file", "mine.prom"),
        ("--state", "x/../tasks.jsonl"),
        ("--state", "mine.json"),
    ],
)
def test_a_run_replaces_no_file_but_its_own(run, recordings, flag):
    """Another spelling of its own file, a link to it and anyone's file are refused at once."""
    (run.folder / "link").symlink_to("tasks.jsonl")
    (run.folder / "work").symlink_to(run.folder)
    for name in ("mine.json", "mine.prom"):
        (run.folder / name).write_bytes(PRECIOUS)

    refused = run("run", recordings, *flag)

    assert refused.code == 2
    assert flag[1] in refused.err or "tasks.jsonl" in refused.err
    assert not (run.folder / "tasks.jsonl").exists()
    for name in ("mine.json", "mine.prom"):
        assert (run.folder / name).read_bytes() == PRECIOUS


def test_a_run_leaves_a_failures_file_that_is_not_its_own(run, recordings):
    """What somebody keeps under the name of the failures file is neither replaced nor deleted."""
    (run.folder / "tasks.failures.jsonl").write_bytes(PRECIOUS)

    good = run("run", recordings, "--include", SILENT)
    failing = run("run", recordings, "--include", "broken/*")

    assert (failing.code, good.code) == (1, 0)
    assert (run.folder / "tasks.failures.jsonl").read_bytes() == PRECIOUS
    assert "tasks.failures.jsonl holds something else already" in failing.err


@pytest.mark.parametrize("page", ["ground_truth.jsonl", "notes.html", "x/../ground_truth.jsonl"])
def test_a_page_replaces_pages_alone(run, page):
    """`quality --html` writes over a page of its own, and over nothing else."""
    line = b'{"source":"reviewed","audio":"s3://c/a.mp3","text":"a b","predicted":"a c"}\n'
    (run.folder / "ground_truth.jsonl").write_bytes(line)
    (run.folder / "notes.html").write_bytes(b"<!doctype html>my notes")
    run("quality", "--html", "page.html")

    refused = run("quality", "--html", page)
    again = run("quality", "--html", "page.html")

    assert (refused.code, again.code) == (2, 0), refused.err + again.err
    assert (run.folder / "ground_truth.jsonl").read_bytes() == line
    assert (run.folder / "notes.html").read_bytes() == b"<!doctype html>my notes"


def test_an_export_replaces_exports_alone(run, recordings):
    """A file of somebody's that has the name of an export is left, and told."""
    run("run", recordings, "--include", SILENT)
    folder = run.folder / "label-studio"
    folder.mkdir()
    (folder / "tasks-0001.json").write_bytes(b'[{"id": 1}]')

    refused = run("export")

    assert refused.code == 2
    assert (folder / "tasks-0001.json").read_bytes() == b'[{"id": 1}]'
