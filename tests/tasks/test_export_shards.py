"""Sealed parts for a storage that never reads a name twice."""

from __future__ import annotations

import stat
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import OutputUnusable
from pipeline.files import replacing
from pipeline.model import Line
from pipeline.tasks import export, export_shards
from pipeline.tasks.export_shards import write_shards
from tests.support.state_files import begun, output_at, running

if TYPE_CHECKING:
    from pathlib import Path


class Crash(Exception):
    """The process ends here."""


class GrowingOutput:
    """An output that grows, and its exports."""

    def __init__(self, folder: Path) -> None:
        self.tasks = folder / "tasks.jsonl"
        self.state = folder / "state"
        self.to = folder / "up"
        self.ledger = folder / "up.json"
        self.count = 0

    def add(self, *sizes: int) -> None:
        """Commit one line for each size."""
        with begun(self.state) as state:
            jobs = running(state, *(f"key {self.count + n}" for n in range(len(sizes))))
            with closing(output_at(self.tasks, state)) as output:
                numbered = enumerate(sizes, self.count)
                lines = [b'{"task": "%d%s"}\n' % (n, b"x" * size) for n, size in numbered]
                output.write([Line(job, line) for job, line in zip(jobs, lines, strict=True)])
        self.count += len(sizes)

    def export(self) -> list[Path]:
        """Seal what is new."""
        return list(write_shards(self.tasks, self.state, self.to))

    def names(self) -> list[str]:
        """What lies in the folder."""
        return sorted(path.name for path in self.to.iterdir())


@pytest.fixture(name="output")
def first_export(tmp_path):
    """Two tasks that are exported."""
    output = GrowingOutput(tmp_path)
    output.add(1, 2)
    output.export()
    return output


def test_a_second_export_adds_nothing(output):
    """Running twice over the same tasks makes no file and changes none."""
    before = {path.name: path.stat().st_mtime_ns for path in output.to.iterdir()}

    assert output.export() == []
    assert {path.name: path.stat().st_mtime_ns for path in output.to.iterdir()} == before


def test_what_is_new_is_in_a_new_part_alone(output):
    """The next part holds what was written since, and the first part is as it was."""
    [first] = output.to.iterdir()
    content = first.read_bytes()
    output.add(3)

    [second] = output.export()

    assert second != first
    assert first.read_bytes() == content
    assert content + second.read_bytes() == output.tasks.read_bytes()


def test_parts_that_were_moved_away_are_not_written_again(output):
    """Once in the bucket the parts may be deleted here; only what is new follows."""
    for path in output.to.iterdir():
        path.unlink()
    output.add(3)

    [part] = output.export()

    assert part.read_bytes().count(b"\n") == 1
    assert part.name.startswith("tasks-0002-")


def test_nothing_but_parts_lies_in_the_folder(output):
    """A ledger among the parts would be taken for a task when the folder is copied."""
    assert all(name.endswith(".jsonl") for name in output.names())
    assert output.ledger.exists()


def test_only_the_owner_may_read_parts_and_ledger(output):
    """Transcripts are private."""
    for path in (*output.to.iterdir(), output.ledger):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tasks_that_were_written_anew_are_refused(output):
    """After a rebuild the order is another one: to go on would export some tasks twice."""
    lines = output.tasks.read_bytes().splitlines(keepends=True)
    output.tasks.write_bytes(b"".join(reversed(lines)))

    with pytest.raises(OutputUnusable, match=r"is not what .* says was exported"):
        output.export()


def test_a_ledger_that_can_not_be_read_is_refused(output):
    """Without the ledger everything would be exported a second time, so it is no new beginning."""
    output.ledger.write_text("{")

    with pytest.raises(OutputUnusable, match="nobody knows which tasks were exported"):
        output.export()


def test_two_exports_at_once_are_refused(output):
    """The second of two exports into one folder seals nothing."""
    output.add(3)
    first = write_shards(output.tasks, output.state, output.to)
    next(first)

    with pytest.raises(OutputUnusable, match="Another export writes to"):
        output.export()
    assert list(first) == []


def test_a_folder_that_can_not_be_made_is_named(output):
    """A file in the place of the folder is refused with one sentence."""
    with pytest.raises(OutputUnusable, match="can't be written: "):
        list(write_shards(output.tasks, output.state, output.tasks))


@given(
    exports=st.lists(
        st.tuples(st.lists(st.integers(0, 60), max_size=6), st.integers(0, 9), st.booleans()),
        max_size=6,
    ),
    most_tasks=st.integers(1, 4),
)
def test_whatever_ends_an_export_each_task_is_in_one_part(
    tmp_path_factory, monkeypatch, exports, most_tasks
):
    """Crashes at any step and parts moved away: together the parts are the output, in order."""
    output = GrowingOutput(tmp_path_factory.mktemp("exports"))
    bucket: dict[str, bytes] = {}
    output.add(0)
    with monkeypatch.context() as patch:
        patch.setattr(export, "MOST_TASKS", most_tasks)
        for sizes, steps, moved in [*exports, ([], 99, True)]:
            if sizes:
                output.add(*sizes)
            with suppress(Crash), monkeypatch.context() as crash:
                end_after(steps, crash)
                output.export()
            if moved:
                upload(output.to, bucket)

    assert b"".join(bucket[name] for name in sorted(bucket)) == output.tasks.read_bytes()
    assert all(content.count(b"\n") <= most_tasks for content in bucket.values())


def upload(folder: Path, bucket: dict[str, bytes]) -> None:
    """Move the parts into a bucket that reads no name twice."""
    for path in folder.iterdir() if folder.exists() else ():
        assert path.name not in bucket
        bucket[path.name] = path.read_bytes()
        path.unlink()


def end_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crash before the step after so many: a file written aside, noted, or named."""
    left = steps

    def crashing(step):
        def take(*arguments):
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return step(*arguments)

        return take

    monkeypatch.setattr(export_shards, "_name", crashing(export_shards._name))
    monkeypatch.setattr(export_shards, "replacing", crashing(replacing))


def test_the_command_seals_what_is_new(run, cloud):
    """One command each time, and each recording is in one part."""
    service = cloud()
    service.add(one="first")
    run("run", "s3://audio/")
    first = run("export", "--format", "jsonl-parts")
    again = run("export", "--format", "jsonl-parts")
    service.add(two="second")
    run("run", "s3://audio/")

    second = run("export", "--format", "jsonl-parts")

    assert (again.code, again.out) == (0, "")
    assert "Nothing is new in tasks.jsonl" in again.err
    written = [run.folder / line for line in (first.out + second.out).splitlines()]
    assert len(written) == 2
    parts_together = b"".join(path.read_bytes() for path in written)
    assert parts_together == (run.folder / "tasks.jsonl").read_bytes()


def test_parts_are_not_sorted_by_score(run):
    """Asking for both at once is refused, as parts hold what is new."""
    outcome = run("export", "--format", "jsonl-parts", "--worst-first")

    assert outcome.code == 2
    assert "export with --format json" in outcome.err
