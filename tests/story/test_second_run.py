"""Whoever comes second changes nothing: not the state, not the output, not one byte of either."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

RESULTS = ("--results", "s3://audio/t/")


def inodes(folder):
    """Each file's inode by its name."""
    return {each.name: each.stat().st_ino for each in folder.iterdir()}


ATTEMPTS = ((), ("--rebuild-state",), ("--rebuild-output", "--state", "b"))


def test_a_second_run_is_refused_before_it_has_done_anything(run, cloud):
    """Beside a live run nothing is renamed or reset, though a tidy-up removed the lock file."""
    service = cloud("--seconds", "4")
    service.add(one="first", two="second")
    with run.start("run", "s3://audio/", *RESULTS) as first:
        while len(service.counts()["created"]) < 2:
            time.sleep(0.05)
        before = inodes(run.folder)

        refused = [run("run", "s3://audio/", *RESULTS, *each) for each in ATTEMPTS]
        (run.folder / "tasks.jsonl.state.lock").unlink()
        refused += [run("run", "s3://audio/", *RESULTS, *each) for each in ATTEMPTS]

        running = first.poll() is None
        after = inodes(run.folder)
        first.communicate(timeout=30)
    assert running
    assert [each.code for each in refused] == [2] * 6
    assert all("Another run" in each.err for each in refused)
    for name in ("tasks.jsonl", "tasks.jsonl.state"):
        assert after[name] == before[name]
    assert not [name for name in after if ".old" in name or ".damaged" in name]
    assert first.returncode == 0
    assert len(run.tasks()) == len(run.texts()) == 2


def test_the_state_file_that_is_set_aside_twice_is_kept_twice(run, cloud):
    """A second try, again without an account, leaves the first copy as it was."""
    cloud().add(one="first")
    run("run", "s3://audio/", *RESULTS)
    state = run.folder / "tasks.jsonl.state"
    state.write_bytes(b"the only copy")
    again = ("run", "s3://audio/", *RESULTS, "--rebuild-state", "--profile", "nobody")

    run(*again)
    run(*again)

    assert (run.folder / "tasks.jsonl.state.damaged").read_bytes() == b"the only copy"
    assert (run.folder / "tasks.jsonl.state.damaged.1").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change a device")
def test_a_device_named_as_the_state_file_keeps_its_mode(run, recordings):
    """`--state /dev/null` is refused, and the machine's devices stay as they are for everyone."""
    before = Path("/dev/null").stat().st_mode

    refused = run("run", recordings, "--state", "/dev/null")

    assert refused.code == 2
    assert "is no ordinary file" in refused.err
    assert Path("/dev/null").stat().st_mode == before
