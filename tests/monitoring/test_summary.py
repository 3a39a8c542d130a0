"""What a run did: the facts as JSON, and as text for people."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from pipeline.aws.s3 import S3
from pipeline.aws.session import Session
from pipeline.config.loading import resolve
from pipeline.failures import NO_SPEECH, TOO_LONG, advice
from pipeline.monitoring.summary import (
    OVER_BUDGET,
    Balance,
    Failure,
    Summary,
    as_text,
    balance,
    summarise,
)
from pipeline.naming import S3Uri
from pipeline.recordings.source import S3Source
from pipeline.run import Run
from pipeline.stages.counters import Counters
from pipeline.stages.job_tracker import JobTracker
from pipeline.stages.stage_times import StageTotal
from tests.conftest import ROOT
from tests.support.state_files import begun, listed, running, written

if TYPE_CHECKING:
    from pathlib import Path

FACTS = Summary(
    run_id="20261123T020000Z-0a1b2c",
    version="1.2.3",
    begun="2026-11-23T02:00:00.000Z",
    ended="2026-11-23T03:01:01.000Z",
    source="s3://calls/",
    output="tasks.jsonl",
    state="tasks.jsonl.state",
    listed=1_250,
    skipped={},
    started=1_200,
    adopted=0,
    resumed=0,
    written=1_200,
    silent=0,
    tasks=1_200,
    failed=0,
    postponed=0,
    failures={},
    examples=(),
    failures_file="",
    balance=Balance(listed=1_250, written=1_200, failed=0, skipped=50, pending=0),
    pending=0,
    in_flight=0,
    oldest_in_flight_seconds=0.0,
    seconds=3_661.0,
    stages={"start": StageTotal(1_200, 480.0)},
    billed_seconds=0,
    cost=0.0,
    currency="USD",
    prices_date="2026-10, us-east-1",
    brakes={},
    most_in_flight=250,
    slots_found=250,
    start_rate=25.0,
    calls={"StartTranscriptionJob": 1_200},
    refused={},
    stopped="",
    exit_code=0,
)


def text_with(**changes: Any) -> str:
    return as_text(msgspec.structs.replace(FACTS, **changes))


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
    said = line_with("Cost:", billed_seconds=123_450, cost=12.345)

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

    said = text_with(failed=12, failures={TOO_LONG: 11, "refused": 1}, examples=examples)

    assert f"Failed:  11 {TOO_LONG}, 1 refused" in said
    assert "  a\\n.mp3: Maximum audio duration is 4 hours.\n  and 11 more\n" in said
    assert f"  {TOO_LONG}: {advice(TOO_LONG)}" in said
    assert said.splitlines()[0].count("12 failed") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"brakes": {"slots": 3_000.0}, "slots_found": 100}, "job slots (100 found) held"),
        ({"brakes": {"slots": 3_000.0}}, "--max-in-flight 250 held the run back for 50 min of 1 h"),
        ({"brakes": {"StartTranscriptionJob": 400.0}}, "--start-rate 25 held"),
        (
            {
                "brakes": {"StartTranscriptionJob": 400.0},
                "refused": {"StartTranscriptionJob": 9},
            },
            "the account's start rate held",
        ),
        ({"brakes": {"GetTranscriptionJob": 900.0, "slots": 400.0}}, "--max-in-flight 250 held"),
        ({"brakes": {"GetTranscriptionJob": 400.0}}, "the rate of GetTranscriptionJob held"),
        ({"brakes": {"slots": 400.0, "StartTranscriptionJob": 500.0}}, "--start-rate 25 held"),
    ],
)
def test_the_brake_that_bound_the_run_is_named(changes, said):
    """The longest brake is told, with the flag or quota that would loosen it."""
    assert said in line_with("Limit:", **changes)


@pytest.mark.parametrize(
    "brakes", [{}, {"slots": 300.0}, {"slots": 4.9, "StartTranscriptionJob": 1}]
)
def test_a_brake_that_cost_little_is_not_named(brakes):
    """What held the run back for less than a tenth of its time is not worth a line."""
    assert line_with("Limit:", brakes=brakes) == ""


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
    assert line_with("Left:", postponed=12).startswith("Left:    12 met faults at the service")
    assert line_with("Left:") == ""


def test_the_failures_file_is_named():
    """Where recordings failed the line after them says where all of them are."""
    said = line_with("         all", failures={TOO_LONG: 1}, failures_file="tasks.failures.jsonl")

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
    said = line_with("Next:", tasks=0, written=0, failed=9, output="a b.jsonl", state="s")

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
    """The JSON holds every fact under its name, and reading it gives the same facts."""
    facts = msgspec.structs.replace(FACTS, failed=1, examples=(Failure("ü", NO_SPEECH, "x"),))

    line = msgspec.json.encode(facts)

    assert facts == msgspec.json.decode(line, type=Summary)
    assert list(msgspec.json.decode(line)) == list(Summary.__struct_fields__)
    assert b"\n" not in line


async def summary_of(folder: Path, tracker: JobTracker, code: int = 0) -> Summary:
    """The summary of a run over a board, no call made."""
    config = resolve({"output": str(folder / "tasks.jsonl"), "max_in_flight": 9}, {})
    session = Session(config.aws, 1, None)
    async with aiohttp.ClientSession() as http:
        s3 = S3(session, http, tracker.braking)
        source = S3Source(S3Uri("calls", ""), s3)
        return summarise(Run(config, source, tracker, session, s3), code)


async def test_the_facts_are_those_of_the_run(tmp_path):
    """Counts come from the board and the state file, bounds from the settings."""
    with begun(tmp_path / "state") as state:
        (job,) = running(state, "failing")
        state.failed(job, TOO_LONG, "Words.")
        running(state, "running")
        listed(state, "waiting")
        tracker = JobTracker(state, 9)
        tracker.figures.listed = 4
        summary = await summary_of(tmp_path, tracker)

    assert (summary.source, summary.listed, summary.most_in_flight) == ("s3://calls/", 4, 9)
    assert (summary.pending, summary.in_flight, summary.failed) == (1, 1, 1)
    assert summary.examples == (Failure("failing", TOO_LONG, "Words."),)
    assert summary.exit_code == 1


async def test_the_moments_are_those_of_the_run(tmp_path):
    """Begin and end are UTC, as far apart as the run took, and the stages those of the board."""
    with begun(tmp_path / "state") as state:
        tracker = JobTracker(state, 9)
        tracker.figures.begun -= 3_600
        tracker.figures.passage.taken("job", 1)
        tracker.figures.passage.runs("job", 3.5)
        summary = await summary_of(tmp_path, tracker)

    begin, end = map(datetime.fromisoformat, (summary.begun, summary.ended))
    assert begin.tzinfo == UTC
    assert (end - begin).total_seconds() == pytest.approx(3_600, abs=2)
    assert summary.stages["start"] == StageTotal(1, 2.5)
    assert list(summary.stages) == ["start", "wait", "collect", "write"]


def test_the_readme_explains_every_field_of_the_summary():
    """Whoever reads the JSON finds each of its names in the README's table, in its order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text[text.index("<!-- summary -->") : text.index("<!-- end of summary -->")]

    first = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]

    told = re.findall(r"`(\w+)`", " ".join(first))

    assert list(Summary.__struct_fields__) == told


def test_the_balance_holds_what_every_run_wrote(tmp_path):
    """Listed is written (now or before), failed, skipped and pending, whatever was touched."""
    keys = [f"{n}.mp3" for n in range(10)]
    with begun(tmp_path / "state") as state:
        written(state, *keys[:4])
        running(state, keys[4], keys[5], keys[6])

    with begun(tmp_path / "state") as state:
        figures = Counters()
        figures.touched = listed(state, *keys)
        figures.listed, figures.skipped["not audio"] = 13, 3
        resumed, other, _ = (job for job, _ in state.in_flight())
        state.mark_written([resumed])
        state.failed(other, TOO_LONG, "Words.")

        stands = balance(figures, state.selected())

    assert stands == Balance(listed=13, written=5, failed=1, skipped=3, pending=4)
    assert stands.adds_up


def test_a_row_that_is_lost_breaks_the_balance(tmp_path):
    """A recording that was listed and is nowhere any more is noticed."""
    with begun(tmp_path / "state") as state:
        figures = Counters()
        figures.listed = figures.touched = listed(state, "a", "b", "c")
        state.rows("DELETE FROM recordings WHERE key = 'b'")

        assert not balance(figures, state.selected()).adds_up


@pytest.mark.parametrize("code", [0, 2, 130])
async def test_the_exit_code_is_that_of_the_end(tmp_path, code):
    """Without failed recordings the exit code is the one that the run ended with."""
    with begun(tmp_path / "state") as state:
        summary = await summary_of(tmp_path, JobTracker(state, 9), code)

    assert code == summary.exit_code
