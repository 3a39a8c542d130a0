"""The local lines of an output on S3: each leaves for one part, whoever seals first."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.shards import Shard
from pipeline.errors import OutputUnusable
from pipeline.model import Line
from pipeline.naming import job_name
from pipeline.s3_output.layout import Part
from pipeline.s3_output.open_part import OpenPart, identity_of
from pipeline.stages.output_file import OutputFile
from tests.support.state_files import TAG, begun, running

if TYPE_CHECKING:
    from pipeline.state.run_state import RunState


def line_of(job) -> Line:
    """The task of a job, in short."""
    return Line(job, orjson.dumps({"data": {"job_id": job.name}}) + b"\n")


def opened(folder: Path, state) -> OpenPart:
    return OpenPart(OutputFile(folder / "open.jsonl"), state, TAG)


def names_in(content: bytes) -> list[str]:
    """The jobs whose tasks some lines are."""
    return [orjson.loads(line)["data"]["job_id"] for line in content.splitlines()]


SHARD = Shard(0, 1)


@dataclass
class ShardFiles:
    """A shard's files, and what is to be true of them."""

    folder: Path
    sealed: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    def step(self, what: str, value: Any) -> None:
        """One run that does one thing, or that dies over its output."""
        with begun(self.folder / "state") as state, closing(opened(self.folder, state)) as part:
            getattr(self, what)(state, part, value)
            assert names_in(part.content()) == self.held
            count = len(self.sealed) + len(self.held)
            assert state.facts.output_lines == state.recordings.contents_written() == count
        if what == "killed":
            with begun(self.folder / "state") as state:
                state.output.begin()
            with (self.folder / "open.jsonl").open("ab") as file:
                file.write(b'{"data": {"job')

    def write(self, state: RunState, part: OpenPart, count: int) -> None:
        """Recordings are transcribed."""
        begin = len(self.sealed) + len(self.held)
        jobs = running(state, *(f"{n}.mp3" for n in range(begin, begin + count)))
        part.write([line_of(job) for job in jobs])
        self.held += [job.name for job in jobs]

    def seal(self, _: RunState, part: OpenPart, number: int) -> None:
        """The open part becomes a part."""
        self.sealed += names_in(part.content())
        part.sealed(Part(SHARD, number), "e", part.size)
        self.held = []

    def others(self, _: RunState, part: OpenPart, which: set[int]) -> None:
        """Another run has sealed some of them."""
        theirs = [name for n, name in enumerate(self.held) if n in which]
        part.written_by({Part(SHARD, 9): "e"}, set(map(identity, theirs)))
        self.sealed += theirs
        self.held = [name for name in self.held if name not in theirs]

    def killed(self, *_: object) -> None:
        """It dies."""


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(1, 4)),
            st.tuples(st.just("seal"), st.integers(0, 3)),
            st.tuples(st.just("others"), st.sets(st.integers(0, 20), max_size=6)),
            st.tuples(st.just("killed"), st.none()),
        ),
        max_size=12,
    )
)
def test_each_recording_is_in_one_part(steps):
    """Write, seal, be overtaken, be killed in any order: no line is lost or there twice."""
    with TemporaryDirectory() as folder:
        shard = ShardFiles(Path(folder))
        for what, value in steps:
            shard.step(what, value)
        assert len(shard.sealed) == len(set(shard.sealed))


def identity(name: str) -> bytes:
    """The identity in a job's name."""
    return identity_of(orjson.dumps({"data": {"job_id": name}}), TAG)


def test_what_is_more_than_a_part_may_have_becomes_two(tmp_path):
    """Cut where a line ends: each part is read as one answer. One line is never cut."""
    with begun(tmp_path / "state") as state, closing(opened(tmp_path, state)) as part:
        jobs = running(state, "a.mp3", "b.mp3", "c.mp3")
        lines = [line_of(job) for job in jobs]
        part.write(lines)
        first = part.content(len(lines[0].content) * 2 + 5)
        part.sealed(Part(SHARD, 0), "e", len(first))
        second = part.content(1)
        part.sealed(Part(SHARD, 1), "e", len(second))

        assert names_in(first) == [job.name for job in jobs[:2]]
        assert names_in(second) == [jobs[2].name]
        assert part.size == 0
        assert state.facts.output_lines == 3


def test_what_another_run_has_sealed_counts_as_written(tmp_path):
    """A recording of ours that is in another's part is written, also one that is not listed yet."""
    with begun(tmp_path / "state") as state, closing(opened(tmp_path, state)) as part:
        jobs = running(state, "a.mp3", "b.mp3")
        later = identity(job_name(TAG, bytes(16), 1))

        part.written_by({Part(SHARD, 0): "e"}, {jobs[0].identity, later})

        assert part.write([line_of(job) for job in jobs]) == 1
        assert names_in(part.content()) == [jobs[1].name]
        assert state.facts.output_lines == state.recordings.contents_written() == 3
        assert state.parts.known() == {"s0000-of-0001/00000000.jsonl": "e"}


def test_what_is_no_task_of_this_source_has_no_identity():
    """A part that anybody may have written never breaks a run."""
    other = orjson.dumps({"data": {"job_id": "somebody-elses-job"}})
    for line in (b"", b"no json", b"[]", b"{}", b'{"data": null}', b'{"data":{"job_id":7}}', other):
        assert identity_of(line, TAG) == b""


def test_a_missing_local_file_says_what_helps_here(tmp_path):
    """Its lines are in no part: the way on is a new state file, not a rebuilt output."""
    with begun(tmp_path / "state") as state, closing(opened(tmp_path, state)) as part:
        part.write([line_of(job) for job in running(state, "a.mp3")])
    (tmp_path / "open.jsonl").unlink()

    with begun(tmp_path / "state") as state, pytest.raises(OutputUnusable) as refused:
        opened(tmp_path, state)

    assert "--rebuild-state" in refused.value.advice
    assert "--rebuild-output" not in str(refused.value)
