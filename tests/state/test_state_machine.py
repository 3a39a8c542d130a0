"""State file and output under anything that can happen to them, compared with a simple model."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, closing, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.model import Job, Line, Recording
from pipeline.naming import identity
from pipeline.stages.output_file import OutputFile
from pipeline.stages.writer import forget_output
from pipeline.state.schema import Status
from tests.support.state_files import TAG, begun, by_hand, output_at

KEYS = ("a.mp3", "a/a.mp3", "b\n.mp3", "ü.mp3")
ETAGS = ("1", "2", "3")
REASONS = ("too long", "refused")

keys = st.sampled_from(KEYS)
pages = st.dictionaries(keys, st.sampled_from(ETAGS), min_size=1)
picks = st.lists(st.integers(0, 7), min_size=1, max_size=4)
garbage = st.sampled_from([b"", b"x", b'{"data": ', b"a whole line\n", b"\x00" * 5000])

STATE_FILES = ("state", "state-wal")


class Killed(Exception):
    """The process is gone."""


@dataclass
class Row:
    """What the state file should say of a recording."""

    etag: str
    order: int
    status: Status = Status.PENDING
    attempt: int = 1
    found: int = 0
    seen: bool = True
    reason: str | None = None


Model = tuple[dict[str, Row], dict[bytes, int], list[bytes], set[bytes]]


def identity_of(key: str, etag: str) -> bytes:
    return identity("calls", Recording(key, etag, 7), "")


def line_of(job: Job) -> bytes:
    """The line of one content of one recording."""
    return f"{job.recording.key!r} {job.recording.etag}\n".encode()


class Runs(RuleBasedStateMachine):
    """A run after another over one source, with what the stages do in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="runs-"))
        self.places = 0
        self.rows: dict[str, Row] = {}
        self.results: dict[bytes, int] = {}
        self.superseded: set[bytes] = set()
        self.lines: list[bytes] = []
        self.names: dict[str, tuple[str, str]] = {}
        self.hand: list[Job] = []
        self.growing = False
        self.run = ExitStack()
        self.earlier: tuple[Path, Model] | None = None

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.run.close()
        shutil.rmtree(self.top)

    @initialize(known=st.dictionaries(st.tuples(keys, st.sampled_from(ETAGS)), st.integers(1, 2)))
    def first_run(self, known: dict[tuple[str, str], int]) -> None:
        """There is neither a state file nor an output yet, but some results there may be."""
        self.place = self.top / "0"
        self._open()
        for (key, etag), attempt in known.items():
            self.find_a_result(key, etag, attempt)

    def _open(self, *, rebuild: bool = False, results_exist: bool = True) -> None:
        """The beginning of a run: what was only claimed is pending, what was started is in hand."""
        enter = self.run.enter_context
        self.state = enter(begun(self.place / "state"))
        if rebuild:
            forget_output(OutputFile(self.place / "out"), self.state, results_exist=results_exist)
        self.output = enter(closing(output_at(self.place / "out", self.state)))
        self.growing = False
        for row in self.rows.values():
            row.seen = False
            if row.status is Status.STARTING:
                row.status = Status.PENDING
        if rebuild:
            self._forget(results_exist=results_exist)
            self.earlier = None  # the output that went with it stands aside
        self.hand = [job for job, _ in self.state.recordings.in_flight()]
        running = {key for key, row in self.rows.items() if row.status is Status.STARTED}
        assert running == {job.recording.key for job in self.hand}
        assert (self.place / "out").read_bytes() == b"".join(self.lines)

    def _forget(self, *, results_exist: bool) -> None:
        self.lines.clear()
        self.superseded.clear()
        for row in self.rows.values():
            if row.status is Status.WRITTEN:
                row.status, row.found = Status.PENDING, row.attempt * results_exist

    def _chosen(self, picked: list[int]) -> list[Job]:
        """Some of the jobs in hand, each once."""
        return [self.hand[n] for n in dict.fromkeys(pick % len(self.hand) for pick in picked)]

    def _row(self, job: Job) -> Row | None:
        """The row that a job is of; None when its content has changed since."""
        row = self.rows[job.recording.key]
        return row if row.etag == job.recording.etag else None

    # The producer

    @rule(page=pages)
    def list_a_page(self, page: dict[str, str]) -> None:
        """New and changed recordings are pending; known ones are touched where work is left."""
        entries = [(Recording(key, etag, 7), identity_of(key, etag)) for key, etag in page.items()]
        touched = self.state.add(entries)
        assert touched == sum(self._listed(key, etag) for key, etag in page.items())

    def _listed(self, key: str, etag: str) -> bool:
        """Whether the model's row is touched: new, changed, or neither seen nor written."""
        found = self.results.get(identity_of(key, etag), 0)
        row = self.rows.get(key)
        if row is None:
            self.rows[key] = Row(etag, len(self.rows), found=found)
            return True
        if row.seen or (row.etag == etag and row.status is Status.WRITTEN):
            return False
        if row.etag != etag:
            if row.status is Status.WRITTEN:
                self.superseded.add(identity_of(key, row.etag))
            was_written = identity_of(key, etag) in self.superseded
            status = Status.WRITTEN if was_written else Status.PENDING
            self.rows[key] = Row(etag, row.order, status, found=found)
        row.seen = True
        return True

    @rule(key=keys, etag=st.sampled_from(ETAGS), attempt=st.integers(1, 3))
    def find_a_result(self, key: str, etag: str, attempt: int) -> None:
        """A result exists from before; it counts for recordings yet to be added."""
        known = identity_of(key, etag)
        self.state.note_results([(known, attempt)])
        self.results[known] = max(attempt, self.results.get(known, 0))

    # The starters

    @rule(most=st.integers(0, 3))
    def claim(self, most: int) -> None:
        """Found ones first, then pending ones of this selection, in the order of their rows."""
        jobs = self.state.claim(most)
        pending = {k: row for k, row in self.rows.items() if row.status is Status.PENDING}
        found = {k: row for k, row in pending.items() if row.found}
        eligible = found if found and most else {k: r for k, r in pending.items() if r.seen}
        expected = sorted(eligible, key=lambda key: eligible[key].order)[:most]
        assert expected == [job.recording.key for job in jobs]
        for job in jobs:
            self._check_claimed(job)
        self.hand += jobs

    def _check_claimed(self, job: Job) -> None:
        row = self.rows[job.recording.key]
        row.status, row.attempt = Status.STARTING, max(row.attempt, row.found)
        assert (row.etag, row.attempt) == (job.recording.etag, job.attempt)
        assert bool(row.found) == job.result_exists
        owner = (job.recording.key, job.recording.etag)
        assert self.names.setdefault(job.name, owner) == owner
        assert job.name.startswith(TAG)

    @precondition(lambda self: self.hand)
    @rule(picked=picks)
    def start(self, picked: list[int]) -> None:
        """A job runs at the service; that of an old content moves nothing."""
        for job in self._chosen(picked):
            row = self._row(job)
            if row is None or row.status is Status.STARTING:
                self.state.started(job)
            if row and row.status is Status.STARTING:
                row.status = Status.STARTED

    @rule(page=pages, most=st.integers(1, 4))
    def list_claim_and_start(self, page: dict[str, str], most: int) -> None:
        """The ordinary way of a run."""
        self.list_a_page(page)
        self.claim(most)
        if self.hand:
            self.start(list(range(len(self.hand))))

    @precondition(lambda self: self.hand)
    @rule(picked=picks)
    def release(self, picked: list[int]) -> None:
        """The service has forgotten a job."""
        for job in self._chosen(picked):
            self.hand.remove(job)
            self.state.release(job)
            if row := self._row(job):
                row.status = Status.PENDING

    # The collectors

    @precondition(lambda self: self.hand)
    @rule(picked=picks)
    def try_again(self, picked: list[int]) -> None:
        """The service spoilt a job: another attempt is pending."""
        for job in self._chosen(picked):
            self.hand.remove(job)
            self.state.try_again(job)
            if row := self._row(job):
                row.status, row.attempt, row.found = Status.PENDING, row.attempt + 1, 0

    @precondition(lambda self: self.hand)
    @rule(picked=picks, reason=st.sampled_from(REASONS))
    def fail(self, picked: list[int], reason: str) -> None:
        """A recording ends without a task."""
        for job in self._chosen(picked):
            self.hand.remove(job)
            self.state.failed(job, reason, "Words.")
            if row := self._row(job):
                row.status, row.reason = Status.FAILED, reason

    # The writer

    @precondition(lambda self: self.hand)
    @rule(picked=picks)
    def write(self, picked: list[int]) -> None:
        """Only jobs that were started, and whose content is still wanted, are written."""
        batch = self._chosen(picked)
        self._grow()
        wanted = self.output.write([Line(job, line_of(job)) for job in batch])
        before = len(self.lines)
        for job in batch:
            row = self._row(job)
            if row and row.status is Status.STARTED:
                self.hand.remove(job)
                self.lines.append(line_of(job))
                row.status = Status.WRITTEN
        assert wanted == len(self.lines) - before

    def _grow(self) -> None:
        """From its first line on an output may be longer than committed, and the state tells so."""
        if not self.growing:
            self.output.write([])
            self.growing = True
            self.earlier = None  # that was made durable: nothing falls back behind it

    # What happens to a run

    @rule()
    def end_and_begin(self) -> None:
        """A run ends and the next one begins."""
        self.run.close()
        self._open()

    @rule(results_exist=st.booleans())
    def rebuild(self, results_exist: bool) -> None:  # noqa: FBT001 # hypothesis names it
        """The next run writes the output anew, from results where there are any."""
        self.run.close()
        self._open(rebuild=True, results_exist=results_exist)

    @rule(left=garbage)
    def crash(self, left: bytes) -> None:
        """A run dies between two commits."""
        self._copy(left)
        self.run.close()
        self._open()

    @precondition(lambda self: self.hand)
    @rule(picked=picks, left=garbage)
    def crash_between_write_and_commit(self, picked: list[int], left: bytes) -> None:
        """A run dies when the lines are in the file and the commit is not made."""
        lines = [Line(job, line_of(job)) for job in self._chosen(picked)]
        self._grow()
        with suppress(Killed), self.state.output.checkpoint():
            self.output.write(lines)
            self._copy(left)
            raise Killed
        self.run.close()
        self._open()

    def _copy(self, left: bytes) -> None:
        """What a dead process leaves: its files as they are now, and perhaps more."""
        self.places += 1
        after = self.top / str(self.places)
        after.mkdir()
        for name in (*STATE_FILES, "out"):
            shutil.copy(self.place / name, after / name)
        with (after / "out").open("ab") as file:
            file.write(left if self.growing else b"")
        self.place = after

    @rule()
    def reach_the_disk(self) -> None:
        """What is committed by now will outlast a power cut."""
        kept = self.top / "kept"
        kept.mkdir(exist_ok=True)
        for name in STATE_FILES:
            shutil.copy(self.place / name, kept / name)
        self.earlier = kept, deepcopy((self.rows, self.results, self.lines, self.superseded))

    @precondition(lambda self: self.earlier)
    @rule(left=garbage)
    def power_cut(self, left: bytes) -> None:
        """The state falls back to an earlier commit, and so does the longer output."""
        assert self.earlier
        self._copy(left)
        kept, model = self.earlier
        for name in STATE_FILES:
            shutil.copy(kept / name, self.place / name)
        self.run.close()
        self.rows, self.results, self.lines, self.superseded = deepcopy(model)
        self._open()

    @rule(reasons=st.lists(st.sampled_from(REASONS), unique=True))
    def retry_between_runs(self, reasons: list[str]) -> None:
        """Failed recordings are put back under a new attempt, and wait to be listed."""
        count, _ = self.state.retry(reasons)
        failed = [row for row in self.rows.values() if row.status is Status.FAILED]
        chosen = [row for row in failed if not reasons or row.reason in reasons]
        for row in chosen:
            row.status, row.attempt, row.found = Status.PENDING, row.attempt + 1, 0
            row.reason, row.seen = None, False
        assert count == len(chosen)
        self.end_and_begin()

    # What always holds

    @invariant()
    def every_recording_stands_where_the_model_has_it(self) -> None:
        """No recording is lost, doubled, or elsewhere than in one place."""
        rows = by_hand(
            self.state.path, "SELECT key, etag, status, attempt, existing_attempt FROM recordings"
        )
        assert {key: tuple(rest) for key, *rest in rows} == {
            key: (row.etag, row.status, row.attempt, row.found) for key, row in self.rows.items()
        }
        assert len(rows) == len(self.rows)

    @invariant()
    def counts_add_up(self) -> None:
        """What is told of the file and of the selection is what stands in it."""
        stands = [row.status for row in self.rows.values()]
        selected = [row.status for row in self.rows.values() if row.seen]
        assert sum(self.state.recordings.counts()) == len(stands)
        assert self.state.recordings.counts().written == stands.count(Status.WRITTEN)
        assert sum(self.state.recordings.selected()) == len(selected)
        assert self.state.recordings.selected().failed == selected.count(Status.FAILED)

    @invariant()
    def what_is_committed_is_in_the_file_once(self) -> None:
        """The file is the committed lines, each once for each content it had."""
        content = (self.place / "out").read_bytes()
        assert self.state.facts.output_lines == len(self.lines)
        assert self.state.recordings.contents_written() == len(self.lines)
        assert self.state.facts.output_size == len(content)
        assert content == b"".join(self.lines)


Runs.TestCase.settings = settings()
TestRuns = Runs.TestCase
