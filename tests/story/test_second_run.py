"""Whoever comes second changes nothing: not the state, not the output, not one byte of either."""

from __future__ import annotations

import os
from threading import Event

from tests.conftest import endpoint
from tests.support.between import between

RESULTS = ("--results", "s3://audio/t/")


def inodes(folder):
    """Each file's inode by its name."""
    return {each.name: each.stat().st_ino for each in folder.iterdir()}


ATTEMPTS = ((), ("--rebuild-state",), ("--rebuild-output", "--state", "b"))


def test_a_second_run_is_refused_before_it_has_done_anything(run, cloud):
    """Beside a live run nothing is renamed or reset, though a tidy-up removed the lock file."""
    service = cloud()
    service.add(one="first", two="second")
    asked, goes_on = Event(), Event()

    def reply(request):
        if request.operation == "ListTranscriptionJobs":
            asked.set()
            goes_on.wait(50)
        return request.forward()

    with between(service, reply) as url:
        run.use(**endpoint(url))
        with run.start("run", "s3://audio/", *RESULTS) as first:
            assert asked.wait(20)
            before = inodes(run.folder)

            refused = [run("run", "s3://audio/", *RESULTS, *each) for each in ATTEMPTS]
            (run.folder / "tasks.jsonl.state.lock").unlink()
            refused += [run("run", "s3://audio/", *RESULTS, *each) for each in ATTEMPTS]

            after = inodes(run.folder)
            goes_on.set()
            first.communicate(timeout=30)
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


def test_what_is_no_file_is_no_state_file(run, recordings):
    """A device or a pipe named with --state is refused; it keeps its mode, and nothing is left."""
    pipe = run.folder / "pipe"
    os.mkfifo(pipe, 0o640)

    refused = run("run", recordings, "--state", "pipe")

    assert refused.code == 2
    assert "is no ordinary file" in refused.err
    assert pipe.stat().st_mode & 0o777 == 0o640
    assert list(run.folder.iterdir()) == [pipe]
