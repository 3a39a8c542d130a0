"""A live view of a run, from its state file alone."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.errors import StateUnusable
from pipeline.monitoring.status import (
    Rate,
    Recordings,
    StatusReading,
    StatusReport,
    end_of,
    head,
    lines,
    one_line,
    run_lines,
    sparkline,
    view,
)
from pipeline.monitoring.summary import Counts, Failures, Files, Limits, RunFacts
from pipeline.state.history import Sample
from pipeline.state.lock import hold, is_held
from pipeline.state.reader import read_state

if TYPE_CHECKING:
    from pathlib import Path

REPORT = StatusReport(
    source="s3://calls/",
    seconds=700.0,
    counts=Counts(skipped={"not audio": 45}, failed=50, pending=10_300, in_flight=250),
    limits=Limits(1_000, 250, 25.0),
    failures=Failures({"too long": 50}),
    files=Files("tasks.jsonl", "tasks.jsonl.state"),
    recordings=Recordings(1_700, 50, 10_300, 250),
    rate=Rate(4.2, 600.0),
    oldest_in_flight_seconds=185.0,
)
SEEN = StatusReading(REPORT, (), runs=True, exit_code=None)


def sample(at: float, written: int = 0, **facts: Any) -> Sample:
    return Sample(at, written=written, **facts)


@pytest.mark.parametrize(
    ("rate", "written", "said"),
    [
        (Rate(4.2, 600.0), 9, "4.2/s over the last 10 min"),
        (Rate(0.0, 1.0), 0, "nothing was written yet"),
        (Rate(0.0, 1.0), 9, "nothing was written since the last run began"),
        (Rate(0.0, 600.0), 9, "nothing was written in the last 10 min"),
    ],
)
def test_no_rate_is_told_where_nothing_was_written(rate, written, said):
    """A rate of nothing over a second tells nobody anything."""
    report = msgspec.structs.replace(
        REPORT, rate=rate, recordings=Recordings(written, 0, 0, 0), counts=Counts()
    )

    assert f"Rate:      {said}" in list(lines(report))


# The lock tells whether a run goes on


def test_a_state_file_is_held_while_a_run_works_with_it(tmp_path):
    """Whoever looks from beside knows whether there is a run, and makes no file."""
    path = tmp_path / "state"
    seen = [is_held(path), list(tmp_path.iterdir())]
    with hold(path):
        seen.append(is_held(path))

    assert seen == [False, [], True]
    assert not is_held(path)


def test_a_look_stops_no_run_from_beginning(tmp_path):
    """A look takes the lock for a moment, and a run that begins just then waits for it."""
    path = tmp_path / "state"
    with hold(path):
        pass
    prober = os.open(tmp_path / "state.lock", os.O_RDONLY)
    fcntl.flock(prober, fcntl.LOCK_SH)
    threading.Timer(0.01, os.close, [prober]).start()

    with hold(path):
        assert is_held(path)


# What is shown


def test_a_look_in_one_line():
    """A log gets the counts, the rate, and the time that is left."""
    assert one_line(SEEN) == (
        "1,700 written · 4.2/s · 14% of 12,300 recordings, 41 min 52 s left · 50 failed"
        " · 250 in flight · 10,300 pending"
    )


@pytest.mark.parametrize(
    "seen",
    [
        SEEN._replace(runs=False),
        SEEN._replace(report=msgspec.structs.replace(REPORT, rate=Rate(0.0, 1.0))),
    ],
)
def test_no_time_is_told_where_nothing_gets_on(seen):
    """Where no run goes on, or nothing is written, nobody knows how long the rest takes."""
    assert head(seen) == "14% of 12,300 recordings"


def test_an_empty_state_file_is_at_its_beginning():
    """Before anything is listed no share is told of nothing."""
    empty = msgspec.structs.replace(REPORT, recordings=Recordings())

    assert head(StatusReading(empty, (), runs=True, exit_code=None)) == "0% of 0 recordings"


def test_the_end_tells_how_it_was():
    """A run that ended told its exit code; one that was killed told nothing."""
    assert end_of(SEEN._replace(runs=False, exit_code=3)) == "Ended:     with exit code 3"
    assert "without a word" in end_of(SEEN._replace(runs=False))


def test_slots_and_the_limit_of_the_last_minute_are_shown():
    """What the run noted tells its slots, and what held it back of late, not in all."""
    taken = [
        sample(0, waits={"slots": 0.0, "GetObject": 0.0}),
        sample(100, 10, waits={"slots": 5.0, "GetObject": 90.0}),
        sample(160, 40, in_flight=231, slots_found=250, waits={"slots": 59.0, "GetObject": 91.0}),
    ]

    pace, slots, limit = run_lines(taken)

    assert pace.startswith("Pace:      ")
    assert slots == "Slots:     231 jobs in flight, 250 slots found"
    assert limit == "Limit:     slots, for 90% of the last 1 min"


@pytest.mark.parametrize("taken", [[], [sample(0)]])
def test_without_history_nothing_is_told_of_it(taken):
    """A state file of an earlier version, or of a run that has just begun, is shown without."""
    assert list(run_lines(taken)) == []


def test_the_pace_is_drawn_over_equal_stretches_of_time():
    """Where most was written the block is whole, and where nothing was it is the lowest."""
    fast = [sample(n, 10 * n) for n in range(30)]
    then_nothing = [sample(30 + n, 290) for n in range(31)]

    drawn = sparkline(fast + then_nothing)

    assert re.fullmatch("[▆▇█]{10}▁{10}", drawn)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 50)), min_size=1, max_size=200))
def test_the_pace_fits_its_line(steps):
    """However the samples lie there are at most 40 blocks, one of them whole if any was written."""
    taken, at, written = [sample(0)], 0.0, 0
    for seconds, more in steps:
        at, written = at + seconds, written + more
        taken.append(sample(at, written))

    drawn = sparkline(taken)

    assert 1 <= len(drawn) <= 40
    assert ("█" in drawn) == (written > 0)


def test_a_clock_that_was_set_back_still_draws():
    """The bars are as many, whatever the moments of the looks are."""
    back = [Sample(at=at, written=n) for n, at in enumerate([0, 1, 2, -9000, 3, 4])]

    assert len(sparkline(back)) == 2


def test_the_view_fits_a_narrow_terminal():
    """On a terminal each fact is one line, cut where it must be, below the bar."""
    screen = io.StringIO()
    taken = [sample(0), sample(9, 5)]
    console = Console(file=screen, force_terminal=True, width=46, color_system=None)

    console.print(view(SEEN._replace(samples=taken)))

    shown = screen.getvalue().splitlines()
    assert max(map(len, shown)) <= 46
    assert shown[1] == "14% of 12,300 recordings, 41 min 52 s left"
    assert [line.partition(":")[0] for line in shown[2:]] == [
        *("Source", "Tasks", "Rate", "Oldest", "Skipped", "Failed", "Pace", "Slots")
    ]


# The command


def has_begun(path: Path) -> bool:
    """Whether a run works with the state file, and it can be read."""
    try:
        with read_state(path) as state:
            return is_held(path) and state.facts.run > 0
    except StateUnusable:
        return False


def test_a_state_file_with_nothing_in_it_is_not_called_another_programs(run):
    """As it is for a moment when a run begins: it says what helps."""
    (run.folder / "tasks.jsonl.state").touch()

    outcome = run("status")

    assert outcome.code == 2
    assert "There is nothing in the state file tasks.jsonl.state yet" in outcome.err


def test_a_watch_ends_with_the_run(run, cloud):
    """Beside a run there is a line per look, and at its end its exit code."""
    cloud("--seconds", "2").add(one="first", bad="!Unsupported media format")
    with run.start("run", "s3://audio/", "--quiet") as process:
        wait_until(lambda: has_begun(run.folder / "tasks.jsonl.state"))

        watched = run("status", "--watch", "0.2")
        process.communicate(timeout=60)

    *looks, last_look, end = watched.out.splitlines()
    assert watched.code == 0
    assert len(looks) >= 3
    assert last_look.startswith("1 written · ")
    assert end == "Ended:     with exit code 1"


def test_a_watch_as_json_is_a_report_per_look(run, cloud):
    """Programs get what `status --json` says, a line each, and the last one is the end."""
    cloud().add(one="first")
    run("run", "s3://audio/")

    [watched] = run("status", "--watch", "--json").out.splitlines()

    assert json.loads(watched)["recordings"]["written"] == 1


def test_status_has_the_shape_of_a_runs_summary(run, cloud):
    """Of a run that ended it tells what the run told, under the same names."""
    cloud().add(one="first", bad="!Unsupported media format")
    ended = run("run", "s3://audio/", "--json").summary

    told = run("status", "--json").summary

    shared = {name: ended[name] for name in RunFacts.__struct_fields__ if name in ended}
    assert shared.items() <= told.items()
    assert set(told) - set(shared) == {"recordings", "rate"}
    assert told["recordings"] == {"written": 1, "failed": 1, "pending": 0, "in_flight": 0}


def test_status_tells_how_it_is_now_where_that_has_changed_since(run, cloud):
    """What `retry` put back is pending, and failed no more; the run's own counts stay."""
    cloud().add(one="first", bad="!Unsupported media format")
    run("run", "s3://audio/")
    run("retry")

    told = run("status", "--json").summary

    assert (told["counts"]["failed"], told["counts"]["pending"]) == (0, 1)
    assert "failures" not in told
    assert told["counts"]["listed"] == 2
    assert told["recordings"] == {"written": 1, "failed": 0, "pending": 1, "in_flight": 0}


def test_a_watch_tells_that_a_run_was_killed(run, cloud):
    """Where the run is gone without a word the watch ends too, and says so."""
    cloud("--seconds", "60").add(one="first")
    state = run.folder / "tasks.jsonl.state"
    with run.start("run", "s3://audio/", "--quiet") as process:
        wait_until(lambda: has_begun(state))
        with run.start("status", "--watch", "0.2") as watch:
            assert watch.stdout is not None
            watch.stdout.readline()
            process.send_signal(signal.SIGKILL)
            out, _ = watch.communicate(timeout=60)

    assert out.splitlines()[-1].startswith("Ended:     without a word")


def test_a_watch_on_a_terminal_is_live(run, cloud):
    """On a terminal the view is drawn in place, and its last state stays."""
    cloud().add(one="first")
    run("run", "s3://audio/")
    ours, theirs = pty.openpty()
    run.use(TERM="xterm", COLUMNS="80", LINES="24")
    with run.start("status", "--watch", stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = everything(ours)
        assert process.wait(60) == 0

    assert "\x1b[?25l" in shown
    assert "\x1b[?25h" in shown
    assert "100% of 1 recording" in shown
    assert "Tasks:     1 written, 0 in flight, 0 pending, 0 failed" in shown
    assert "Ended:     with exit code 0" in shown


def everything(terminal: int) -> str:
    """All that is written to a terminal until nobody holds it any more."""
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # as Linux tells that the other side is closed
            part = b""
        if not part:
            os.close(terminal)
            return shown.decode()
        shown += part


def test_seconds_go_with_a_watch_only(run):
    """Who forgets `--watch` is told, and nothing is looked at."""
    outcome = run("status", "5")

    assert outcome.code == 2
    assert outcome.err == (
        "transcribe-pipeline: SECONDS (5) goes with --watch. Write `status --watch 5`.\n"
    )


def test_a_watch_needs_a_state_file(run):
    """Where there is none the sentence is that of `status`."""
    outcome = run("status", "--watch")

    assert outcome.code == 2
    assert "There is no state file at tasks.jsonl.state." in outcome.err


def wait_until(so: Any) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
