"""The state file: the queue between producer and starters, its lock and its checkpoint."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StateUnusable
from pipeline.failures import NEVER_ENDED, UNREADABLE
from pipeline.model import Recording
from pipeline.naming import identity
from pipeline.state.lock import hold, is_held, lock_path
from pipeline.state.reader import read_state
from pipeline.state.recordings import Counts
from pipeline.state.run_state import open_state
from pipeline.state.schema import Status
from tests.support.state_files import SOURCE, TAG, begun, by_hand, keys_of, listed, running, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.model import Job
    from pipeline.state.run_state import RunState


@pytest.fixture(name="path")
def state_path(tmp_path):
    return tmp_path / "tasks.jsonl.state"


@pytest.fixture(name="state")
def open_for_a_run(path):
    with begun(path) as state:
        yield state


def jobs_in_flight(state: RunState) -> list[Job]:
    """The jobs that were started and have not ended."""
    return [job for job, _ in state.recordings.in_flight()]


def refusal(path: Path) -> str:
    """The sentence with which a state file is refused."""
    with pytest.raises(StateUnusable) as refused, open_state(path, TAG) as state:
        state.begin(SOURCE)
    said = str(refused.value)
    assert "\n" not in said
    assert str(path) in said
    return said


@contextmanager
def without_rights() -> Iterator[None]:
    """Root may write everywhere: for a moment we are nobody."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


# The way of a recording


def test_what_was_listed_is_claimed_in_its_order(state):
    """The starters get every recording, in the order of the listing, as it was listed."""
    touched = listed(state, "b.mp3", "a.mp3", "ü //+.mp3")

    jobs = state.claim(10)

    assert touched == 3
    assert keys_of(jobs) == ["b.mp3", "a.mp3", "ü //+.mp3"]
    assert {(job.recording.etag, job.recording.size) for job in jobs} == {("1", 7)}


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_a_page_of_any_length_is_added_whole(state, count):
    """All its recordings are there in its order, and the name that stands in it twice once."""
    keys = [f"{n:03}.mp3" for n in reversed(range(count))]

    assert listed(state, *keys, keys[-1], keys[0]) == count
    assert [job.recording.key for job in state.claim(count + 1)] == keys


def test_a_page_that_can_not_be_stored_is_not_stored_in_part(state):
    """What SQLite refuses in the last row of a long page takes the rows before it along."""
    page = [Recording(f"{n:03}.mp3", "1", 7) for n in range(150)]
    page.append(Recording("large.mp3", "1", 2**64))

    with pytest.raises(StateUnusable, match="can't be stored"):
        state.add([(each, identity("calls", each, "")) for each in page])

    assert state.recordings.counts().pending == 0


def test_a_recording_is_claimed_once(state):
    """No two starters ever get the same recording."""
    listed(state, "a.mp3", "b.mp3", "c.mp3")

    claims = [keys_of(state.claim(2)) for _ in range(3)]

    assert claims == [["a.mp3", "b.mp3"], ["c.mp3"], []]


def test_a_job_has_its_computed_name(state):
    """A claimed job is named by the tag and its identity, the same in every run."""
    listed(state, "a.mp3")

    (job,) = state.claim(1)

    assert job.name == f"{TAG}{job.identity.hex()}"


def test_counts_tell_where_recordings_stand(state):
    """Every recording is in exactly one of the four counts."""
    written(state, "w1", "w2", "w3")
    running(state, "r1", "r2")
    (failing,) = running(state, "f")
    state.failed(failing, "too long", "Words.")
    listed(state, "p", "s")
    state.claim(1)  # it does not run yet

    assert state.recordings.counts() == Counts(pending=2, in_flight=2, written=3, failed=1)
    assert state.recordings.pending() == 1


def test_a_started_job_is_in_flight(state):
    """What runs at the service is known to the next run, under the same name."""
    jobs = running(state, "a.mp3", "b.mp3")

    assert jobs == jobs_in_flight(state)
    assert state.recordings.oldest_in_flight() is not None


def test_a_released_job_is_claimed_again(state):
    """A job that the service has forgotten is started anew under its name."""
    (job,) = running(state, "a.mp3")

    state.release(job)

    assert [job] == state.claim(9)


def test_a_failed_recording_is_counted_with_its_reason(state):
    """A failure keeps its class and the service's words, and is not tried again by itself."""
    for key, reason in (("a", "too long"), ("b", "sample rate"), ("c", "too long")):
        (job,) = running(state, key)
        state.failed(job, reason, f"Words of {key}.")

    assert list(state.failures.by_reason().items()) == [("too long", 2), ("sample rate", 1)]
    assert [(job.recording.key, *rest) for job, *rest in state.failures.recordings()] == [
        ("a", "too long", "Words of a."),
        ("b", "sample rate", "Words of b."),
        ("c", "too long", "Words of c."),
    ]
    assert state.claim(9) == []


# The next run


def test_a_written_recording_is_not_touched_again(path):
    """The usual night: what is known and written costs no write and no job."""
    with begun(path) as state:
        written(state, "a.mp3", "b.mp3")

    with begun(path) as state:
        touched = listed(state, "a.mp3", "b.mp3")

        assert (touched, state.claim(9)) == (0, [])


@pytest.mark.parametrize("change", [{"etag": "2"}, {"settings": "language=de-DE"}])
@pytest.mark.parametrize("end", ["written", "failed", "started", "claimed", "pending"])
def test_a_changed_recording_is_pending_again(path, change, end):
    """A new content or new settings make a new job, whatever became of the old one."""
    with begun(path) as state:
        old = bring_to(state, end)

    with begun(path) as state:
        listed(state, "a.mp3", **change)
        (job,) = state.claim(9)

    assert job.name != old
    assert job.recording.etag == change.get("etag", "1")


def bring_to(state: RunState, end: str) -> str:
    """Bring a.mp3 so far; return its job's name."""
    listed(state, "a.mp3")
    if end == "pending":
        return ""
    (job,) = state.claim(1)
    if end in {"started", "written"}:
        state.started(job)
    if end == "written":
        state.output.mark_written([job])
    if end == "failed":
        state.failed(job, "refused", "no")
    return job.name


def test_an_aborted_start_is_pending_again(path):
    """A recording that was claimed but not started is claimed by the next run."""
    with begun(path) as state:
        listed(state, "a.mp3")
        claimed = state.claim(9)

    with begun(path) as state:
        listed(state, "a.mp3")

        assert claimed == state.claim(9)


def test_only_what_this_run_listed_is_claimed(path):
    """Pending recordings of another selection wait for a run that lists them."""
    with begun(path) as state:
        listed(state, "a.mp3", "b.mp3")

    with begun(path) as state:
        listed(state, "b.mp3", "c.mp3")

        assert (state.recordings.pending(), keys_of(state.claim(9))) == (2, ["b.mp3", "c.mp3"])


@pytest.mark.parametrize("released_first", [True, False])
def test_a_job_of_an_earlier_run_that_was_forgotten_is_started_in_this_one(path, released_first):
    """A resumed job that the service has lost is started again, if this run lists it."""
    with begun(path) as state:
        (job,) = running(state, "a.mp3")

    with begun(path) as state:
        steps = [lambda: state.release(job), lambda: listed(state, "a.mp3")]
        for step in steps if released_first else reversed(steps):
            step()

        assert [job] == state.claim(9)


def test_a_job_in_flight_stays_in_flight_when_it_is_listed_again(path):
    """The next run adopts what still runs and starts it no second time."""
    with begun(path) as state:
        jobs = running(state, "a.mp3")

    with begun(path) as state:
        listed(state, "a.mp3")

        assert (jobs, []) == (jobs_in_flight(state), state.claim(9))


def test_a_failed_recording_stays_failed_and_belongs_to_the_run_that_lists_it(path):
    """A second run does not start a failed recording, and tells of it only if it lists it."""
    with begun(path) as state:
        for job in running(state, "a.mp3", "b.mp3"):
            state.failed(job, "too long", "no")

    with begun(path) as state:
        listed(state, "b.mp3")

        assert state.claim(9) == []
        assert [job.recording.key for job, _, _ in state.failures.recordings()] == ["b.mp3"]


def test_what_an_old_job_says_of_a_changed_recording_is_not_heard(path):
    """A job of the old content neither starts, fails, releases nor finishes the new one."""
    with begun(path) as state:
        (old,) = running(state, "a.mp3")

    with begun(path) as state:
        listed(state, "a.mp3", etag="2")
        state.started(old)
        state.failed(old, "refused", "no")
        state.release(old)

        assert state.output.mark_written([old]) == [False]
        assert state.recordings.counts() == Counts(pending=1, in_flight=0, written=0, failed=0)


# Another attempt


def failed(state: RunState, *keys: str, reason: str = "too long") -> None:
    """Bring recordings to a failure."""
    for job in running(state, *keys):
        state.failed(job, reason, "Words.")


def test_a_job_the_service_spoilt_is_tried_under_a_new_name(state):
    """Another attempt is pending at once, under a name that was never used."""
    (job,) = running(state, "a.mp3")

    state.try_again(job)
    (again,) = state.claim(9)

    assert (again.name, again.attempt) == (f"{job.name}-2", 2)
    assert state.failures.by_reason() == {}


def test_what_is_put_back_is_taken_by_the_run_that_lists_it(path):
    """A retried recording waits for a run over it, and has a new attempt there."""
    with begun(path) as state:
        failed(state, "a.mp3", "b.mp3")
        assert state.retry(()) == (2, 0)

    with begun(path) as state:
        before = (state.claim(9), state.failures.by_reason())
        listed(state, "b.mp3")
        (job,) = state.claim(9)

    assert before == ([], {})
    assert (job.recording.key, job.attempt) == ("b.mp3", 2)


@pytest.mark.parametrize(
    ("reasons", "left"),
    [
        ((), {}),
        (("too long",), {"refused": 1}),
        (("refused", "too long"), {}),
        (("nothing of the kind",), {"too long": 2, "refused": 1}),
    ],
)
def test_only_failures_of_the_named_reasons_are_put_back(state, reasons, left):
    """Without a reason all are put back; with some only theirs, and what is written stays."""
    failed(state, "a.mp3", "b.mp3")
    failed(state, "c.mp3", reason="refused")
    written(state, "d.mp3")

    count = state.retry(reasons)

    assert (count, state.failures.by_reason()) == ((3 - sum(left.values()), 0), left)
    assert state.recordings.counts().written == 1


def test_a_job_that_may_have_a_transcript_is_asked_for_again_under_its_name(state):
    """What could not be read or did not end in time costs no second job, unless one is wished."""
    failed(state, "a.mp3", reason=UNREADABLE)
    failed(state, "b.mp3", reason=NEVER_ENDED)
    failed(state, "c.mp3", reason="too long")

    assert state.retry(()) == (1, 2)
    assert [job.attempt for job, _ in state.recordings.in_flight()] == [1, 1]
    assert state.failures.by_reason() == {}


def test_a_new_job_is_started_where_one_is_wished(state):
    """With `new_jobs` no failure keeps its job."""
    failed(state, "a.mp3", reason=UNREADABLE)

    assert state.retry((), new_jobs=True) == (1, 0)
    assert state.recordings.in_flight() == []


def test_a_retried_recording_that_changed_begins_with_its_first_attempt(path):
    """A new content is a new recording: its first job has no attempt in its name."""
    with begun(path) as state:
        failed(state, "a.mp3")
        state.retry(())

    with begun(path) as state:
        listed(state, "a.mp3", etag="2")

        assert [job.attempt for job in state.claim(9)] == [1]


def test_reasons_are_those_of_every_run(path):
    """What can be retried is named also where the last run did not list it."""
    with begun(path) as state:
        failed(state, "a.mp3")

    with begun(path) as state:
        failed(state, "b.mp3", reason="refused")

        assert (state.failures.reasons(), state.failures.by_reason()) == (
            ["refused", "too long"],
            {"refused": 1},
        )


def test_a_resumed_job_that_fails_is_told_of_though_it_was_not_listed(path):
    """The failures of a run are those it listed and those that happened in it."""
    with begun(path) as state:
        (job,) = running(state, "a.mp3")

    with begun(path) as state:
        state.failed(job, "too long", "Words.")

        assert state.failures.by_reason() == {"too long": 1}


def test_more_failures_than_a_page_come_in_their_order(state):
    """The failures of a big run are read page by page, each once."""
    wanted = [f"{n:04}.mp3" for n in range(2_001)]
    failed(state, *wanted)

    assert [job.recording.key for job, _, _ in state.failures.recordings()] == wanted


# Results that exist already


def result_of(key: str, attempt: int, etag: str = "1") -> tuple[bytes, int]:
    """What a listing of the results tells of a recording."""
    return identity("calls", Recording(key, etag, 7), ""), attempt


def test_a_recording_whose_result_exists_is_found(state):
    """A lost state file costs no job: what has a result is claimed as found, with its attempt."""
    state.note_results([result_of("b.mp3", 2), result_of("elsewhere.mp3", 1)])
    listed(state, "a.mp3", "b.mp3")

    claims = [(job.recording.key, job.result_exists, job.attempt) for job in state.claim(9)]

    assert claims == [("b.mp3", True, 2)]
    assert keys_of(state.claim(9)) == ["a.mp3"]


def test_of_several_results_the_last_attempt_counts(state):
    """Whichever order they are listed in, the newest job's result is taken."""
    state.note_results([result_of("a.mp3", 1), result_of("a.mp3", 3)])
    state.note_results([result_of("a.mp3", 2)])
    listed(state, "a.mp3")

    assert [job.name[-2:] for job in state.claim(9)] == ["-3"]


def test_a_result_of_another_content_is_not_found(state):
    """A recording that has changed since is transcribed anew."""
    state.note_results([result_of("a.mp3", 1, etag="0")])
    listed(state, "a.mp3")

    assert [job.result_exists for job in state.claim(9)] == [False]


def test_a_found_recording_that_changes_is_found_no_longer(path):
    """The new content of a recording has no result because the old one had."""
    with begun(path) as state:
        state.note_results([result_of("a.mp3", 4)])
        listed(state, "a.mp3")

    with begun(path) as state:
        listed(state, "a.mp3", etag="2")

        assert [(job.result_exists, job.attempt) for job in state.claim(9)] == [(False, 1)]


def test_a_found_job_that_the_service_spoilt_is_started_anew(state):
    """Another attempt has no result yet, whatever the one before had."""
    state.note_results([result_of("a.mp3", 1)])
    listed(state, "a.mp3")
    (job,) = state.claim(1)

    state.try_again(job)

    assert [(again.result_exists, again.attempt) for again in state.claim(9)] == [(False, 2)]


def test_results_are_looked_for_once(path):
    """After the first look the state file knows its own results, in every run."""
    with begun(path) as state:
        before = state.facts.results_are_known()
        state.facts.set_results_known()

    with begun(path) as state:
        assert (before, state.facts.results_are_known()) == (False, True)


def test_a_forgotten_output_is_written_anew_from_results(path):
    """Every written recording is found, of whatever selection; nothing else is touched."""
    with begun(path) as state:
        written(state, "a.mp3", "b.mp3")
        failed(state, "c.mp3")
        (flying,) = running(state, "d.mp3")
        with state.output.checkpoint():
            state.output.commit(100, 2, "digest")

    with begun(path) as state:
        state.output.forget(results_exist=True)
        claimed = state.claim(9)

        assert [(job.recording.key, job.result_exists) for job in claimed] == [
            ("a.mp3", True),
            ("b.mp3", True),
        ]
        assert [flying] == jobs_in_flight(state)
        assert (state.facts.output_size, state.facts.value("output digest")) == (0, None)


def test_an_output_without_results_is_transcribed_anew(path):
    """Where the service has forgotten the jobs every written recording is pending, not found."""
    with begun(path) as state:
        written(state, "a.mp3", "b.mp3")

    with begun(path) as state:
        state.output.forget(results_exist=False)
        listed(state, "b.mp3")

        assert [(job.recording.key, job.result_exists) for job in state.claim(9)] == [
            ("b.mp3", False)
        ]


@pytest.mark.parametrize("between", ["written", "pending"])
def test_going_back_to_a_written_content_is_no_new_task(path, between):
    """A content or settings that a line was written for are written, whatever came between."""
    with begun(path) as state:
        written(state, "a.mp3")
    with begun(path) as state:
        listed(state, "a.mp3", etag="2")
        for job in state.claim(9 * (between == "written")):
            state.started(job)
            state.output.mark_written([job])

    with begun(path) as state:
        listed(state, "a.mp3", etag="1")

        assert (state.claim(9), state.recordings.counts().written) == ([], 1)


def test_a_content_may_come_and_go_as_often_as_it_likes(path):
    """Two contents that take turns are each written once, however often they change."""
    for etag in ("1", "2", "1", "2", "1", "2"):
        with begun(path) as state:
            listed(state, "a.mp3", etag=etag)
            for job in state.claim(9):
                state.started(job)
                state.output.mark_written([job])
                state.output.commit(0, state.facts.output_lines + 1, "digest")
            assert state.recordings.counts() == Counts(pending=0, in_flight=0, written=1, failed=0)

    with begun(path) as state:
        assert state.facts.output_lines == 2


def test_a_forgotten_output_holds_no_earlier_content_either(path):
    """After rebuilding a content that was written long ago is to be written again."""
    with begun(path) as state:
        written(state, "a.mp3")
    with begun(path) as state:
        listed(state, "a.mp3", etag="2")
        state.output.forget(results_exist=True)

    with begun(path) as state:
        listed(state, "a.mp3", etag="1")

        assert keys_of(state.claim(9)) == ["a.mp3"]


def test_failures_of_every_run_can_be_told(path):
    """Where a listing was not ended, those that may have left the source are told too."""
    with begun(path) as state:
        failed(state, "a.mp3", "b.mp3")

    with begun(path) as state:
        listed(state, "b.mp3")

        assert keys_of([job for job, *_ in state.failures.recordings()]) == ["b.mp3"]
        assert keys_of([job for job, *_ in state.failures.recordings(ever=True)]) == [
            "a.mp3",
            "b.mp3",
        ]


def test_a_second_attempt_is_found_under_its_own_name(path):
    """Rebuilding reads the result of the job that wrote the task, not of the first one."""
    with begun(path) as state:
        state.try_again(*running(state, "a.mp3"))
        (job,) = state.claim(1)
        state.started(job)
        state.output.mark_written([job])

    with begun(path) as state:
        state.output.forget(results_exist=True)

        assert [again.name for again in state.claim(9)] == [job.name]


def test_a_language_that_was_named_for_a_job_is_remembered_until_its_content_changes(path):
    """Neither a kill nor the task's writing forgets it; a new content has its language found."""
    with begun(path) as state:
        state.try_again(*running(state, "a.mp3"), language="en-GB")

    with begun(path) as state:
        (job,) = running(state, "a.mp3")
        state.output.mark_written([job])
        [[known]] = state.recordings.written()

    with begun(path) as state:
        state.add([(Recording("a.mp3", "new", 1), b"another identity")])
        (changed,) = state.claim(9)

    assert [(each.attempt, each.language) for each in (job, known, changed)] == [
        (2, "en-GB"),
        (2, "en-GB"),
        (1, ""),
    ]


# The checkpoint


def test_a_checkpoint_is_whole_or_not_at_all(state):
    """Rows and size are committed together: an error inside leaves both as they were."""
    jobs = running(state, "a.mp3")
    with state.output.checkpoint():
        state.output.commit(100, 1, "digest")

    with suppress(ZeroDivisionError), state.output.checkpoint():
        state.output.mark_written(jobs)
        state.output.commit(200, 2, "digest")
        raise ZeroDivisionError

    assert (state.facts.output_size, state.recordings.counts().written) == (100, 0)


def test_a_committed_size_is_there_after_reopening(path):
    """What a checkpoint holds is what the next run finds."""
    with begun(path) as state, state.output.checkpoint():
        state.output.commit(4711, 12, "digest")
        assert state.output.mark_written(running(state, "a.mp3")) == [True]

    with begun(path) as state:
        assert (
            state.facts.output_size,
            state.facts.output_lines,
            state.recordings.counts().written,
        ) == (4711, 12, 1)


def test_nothing_is_written_twice(state):
    """A row is marked for one line only, and only while its job is in flight."""
    jobs = running(state, "a.mp3")
    listed(state, "b.mp3")
    waiting = state.claim(1)

    assert [state.output.mark_written(jobs), state.output.mark_written(jobs)] == [[True], [False]]
    assert state.output.mark_written(waiting) == [False]


@given(st.lists(st.sampled_from(["claim", "start", "write", "fail", "release", "again"])))
def test_every_recording_is_in_one_place_whatever_happens(tmp_path_factory, moves):
    """Over any moves and restarts no recording is lost and none is written twice."""
    path = tmp_path_factory.mktemp("state") / "s"
    writes = 0
    for run in " ".join(moves).split("again"):
        with begun(path) as state:
            listed(state, "a", "b", "c")
            for move in run.split():
                writes += play(state, move)
            assert sum(state.recordings.counts()) == 3
            assert state.recordings.counts().written == writes


def play(state: RunState, move: str) -> int:
    """One move of a run; return how many recordings it wrote."""
    if move == "claim":
        state.claim(1)
    elif move == "start":
        for job in state.claim(2):
            state.started(job)
    for job in jobs_in_flight(state)[:1]:
        if move == "write":
            return sum(state.output.mark_written([job]))
        if move == "fail":
            state.failed(job, "refused", "no")
        elif move == "release":
            state.release(job)
    return 0


# Whose file it is


def test_a_second_run_is_told_who_works(path):
    """While a run holds the file another one is refused, with the number of its process."""
    with begun(path):
        said = refusal(path)

    assert f"process {os.getpid()}" in said


def test_a_run_in_another_process_is_named(path):
    """The lock holds between processes, and ends when its process is killed."""
    program = (
        "import sys, pathlib, pipeline.state.run_state as s\n"
        f"with s.open_state(pathlib.Path({str(path)!r}), 'tag-'):\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], text=True, **pipes) as other:  # type: ignore[call-overload] # the pipes are a dict
        other.stdout.readline()
        said = refusal(path)
        other.kill()

    assert f"process {other.pid}" in said
    with begun(path) as state:
        assert state.facts.run == 1


def test_the_lock_ends_with_the_run(path):
    """When a run has ended, also by an error, the next one can open the file."""
    with suppress(ZeroDivisionError), begun(path):
        raise ZeroDivisionError

    with begun(path) as state:
        assert state.facts.run == 2


def test_the_file_of_another_source_is_refused(path):
    """A state file with recordings goes with one source; the refusal names both."""
    with begun(path) as state:
        listed(state, "a.mp3")

    with open_state(path, TAG) as state, pytest.raises(StateUnusable) as refused:
        state.begin("s3://elsewhere/")

    assert str(path) in str(refused.value)
    assert "belongs to s3://calls/, not to s3://elsewhere/" in str(refused.value)


def test_a_file_without_recordings_can_be_begun_with_another_source(path):
    """A run that ended before its listing, by a typing mistake, does not block the next one."""
    with begun(path):
        pass

    with open_state(path, TAG) as state:
        state.begin("s3://elsewhere/")

        assert state.facts.value("source") == "s3://elsewhere/"


def test_another_prefix_of_names_is_refused(path):
    """Jobs under way would be started again under other names, and paid for again."""
    with begun(path) as state:
        listed(state, "a.mp3")

    with open_state(path, "other-0a1b2c3d-") as state, pytest.raises(StateUnusable) as refused:
        state.begin(SOURCE)

    assert f"are named {TAG}..., not other-0a1b2c3d-..." in str(refused.value)


def test_a_refused_run_changes_nothing(path):
    """A run that is refused for its source leaves the file as it was."""
    with begun(path) as state:
        running(state, "a.mp3")

    with open_state(path, TAG) as state:
        with suppress(StateUnusable):
            state.begin("s3://elsewhere/")

        assert [state.facts.value("source"), state.facts.value("run")] == [SOURCE, 1]


def test_another_program_s_file_is_refused(path):
    """An SQLite file that is not ours is left alone."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE precious (thing)")
    before = path.read_bytes()

    said = refusal(path)

    assert "is an SQLite file of another program" in said
    assert before == path.read_bytes()


def test_a_newer_format_is_refused(path):
    """A file of a later version is named as such, not guessed at."""
    with begun(path):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")

    assert "has format 99" in refusal(path)


@pytest.mark.parametrize("content", [b"some notes of mine\n" * 99, b"{}", b"\x00" * 5000])
def test_a_file_that_is_no_state_file_is_refused(path, content):
    """A text file named by mistake is left as it is."""
    path.write_bytes(content)

    said = refusal(path)

    assert "is not a state file, or it is damaged" in said
    assert content == path.read_bytes()


def test_a_damaged_file_is_refused(path):
    """A state file that was cut in half is named as damaged."""
    with begun(path) as state:
        listed(state, *(f"{n}.mp3" for n in range(5000)))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)

    with pytest.raises(StateUnusable, match="damaged"), begun(path) as state:
        listed(state, *(f"{n}.mp3" for n in range(5000)))


def test_a_folder_is_no_state_file(path):
    """A folder named as the state file is refused with one sentence."""
    path.mkdir()

    assert "can't be opened: Is a directory" in refusal(path)


def test_a_missing_folder_is_made(tmp_path):
    """A state file may be named in a folder that is not there yet."""
    with begun(tmp_path / "new" / "er" / "s") as state:
        assert listed(state, "a.mp3") == 1


def test_a_folder_without_write_permission_is_named(path):
    """Where nothing can be created the run is refused with one sentence."""
    path.parent.chmod(0o500)

    with without_rights():
        said = refusal(path)

    assert "Permission denied" in said


def test_only_the_owner_may_read_it(path):
    """The state file and every file beside it have the mode 0600, also under an open umask."""
    before = os.umask(0)
    try:
        with begun(path) as state:
            listed(state, "a.mp3")
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(before)

    names = {f"{path.name}{suffix}" for suffix in ("", "-wal", "-shm", ".lock")}
    assert modes == dict.fromkeys(names, 0o600)


def set_aside(path: Path) -> None:
    with hold(path) as lock:
        lock.set_aside()


def test_a_damaged_file_is_set_aside(path):
    """A new state begins, and the damaged one stands beside it under another name."""
    path.write_bytes(b"damaged")
    path.with_name(f"{path.name}-wal").write_bytes(b"its log")

    set_aside(path)

    with begun(path) as state:
        assert state.recordings.counts() == Counts(0, 0, 0, 0)
    aside = {p.name: p.read_bytes() for p in path.parent.glob("*damaged*")}
    assert aside == {f"{path.name}.damaged": b"damaged", f"{path.name}.damaged-wal": b"its log"}


def test_what_was_set_aside_is_kept_the_next_time(path):
    """Copies are numbered, a companion alone takes a number too, and none replaces another."""
    path.write_bytes(b"first")
    set_aside(path)
    path.with_name(f"{path.name}.damaged.1-wal").write_bytes(b"alone")
    path.write_bytes(b"second")

    set_aside(path)

    aside = {p.name: p.read_bytes() for p in path.parent.glob("*damaged*")}
    assert aside == {
        f"{path.name}.damaged": b"first",
        f"{path.name}.damaged.1-wal": b"alone",
        f"{path.name}.damaged.2": b"second",
    }


def test_where_nothing_is_there_nothing_is_set_aside(path):
    """A state file that was deleted is begun anew without a word."""
    set_aside(path)

    assert [p.name for p in path.parent.iterdir()] == [f"{path.name}.lock"]


def test_another_program_s_file_is_not_set_aside(path):
    """A sound file of another program that was named by mistake keeps its name."""
    by_hand(path, "CREATE TABLE bookmarks (url)")

    with pytest.raises(StateUnusable, match="of another program"):
        set_aside(path)

    assert path.is_file()


def test_a_lock_file_that_is_gone_lets_nobody_in(path):
    """A tidy-up that removes the lock file under a run opens the state file to no other one."""
    with begun(path) as state:
        listed(state, "a.mp3")
        state.claim(1)
        lock_path(path).unlink()
        assert is_held(path)

        said = refusal(path)

        with pytest.raises(StateUnusable, match="Another run"):
            set_aside(path)
        assert by_hand(path, "SELECT status FROM recordings") == [(Status.STARTING,)]

    assert "Another run" in said
    assert not is_held(path)


@pytest.mark.parametrize("content", [b"notes of mine\n" * 99, b"SQLite format 3\x00" + b"x" * 999])
def test_a_file_that_is_not_ours_keeps_its_mode(path, content):
    """Whoever names another file with --state finds it as it was, readable to whom it was."""
    path.write_bytes(content)
    path.chmod(0o644)

    refusal(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_bytes() == content


def test_a_device_is_no_state_file(tmp_path):
    """What is no ordinary file is refused, unopened and with its mode."""
    os.mkfifo(tmp_path / "pipe", 0o640)

    assert "is no ordinary file" in refusal(tmp_path / "pipe")
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]
    assert stat.S_IMODE((tmp_path / "pipe").stat().st_mode) == 0o640


def test_a_state_file_of_ours_becomes_private(path):
    """One that was copied with a wider mode, and what SQLite keeps beside it, is 0600 again."""
    with begun(path):
        pass
    path.chmod(0o644)

    with begun(path) as state:
        listed(state, "a.mp3")
        modes = {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}

    assert modes == {0o600}


# Looking at it from beside


def test_it_can_be_read_beside_a_run(path):
    """Who only looks sees what is committed, and the run goes on."""
    with begun(path) as state:
        running(state, "a.mp3", "b.mp3")
        state.note_started()

        with read_state(path) as beside:
            seen = beside.recordings.counts()
        written(state, "c.mp3")

    assert seen == Counts(pending=0, in_flight=2, written=0, failed=0)


def test_looking_does_not_hold_the_run_up(path):
    """A run begins, writes and ends while someone looks."""
    with begun(path):
        pass

    with read_state(path) as beside, begun(path) as state:
        written(state, "a.mp3")
        seen = beside.recordings.counts().written

    assert seen == 1


@pytest.mark.parametrize("companions", [(), ("-wal",), ("-wal", "-shm")])
def test_a_place_that_can_only_be_read_shows_what_was_committed_last(path, companions):
    """What stands in SQLite's log alone is read too, and nothing is left beside the file."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        with begun(path) as state:
            listed(state, "a.mp3", "b.mp3")
            for each in companions and ("", *companions):
                shutil.copy(f"{path}{each}", folder / f"state{each}")
        if not companions:
            shutil.copy(path, folder / "state")
        for each in folder.iterdir():
            each.chmod(0o444)
        folder.chmod(0o555)
        before = sorted(folder.iterdir())

        with without_rights(), read_state(folder / "state") as beside:
            seen = beside.recordings.counts().pending

        assert seen == 2
        assert sorted(folder.iterdir()) == before


def test_looking_changes_nothing(path):
    """A state file that was opened for looking can't be written through it."""
    with begun(path) as state:
        running(state, "a.mp3")

    with read_state(path) as beside, pytest.raises(StateUnusable, match="readonly"):
        beside.facts.note_skipped({"not audio": 1}, {})


def test_a_missing_file_can_not_be_looked_at(path):
    """Who looks at a file that is not there is told so, and none is made."""
    with pytest.raises(StateUnusable, match="There is no state file"), read_state(path):
        pass

    assert list(path.parent.iterdir()) == []


def test_skipped_objects_are_remembered_of_the_last_run(path):
    """The counts of skipped objects are those of the last listing alone."""
    with begun(path) as state:
        state.facts.note_skipped({"not audio": 3, "empty object": 1}, {".txt": 2, ".md": 1})

    with begun(path) as state:
        state.facts.note_skipped({"not audio": 2}, {".json": 2})

    with read_state(path) as beside:
        assert beside.facts.skipped() == {"not audio": 2}
        assert beside.facts.not_audio() == {".json": 2}


def test_written_recordings_are_counted_by_time(state):
    """The rate is taken from the recordings written after a moment."""
    written(state, "a.mp3", "b.mp3")

    assert (state.recordings.written_since(0), state.recordings.written_since(2**40)) == (2, 0)
