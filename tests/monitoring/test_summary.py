"""What a run did: the facts as JSON, and as text for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_origin

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from pipeline.aws.s3 import S3
from pipeline.aws.session import Session
from pipeline.config.loading import resolve
from pipeline.failures import NO_SPEECH, TOO_LONG, advice
from pipeline.model import Cost
from pipeline.monitoring.snapshot import RunSnapshot
from pipeline.monitoring.summary import (
    OVER_BUDGET,
    Balance,
    Counts,
    Failure,
    Failures,
    Files,
    RunEnd,
    StageTotal,
    Summary,
    balance,
    summarise,
)
from pipeline.monitoring.summary_text import as_text
from pipeline.naming import S3Uri
from pipeline.recordings.bucket import S3Source
from pipeline.run import Run
from pipeline.stages.job_tracker import JobTracker
from tests.conftest import ROOT
from tests.support.idle_run import idle_run
from tests.support.state_files import begun, by_hand, listed, running, written
from tests.support.summaries import SUMMARY, changed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state.run_state import RunState


def text_with(**changes: Any) -> str:
    return as_text(changed(SUMMARY, **changes))


def line_with(start: str, **changes: Any) -> str:
    """The line of the text that begins so, or nothing."""
    return next((x for x in text_with(**changes).splitlines() if x.startswith(start)), "")


def test_a_run_without_trouble_is_five_lines():
    """What was done, that it adds up, where the tasks and the state are, and what to do next."""
    assert text_with() == (
        "Done in 1 h 1 min: 1,200 written, 0 failed, 0 skipped of 1,250 listed.\n"
        "Balance: 1,250 listed = 1,200 written + 0 failed + 50 skipped + 0 pending\n"
        "Tasks:   tasks.jsonl (1,200 lines)\n"
        "State:   tasks.jsonl.state\n"
        "Next:    transcribe-pipeline export --output tasks.jsonl makes the file that Label "
        "Studio's Import button takes."
    )


def test_silent_and_earlier_recordings_are_told_apart():
    """Recordings without speech, and those of earlier runs, are named beside the written ones."""
    said = text_with(silent=12, tasks=5_000)

    assert "1,200 written (12 without speech), 3,800 written before, 0 failed" in said


def test_the_cost_is_one_line():
    """What the transcripts cost has its minutes and the date of the prices beside it."""
    said = line_with("Cost:", cost=Cost(12.345, "USD", 123_450, "2026-10, us-east-1"))

    assert said == (
        "Cost:    about USD 12.35 for 2,057.5 billed minutes, at the prices of 2026-10, us-east-1."
    )


def test_what_was_skipped_is_told_by_reason():
    """Each reason has its count, the most frequent first."""
    said = line_with("Skipped:", skipped={"empty object": 2, "not audio": 1_040, "excluded": 2})

    assert said == "Skipped: 1,040 not audio, 2 empty object, 2 excluded"


def test_failures_are_told_with_examples_and_advice():
    """Each class of failure has its count and what to do; some recordings have their words."""
    examples = (Failure("a\n.mp3", TOO_LONG, "Maximum audio duration is 4 hours."),)
    failures = Failures({TOO_LONG: 11, "refused": 1}, examples)

    said = text_with(failed=12, failures=failures)

    assert f"Failed:  11 {TOO_LONG}, 1 refused" in said
    assert "  a\\n.mp3: Maximum audio duration is 4 hours.\n  and 11 more\n" in said
    assert f"  {TOO_LONG}: {advice(TOO_LONG)}" in said
    assert said.splitlines()[0].count("12 failed") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"waits": {"slots": 3_000.0}, "slots_found": 100}, "job slots (100 found) held"),
        ({"waits": {"slots": 3_000.0}}, "--max-in-flight 250 held the run back for 50 min of 1 h"),
        ({"waits": {"StartTranscriptionJob": 400.0}}, "--start-rate 25 held"),
        (
            {
                "waits": {"StartTranscriptionJob": 400.0},
                "refused": {"StartTranscriptionJob": 9},
            },
            "the account's start rate held",
        ),
        ({"waits": {"GetTranscriptionJob": 900.0, "slots": 400.0}}, "--max-in-flight 250 held"),
        ({"waits": {"GetTranscriptionJob": 400.0}}, "the rate of GetTranscriptionJob held"),
        ({"waits": {"slots": 400.0, "StartTranscriptionJob": 500.0}}, "--start-rate 25 held"),
    ],
)
def test_the_limit_that_held_the_run_back_is_named(changes, said):
    """The one that was waited for longest is told, with the flag or quota that would raise it."""
    assert said in line_with("Limit:", **changes)


@pytest.mark.parametrize(
    "waits", [{}, {"slots": 300.0}, {"slots": 4.9, "StartTranscriptionJob": 1}]
)
def test_a_limit_that_cost_little_is_not_named(waits):
    """What held the run back for less than a tenth of its time is not worth a line."""
    assert line_with("Limit:", waits=waits) == ""


def test_a_balance_that_does_not_add_up_is_told():
    """Where fewer recordings stand somewhere than were listed, the run says that some are lost."""
    lost = Balance(listed=10, written=4, failed=3, skipped=1, pending=1)

    assert not lost.adds_up
    assert line_with("Balance:", balance=lost) == (
        "Balance: 10 listed, but 4 written + 3 failed + 1 skipped + 1 pending: something was lost. "
        "Please report this, with the state file."
    )


def test_a_balance_that_adds_up_is_a_sum():
    """Each listed object is in exactly one of four places."""
    whole = Balance(listed=1_010, written=1_004, failed=3, skipped=1, pending=2)

    assert whole.adds_up
    assert line_with("Balance:", balance=whole) == (
        "Balance: 1,010 listed = 1,004 written + 3 failed + 1 skipped + 2 pending"
    )


def test_what_is_left_to_the_next_run_is_told():
    """Recordings that met faults for too long are no failures, and are named."""
    assert line_with("Left:", deferred=12).startswith("Left:    12 met faults at the service")
    assert line_with("Left:") == ""


def test_the_failures_file_is_named():
    """Where recordings failed the line after them says where all of them are."""
    files = Files("tasks.jsonl", "tasks.jsonl.state", "tasks.failures.jsonl")
    said = line_with("         all", failures=Failures({TOO_LONG: 1}), files=files)

    assert said == "         all of them: tasks.failures.jsonl"
    assert line_with("         all") == ""


@pytest.mark.parametrize("budget", ["limit 100", "until 06:00", "1.5 hours"])
def test_a_run_that_a_budget_ended_says_which(budget):
    """What is left is for the same command, and the budget that ended the run is named."""
    said = text_with(stopped=budget, exit_code=OVER_BUDGET)

    assert said.startswith("Stopped in ")
    assert f"run the same command again for the rest ({budget} is over)." in said


def test_what_a_budget_has_left_is_counted():
    """Beside the budget that is over stands how many of the listed recordings are left."""
    left = Balance(listed=1_250, written=1_200, failed=0, skipped=0, pending=50)

    said = line_with("Next:", exit_code=OVER_BUDGET, stopped="max-cost 50", balance=left)

    assert said.endswith("for the rest (max-cost 50 is over). 50 of those listed are left.")


def test_a_run_in_which_everything_failed_says_how_to_go_on():
    """Without any task the next step is to mend the cause, and to put the recordings back."""
    said = line_with("Next:", tasks=0, written=0, failed=9, files=Files("a b.jsonl", "s"))

    assert said.endswith("with transcribe-pipeline retry --output 'a b.jsonl' --state s")


def test_an_interrupted_run_says_how_to_go_on():
    """After Ctrl-C the next step is the same command again."""
    said = text_with(stopped="interrupted", exit_code=130)

    assert said.startswith("Interrupted in ")
    assert "Next:    run the same command again; it goes on where it stopped." in said


def test_a_run_without_tasks_says_where_to_look():
    """Where nothing was found the next step is to look at the source, not to export."""
    assert "check SOURCE" in line_with("Next:", tasks=0, written=0)


def test_the_summary_as_json_comes_back():
    """The JSON is one line, and reading it gives the same facts."""
    failures = Failures({NO_SPEECH: 1}, (Failure("ü", NO_SPEECH, "x"),))
    facts = changed(SUMMARY, failed=1, failures=failures, waits={"slots": 1.5})

    line = msgspec.json.encode(facts)

    assert facts == msgspec.json.decode(line, type=Summary)
    assert b"\n" not in line


def test_what_does_not_apply_is_absent():
    """A folder has no cost, a good run no failures; counts are there even where they are 0."""
    found = msgspec.to_builtins(SUMMARY)

    optional = ("stopped", "waits", "refused", "cost", "failures", "notes")
    assert [name for name in (*optional, "oldest_in_flight_seconds") if name in found] == []
    assert "failures" not in found["files"]
    assert (found["exit_code"], found["counts"]["failed"], found["balance"]["pending"]) == (0, 0, 0)


async def summary_of(folder: Path, tracker: JobTracker, code: int = 0) -> Summary:
    """The summary of a run over a board, no call made."""
    config = resolve({"output": str(folder / "tasks.jsonl"), "max_in_flight": 9}, {})
    session = Session(config.aws, 1, None)
    async with aiohttp.ClientSession() as http:
        s3 = S3(session, http, tracker.waits)
        source = S3Source(S3Uri("calls", ""), s3)
        return summarise(Run(config, source, tracker, session, s3), RunEnd(code))


async def test_the_facts_are_those_of_the_run(tmp_path):
    """Counts come from the board and the state file, bounds from the settings."""
    with begun(tmp_path / "state") as state:
        (job,) = running(state, "failing")
        state.failed(job, TOO_LONG, "Words.")
        running(state, "running")
        listed(state, "waiting")
        tracker = JobTracker(state, 9)
        tracker.counters.listed = 4
        summary = await summary_of(tmp_path, tracker)

    assert (summary.source, summary.counts.listed, summary.limits.max_in_flight) == (
        "s3://calls/",
        4,
        9,
    )
    counts = summary.counts
    assert (counts.pending, counts.in_flight, counts.failed) == (1, 1, 1)
    examples = (Failure("failing", TOO_LONG, "Words."),)
    assert summary.failures == Failures({TOO_LONG: 1}, examples)
    assert (summary.calls, summary.refused, summary.waits) == ({}, {}, {})
    assert summary.exit_code == 1


def test_every_count_of_the_summary_is_taken_from_a_snapshot_or_the_state_file():
    """A count that is called otherwise in the snapshot would always be 0."""
    from_state = {"failed", "pending", "in_flight", "tasks"}

    assert set(Counts.__struct_fields__) - from_state <= set(RunSnapshot.__struct_fields__)


async def test_the_moments_are_those_of_the_run(tmp_path):
    """Begin and end are UTC, as far apart as the run took, and the stages those of the board."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        tracker.counters.begun -= 3_600
        tracker.counters.stage_times.taken("job", 1)
        tracker.counters.stage_times.runs("job", 3.5)
        summary = await summary_of(tmp_path, tracker)

    begin, end = map(datetime.fromisoformat, (summary.begun, summary.ended))
    assert begin.tzinfo == UTC
    assert (end - begin).total_seconds() == pytest.approx(3_600, abs=2)
    assert summary.stages["start"] == StageTotal(1, 2.5)
    assert list(summary.stages) == ["start", "wait", "collect", "write"]


def test_the_documents_explain_every_field_of_the_summary():
    """The page's table has each name of the JSON, in its order."""
    text = (ROOT / "docs" / "reference" / "output-formats.md").read_text(encoding="utf-8")
    table = text[text.index("<!-- summary -->") : text.index("<!-- end of summary -->")]

    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]

    assert re.findall(r"`([\w.]+)`", " ".join(first)) == list(names_of(Summary))


def names_of(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Every field, those of its parts behind a point."""
    for each in msgspec.structs.fields(kind):
        parts = [*getattr(each.type, "__args__", ()), each.type]
        part = next((one for one in parts if hasattr(one, "__struct_fields__")), None)
        if part is None or get_origin(each.type) is dict or get_origin(each.type) is tuple:
            yield f"{prefix}{each.name}"
        else:
            yield from names_of(part, f"{prefix}{each.name}.")


def named(state: RunState, *keys: str, **more: Any) -> RunSnapshot:
    """A run whose listing has named these keys, each page of it added and counted."""
    listed(state, *keys)
    noted = state.note_listed(keys)
    return RunSnapshot(listed=len(keys), **noted._asdict(), **more)


def lines_of(state: RunState, count: int) -> None:
    """The output has so many lines."""
    with state.output.checkpoint():
        state.output.commit(12 * count, count, "")


def test_the_balance_holds_what_every_run_wrote(tmp_path):
    """Listed is written (now or before), failed, skipped and pending, each of them counted."""
    keys = [f"{n}.mp3" for n in range(10)]
    with begun(tmp_path / "state") as state:
        written(state, *keys[:4])
        running(state, keys[4], keys[5], keys[6])

    with begun(tmp_path / "state") as state:
        run = replace(named(state, *keys), listed=13, skipped={"not audio": 3})
        resumed, other, _ = (job for job, _ in state.recordings.in_flight())
        state.output.mark_written([resumed])
        state.failed(other, TOO_LONG, "Words.")
        lines_of(state, 5)
        stands = balance(run, state.reader)

    assert stands == Balance(13, 5, 1, 3, 4, tasks=5, contents=5)
    assert stands.adds_up


def test_what_is_named_more_than_once_is_counted_as_that(tmp_path):
    """A manifest that names a failing key five times, and a written one twice, writes neither."""
    with begun(tmp_path / "state") as state:
        written(state, "good.mp3")

    with begun(tmp_path / "state") as state:
        first = named(state, "bad.mp3", "bad.mp3", "good.mp3")
        second = named(state, "bad.mp3", "good.mp3", "bad.mp3", "bad.mp3")
        (job,) = state.claim(9)
        state.failed(job, TOO_LONG, "Words.")
        lines_of(state, 1)
        run = RunSnapshot(
            listed=7,
            unchanged=first.unchanged + second.unchanged,
            duplicates=first.duplicates + second.duplicates,
        )
        stands = balance(run, state.reader)

    assert stands == Balance(7, 1, 1, 0, 0, duplicates=5, tasks=1, contents=1)
    assert stands.adds_up


def test_a_written_recording_that_is_named_again_with_another_content_is_counted_once(tmp_path):
    """The second name makes it pending; both names are of one recording."""
    with begun(tmp_path / "state") as state:
        written(state, "a.mp3")

    with begun(tmp_path / "state") as state:
        first = named(state, "a.mp3")
        listed(state, "a.mp3", etag="2")
        again = state.note_listed(["a.mp3"])
        lines_of(state, 1)
        unchanged, duplicates = first.unchanged + again.unchanged, again.duplicates
        run = RunSnapshot(listed=2, unchanged=unchanged, duplicates=duplicates)

        assert balance(run, state.reader) == Balance(2, 0, 0, 0, 1, 1, tasks=1, contents=1)


@pytest.mark.parametrize("lost", ["a", "c"])
def test_a_row_that_is_lost_breaks_the_balance(tmp_path, lost):
    """A recording that was listed and is nowhere any more is noticed, written before or not."""
    with begun(tmp_path / "state") as state:
        written(state, "c")

    with begun(tmp_path / "state") as state:
        run = named(state, "a", "b", "c")
        by_hand(state.path, "DELETE FROM recordings WHERE key = ?", lost)
        lines_of(state, 1)

        assert not balance(run, state.reader).adds_up


@pytest.mark.parametrize("lines", [0, 1, 3])
def test_a_task_that_is_not_in_the_output_breaks_the_balance(tmp_path, lines):
    """What the state file calls written is held against the lines of the output."""
    with begun(tmp_path / "state") as state:
        run = named(state, "a", "b")
        jobs = state.claim(9)
        for job in jobs:
            state.started(job)
        state.output.mark_written(jobs)
        lines_of(state, lines)
        stands = balance(run, state.reader)

    assert not stands.adds_up
    assert "2 written" in as_text(replace(SUMMARY, balance=stands))
    tasks = "1 task" if lines == 1 else f"{lines} tasks"
    assert f"{tasks} for 2 written" in as_text(replace(SUMMARY, balance=stands))


@pytest.mark.parametrize("code", [0, 2, 130])
async def test_the_exit_code_is_that_of_the_end(tmp_path, code):
    """Without failed recordings the exit code is the one that the run ended with."""
    with begun(tmp_path / "state") as state:
        summary = await summary_of(tmp_path, JobTracker(state, 9), code)

    assert code == summary.exit_code


async def test_a_run_that_left_a_recording_to_the_next_one_has_not_settled_all(tmp_path):
    """It ends with 1, as where recordings failed: whoever looks at the exit code alone is told."""
    async with idle_run(tmp_path) as run:
        assert summarise(run, RunEnd()).exit_code == 0

        run.tracker.counters.deferred = 1

        assert summarise(run, RunEnd()).exit_code == 1
