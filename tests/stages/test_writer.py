"""The output: whole lines, each once, cut to what is committed."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputUnusable, StateUnusable
from pipeline.model import Line
from pipeline.net.bounds import HELD_LINES
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.output_file import Output, OutputFile
from pipeline.stages.writer import LineQueue, forget_output, write
from pipeline.state.reader import read_state
from tests.support.owned_time import in_owned_time
from tests.support.state_files import begun, listed, output_at, running

# Starts 300 recordings, writes 100 short lines and then 200 long ones where only 1 MB may be.
FULL_DISK = """
import resource, sys
from pathlib import Path
from pipeline.model import Line
from pipeline.errors import OutputUnusable
from pipeline.stages.output_file import OutputFile
from tests.support.state_files import begun, output_at, running

folder = Path(sys.argv[1])
with begun(folder / "state") as state:
    jobs = running(state, *(f"{n}.mp3" for n in range(300)))
    output = output_at(folder / "tasks.jsonl", state)
    output.write([Line(job, b"{}\\n") for job in jobs[:100]])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        output.write([Line(job, b"[" + b" " * 9999 + b"]\\n") for job in jobs[100:]])
    except OutputUnusable as error:
        print(error)
    size = (folder / "tasks.jsonl").stat().st_size
    print(size, *state.recordings.counts(), state.facts.output_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    output.close()
"""


@pytest.fixture(name="folder")
def folder_of_the_run(tmp_path):
    return tmp_path


def line(number: int) -> bytes:
    """The line of one task."""
    return b'{"task": %d}\n' % number


def write_lines(folder: Path, *numbers: int) -> int:
    """One run that writes these lines and ends; return how many were wanted."""
    with begun(folder / "state") as state:
        jobs = running(state, *(f"{n}.mp3" for n in numbers))
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            return output.write([Line(j, line(n)) for j, n in zip(jobs, numbers, strict=True)])


def reopen(folder: Path) -> bytes:
    """What the output holds once the next run has opened it."""
    with (
        begun(folder / "state") as state,
        closing(output_at(folder / "tasks.jsonl", state)),
    ):
        return (folder / "tasks.jsonl").read_bytes()


def killed_with(folder: Path, left: bytes) -> None:
    """A run that had begun to write dies, and these bytes of it are in the output."""
    with (
        begun(folder / "state") as state,
        closing(output_at(folder / "tasks.jsonl", state)) as output,
    ):
        output.write([])
        for name in ("tasks.jsonl", "state", "state-wal"):
            shutil.copy(folder / name, folder / f"{name} as it was")
    for name in ("tasks.jsonl", "state", "state-wal"):
        (folder / f"{name} as it was").replace(folder / name)
    with (folder / "tasks.jsonl").open("ab") as file:
        file.write(left)


def committed(folder: Path) -> int:
    """The committed size of the output."""
    with read_state(folder / "state") as state:
        return state.facts.output_size


def test_lines_are_written_in_their_order(folder):
    """The output is the lines as they came, and nothing between them."""
    wanted = write_lines(folder, 3, 1, 2)

    content = (folder / "tasks.jsonl").read_bytes()
    assert (wanted, content) == (3, line(3) + line(1) + line(2))
    assert committed(folder) == len(content)


def test_the_next_run_appends(folder):
    """Lines of a second run follow those of the first."""
    write_lines(folder, 1, 2)

    write_lines(folder, 3)

    assert (folder / "tasks.jsonl").read_bytes() == line(1) + line(2) + line(3)


@given(st.lists(st.integers(1, 30), max_size=4), st.binary(max_size=50), st.booleans())
def test_a_crash_after_the_last_commit_leaves_the_committed_lines(
    tmp_path_factory, batches, garbage, partial
):
    """Whatever bytes a dying run left behind, the next one opens exactly the committed lines."""
    folder = tmp_path_factory.mktemp("run")
    for begin, size in enumerate(batches):
        write_lines(folder, *range(begin * 100, begin * 100 + size))
    before = reopen(folder)
    killed_with(folder, line(999)[: len(garbage)] if partial else garbage)

    after = reopen(folder)

    assert before == after
    assert len(after.splitlines()) == sum(batches)


@given(st.integers(0, 3 * len(line(100))))
def test_a_crash_inside_a_checkpoint_leaves_the_committed_lines(tmp_path_factory, arrived):
    """A run that dies between the write and the commit, at any byte, has written nothing."""
    folder = tmp_path_factory.mktemp("run")
    write_lines(folder, 1, 2)
    with begun(folder / "state") as state:
        lines = [Line(job, line(100)) for job in running(state, "a", "b", "c")]
        output = output_at(folder / "tasks.jsonl", state)
        output.write([])
        with closing(output), suppress(ZeroDivisionError), state.output.checkpoint():
            output.write(lines)
            os.truncate(folder / "tasks.jsonl", 2 * len(line(1)) + arrived)
            raise ZeroDivisionError

    assert reopen(folder) == line(1) + line(2)


def test_a_commit_that_failed_leaves_no_second_copy(folder):
    """Lines whose commit failed are written over by the next checkpoint of the same run."""
    with begun(folder / "state") as state:
        jobs = running(state, "a", "b")
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            output.write([])
            with suppress(ZeroDivisionError), state.output.checkpoint():
                output.write([Line(jobs[0], line(1))])
                raise ZeroDivisionError
            output.write([Line(jobs[1], line(22))])

    assert (folder / "tasks.jsonl").read_bytes() == line(22)
    assert committed(folder) == len(line(22))


@pytest.mark.parametrize("left", [0, 1, -1])
def test_a_shortened_output_is_refused(folder, left):
    """An output that lacks committed bytes is not written to, and stays as it is."""
    write_lines(folder, 1, 2)
    path = folder / "tasks.jsonl"
    os.truncate(path, left if left >= 0 else path.stat().st_size - 1)
    before = path.read_bytes()

    with pytest.raises(OutputUnusable, match="someone changed or replaced it"):
        reopen(folder)

    assert before == path.read_bytes()


def test_an_output_that_is_shortened_during_the_run_is_refused(folder):
    """Lines are not written behind a hole: the run stops where its file was taken away."""
    with begun(folder / "state") as state:
        jobs = running(state, "a", "b")
        output = output_at(folder / "tasks.jsonl", state)
        output.write([Line(jobs[0], line(1))])
        os.truncate(folder / "tasks.jsonl", 3)

        with pytest.raises(OutputUnusable, match="shortened"):
            output.write([Line(jobs[1], line(2))])
        with pytest.raises(OutputUnusable, match="shortened"):
            output.close()

        assert state.recordings.counts().written == 1


def test_an_output_that_is_replaced_during_the_run_is_refused(folder):
    """Lines are not written to a file that nobody can see any more."""
    with begun(folder / "state") as state:
        jobs = running(state, "a", "b")
        output = output_at(folder / "tasks.jsonl", state)
        output.write([Line(jobs[0], line(1))])
        (folder / "tasks.jsonl").rename(folder / "moved.jsonl")

        with pytest.raises(OutputUnusable, match="was moved or removed just now"):
            output.write([Line(jobs[1], line(2))])
        with pytest.raises(OutputUnusable):
            output.close()

    assert (folder / "moved.jsonl").read_bytes() == line(1)


def test_two_runs_do_not_write_to_one_output(folder):
    """Also with two state files an output has one writer at a time."""
    path = folder / "tasks.jsonl"
    with begun(folder / "state") as one, begun(folder / "other state") as other:
        with (
            closing(output_at(path, one)),
            pytest.raises(OutputUnusable, match="Another run writes"),
        ):
            output_at(path, other)

        output_at(path, other).close()


def test_a_missing_output_is_refused(folder):
    """A file that was written and is gone is not silently begun anew."""
    write_lines(folder, 1)
    (folder / "tasks.jsonl").unlink()

    with pytest.raises(OutputUnusable, match=r"tasks\.jsonl is missing\. Put it back"):
        reopen(folder)


def test_a_file_that_this_state_knows_nothing_of_is_not_overwritten(folder):
    """A file that exists before the first run is left as it is."""
    (folder / "tasks.jsonl").write_text("precious\n")

    with pytest.raises(OutputUnusable, match="exists already"):
        reopen(folder)

    assert (folder / "tasks.jsonl").read_text() == "precious\n"


def test_a_state_goes_with_one_output(folder):
    """Lines of one state file are never spread over two outputs."""
    write_lines(folder, 1)

    with begun(folder / "state") as state, pytest.raises(StateUnusable, match=r"tasks\.jsonl"):
        output_at(folder / "others.jsonl", state)

    assert not (folder / "others.jsonl").exists()


def test_state_and_output_can_be_moved_together(tmp_path):
    """The output is known by its place beside the state file, not by its absolute path."""
    (tmp_path / "old").mkdir()
    write_lines(tmp_path / "old", 1)

    moved = (tmp_path / "old").rename(tmp_path / "new")

    assert reopen(moved) == line(1)


def test_an_output_that_was_renamed_is_followed(folder):
    """Where the file that was written is gone and the named one is what it held, it goes on."""
    write_lines(folder, 1)
    (folder / "tasks.jsonl").rename(folder / "others.jsonl")

    with (
        begun(folder / "state") as state,
        closing(output_at(folder / "others.jsonl", state)),
    ):
        assert state.facts.value("output") == "others.jsonl"


@pytest.mark.parametrize("old", [b"1", b"task", b"}"])
def test_an_output_that_was_edited_is_refused(folder, old):
    """A file of the right size whose end is not what was written is somebody else's."""
    write_lines(folder, 1, 2)
    path = folder / "tasks.jsonl"
    path.write_bytes(path.read_bytes().replace(old, b"x" * len(old)))
    before = path.read_bytes()

    with pytest.raises(OutputUnusable, match="not what was written: someone changed"):
        reopen(folder)

    assert before == path.read_bytes()


def test_the_end_is_that_of_all_checkpoints(folder):
    """What several checkpoints of one run wrote is known to the next one."""
    with begun(folder / "state") as state:
        jobs = running(state, "a", "b", "c")
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            for number, job in enumerate(jobs):
                output.write([Line(job, line(number))])

    assert reopen(folder) == line(0) + line(1) + line(2)


def test_the_end_of_a_long_output_is_checked(folder):
    """The last 4 kB are compared, over the borders of checkpoints and of runs."""
    for first in range(0, 2_000, 100):
        write_lines(folder, *range(first, first + 100))
    path = folder / "tasks.jsonl"
    content = path.read_bytes()
    assert reopen(folder) == content

    path.write_bytes(content[:-4_000] + b"x" + content[-3_999:])

    with pytest.raises(OutputUnusable, match="not what was written"):
        reopen(folder)


def test_lines_that_somebody_added_are_not_cut_off(folder):
    """After a run that ended, what stands behind its lines is somebody's, and is refused."""
    write_lines(folder, 1)
    with (folder / "tasks.jsonl").open("ab") as file:
        file.write(b"mine\n")

    with pytest.raises(OutputUnusable, match="has 17 bytes, but 12 were written"):
        reopen(folder)

    assert (folder / "tasks.jsonl").read_bytes() == line(1) + b"mine\n"


@pytest.mark.parametrize("results_exist", [True, False])
def test_an_output_that_is_forgotten_is_put_aside(folder, results_exist):
    """Rebuilding begins a new file; the old one stays beside it, and every task is pending."""
    write_lines(folder, 1, 2)
    with begun(folder / "state") as state:
        forget_output(OutputFile(folder / "tasks.jsonl"), state, results_exist=results_exist)

        assert state.recordings.counts().pending == 2
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            jobs = state.claim(9)
            assert len(jobs) == 2 * results_exist
            output.write([])

    assert (folder / "tasks.jsonl").read_bytes() == b""
    assert (folder / "tasks.jsonl.old").read_bytes() == line(1) + line(2)


def test_an_output_that_is_gone_can_be_forgotten(folder):
    """Rebuilding needs no old file: that is what it is for."""
    write_lines(folder, 1)
    (folder / "tasks.jsonl").unlink()

    with begun(folder / "state") as state:
        forget_output(OutputFile(folder / "tasks.jsonl"), state, results_exist=True)
        output_at(folder / "tasks.jsonl", state).close()

    assert (folder / "tasks.jsonl").read_bytes() == b""


def test_a_line_whose_recording_changed_meanwhile_is_dropped(folder):
    """The task of an old content is not written; its new content will have its own."""
    with begun(folder / "state") as state:
        jobs = running(state, "a", "b")
    with begun(folder / "state") as state:
        listed(state, "a", etag="2")
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            wanted = output.write([Line(jobs[0], line(1)), Line(jobs[1], line(2))])

        assert (wanted, state.recordings.counts().written, state.recordings.counts().pending) == (
            1,
            1,
            1,
        )

    assert (folder / "tasks.jsonl").read_bytes() == line(2)


def test_a_full_disk_loses_nothing(tmp_path):
    """Where the file can't grow the run says so, the file is cut back, the state is unchanged."""
    root = Path(__file__).parent.parent.parent

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )

    said, figures = done.stdout.splitlines()
    assert said.startswith(f"The output {tmp_path}/tasks.jsonl can't be written: File too large.")
    assert said.endswith("Make space and run the same command again; it goes on where it stopped.")
    assert figures == "300 0 200 100 0 300"
    assert reopen(tmp_path) == b"{}\n" * 100


def test_a_folder_is_no_output(folder):
    """A folder named as the output is refused with one sentence."""
    (folder / "tasks.jsonl").mkdir()

    with pytest.raises(OutputUnusable, match="can't be written: Is a directory"):
        reopen(folder)


def test_only_the_owner_may_read_the_tasks(folder):
    """Transcripts are private: the output has the mode 0600, also if it was opened wider."""
    write_lines(folder, 1)
    (folder / "tasks.jsonl").chmod(0o644)

    reopen(folder)

    assert stat.S_IMODE((folder / "tasks.jsonl").stat().st_mode) == 0o600


def written_by_the_stage(folder: Path, count: int, seconds: float) -> tuple[int, int]:
    """Put lines into the stage's queue, cancel it later: lines counted, and in the file."""

    async def stage(tracker: JobTracker, output: Output, lines: list[Line]) -> None:
        queue: asyncio.Queue[Line] = asyncio.Queue()
        for each in lines:
            queue.put_nowait(each)
        task = asyncio.create_task(write(output, queue, tracker))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with begun(folder / "state") as state:
        jobs = running(state, *(f"{n}.mp3" for n in range(count)))
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            tracker = JobTracker(state, 9)
            in_owned_time(stage(tracker, output, [Line(job, line(1)) for job in jobs]))
    return tracker.counters.written, len((folder / "tasks.jsonl").read_bytes().splitlines())


def test_lines_that_come_with_the_end_are_written(folder):
    """Lines that reach the queue in the moment of the cancellation are not left in it."""

    async def ending(tracker: JobTracker, output: Output, lines: list[Line]) -> None:
        queue: asyncio.Queue[Line] = asyncio.Queue()
        task = asyncio.create_task(write(output, queue, tracker))
        await asyncio.sleep(1)
        for each in lines:
            queue.put_nowait(each)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with begun(folder / "state") as state:
        lines = [Line(job, line(1)) for job in running(state, "a", "b", "c")]
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            in_owned_time(ending(JobTracker(state, 9), output, lines))

    assert (folder / "tasks.jsonl").read_bytes() == line(1) * 3


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5, 9.0])
@pytest.mark.parametrize("count", [0, 1, 499, 500, 1203])
def test_a_cancelled_writer_writes_what_it_has(folder, count, seconds):
    """Whenever the stage is cancelled, every line it was given is written once and counted."""
    assert written_by_the_stage(folder, count, seconds) == (count, count)


def test_a_file_that_somebody_put_in_place_of_an_unwritten_output_stays(folder):
    """A run that was killed before its first line claims nothing that came there since."""
    with begun(folder / "state") as state:
        state.output.bind("tasks.jsonl")
    (folder / "tasks.jsonl").write_bytes(b"mine\n")

    with pytest.raises(OutputUnusable, match="exists already"):
        reopen(folder)

    assert (folder / "tasks.jsonl").read_bytes() == b"mine\n"


def test_an_output_that_another_run_writes_is_not_put_aside(folder):
    """A second state file that is to rebuild the output leaves it to the run that holds it."""
    path = folder / "tasks.jsonl"
    write_lines(folder, 1)
    with (
        begun(folder / "state") as one,
        begun(folder / "other state") as other,
        closing(output_at(path, one)),
        pytest.raises(OutputUnusable, match="Another run writes"),
    ):
        forget_output(OutputFile(path), other, results_exist=True)

    assert [each.name for each in folder.glob("tasks*")] == ["tasks.jsonl"]


def test_what_was_put_aside_is_kept_the_next_time(folder):
    """Old outputs are numbered, and a link among them that leads nowhere is not replaced either."""
    path = folder / "tasks.jsonl"
    path.write_bytes(b"first")
    OutputFile(path).set_aside()
    (folder / "tasks.jsonl.old.1").symlink_to("nowhere")
    path.write_bytes(b"second")

    OutputFile(path).set_aside()

    assert (folder / "tasks.jsonl.old").read_bytes() == b"first"
    assert (folder / "tasks.jsonl.old.1").is_symlink()
    assert (folder / "tasks.jsonl.old.2").read_bytes() == b"second"


def test_tasks_are_on_the_disk_before_they_are_committed(folder, monkeypatch):
    """After a power cut no committed line is missing: the file is synced first, then the state."""
    on_disk = []

    def fsync(handle):
        on_disk.append((os.fstat(handle).st_size, committed(folder)))

    monkeypatch.setattr(os, "fsync", fsync)
    write_lines(folder, 1, 2)

    size = len(line(1) + line(2))
    assert (on_disk, committed(folder)) == ([(size, 0)], size)


def test_few_long_lines_wait_for_the_writer(folder):
    """Lines on their way are bounded by their bytes too: one that is too long waits alone."""

    async def stage(lines: list[Line]) -> list[int]:
        queue, held = LineQueue(), []
        putting = [asyncio.create_task(queue.put(each)) for each in lines]
        for _ in lines:
            await asyncio.sleep(0)
            held.append(queue.held)
            await queue.get()
        await asyncio.gather(*putting)
        return [*held, queue.held]

    with begun(folder / "state") as state:
        jobs = running(state, "a", "b", "c", "d")
        sizes = (HELD_LINES + 5, 7, HELD_LINES - 7, 1)
        lines = [Line(job, bytes(size)) for job, size in zip(jobs, sizes, strict=True)]

        assert asyncio.run(stage(lines)) == [HELD_LINES + 5, 7, HELD_LINES - 7, 1, 0]


def test_long_lines_are_committed_at_once(folder):
    """A checkpoint does not wait for a second where its lines take much memory."""

    async def stage(tracker: JobTracker, output: Output, lines: list[Line]) -> int:
        queue = LineQueue()
        task = asyncio.create_task(write(output, queue, tracker))
        for each in lines:
            await queue.put(each)
        await asyncio.sleep(0.1)
        written = tracker.counters.written
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return written

    with begun(folder / "state") as state:
        jobs = running(state, "a", "b", "c")
        lines = [Line(job, b" " * (HELD_LINES // 2) + b"\n") for job in jobs]
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            assert in_owned_time(stage(JobTracker(state, 9), output, lines)) == 2


def test_a_line_is_committed_within_a_second(folder):
    """However few come, a run that is killed loses a second of them at most."""

    async def stage(tracker: JobTracker, output: Output, one: Line) -> int:
        queue: asyncio.Queue[Line] = asyncio.Queue()
        queue.put_nowait(one)
        task = asyncio.create_task(write(output, queue, tracker))
        await asyncio.sleep(1.1)
        written = tracker.counters.written
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return written

    with begun(folder / "state") as state:
        [job] = running(state, "a.mp3")
        with closing(output_at(folder / "tasks.jsonl", state)) as output:
            assert in_owned_time(stage(JobTracker(state, 9), output, Line(job, line(1)))) == 1
