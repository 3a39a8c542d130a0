"""A run goes on under the account that has its jobs: another one would pay for them again."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import StateUnusable
from pipeline.naming import job_name_prefix
from pipeline.state.facts import accounts_in
from pipeline.state.reader import read_state
from tests.support.two_accounts import NUMBERS, two_accounts

pytestmark = pytest.mark.usefixtures("in_this_process")

RUN = ("run", "s3://audio/calls/", "--quiet")
RESULTS = ("--results", "s3://audio/results/")
JOBS = 6
OLD_STATE = Path(__file__).parents[1] / "state" / "fixtures" / "version-1.state"


@pytest.fixture
def accounts(run, cloud):
    """Two accounts; the first has jobs of 2 seconds in flight after `interrupt`."""
    with two_accounts(run, cloud, "--seconds", "2") as both:
        for n in range(JOBS):
            both.of[0].put(f"calls/{n}.mp3", f"number {n}")
        yield both


@pytest.mark.parametrize("results", [(), RESULTS], ids=["kept by the service", "below --results"])
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_in_flight_are_not_started_in_another_account(accounts, results, by):
    """Other credentials are refused with both accounts' numbers; the first ones go on."""
    accounts.interrupt((*RUN, *results), JOBS, by)

    accounts.use(1)
    refused = accounts.run(*RUN, *results)
    rebuilt = [accounts.run(*RUN, *results, "--rebuild-state") for _ in range(2)]
    accounts.use(0)
    again = accounts.run(*RUN, *results)

    for each in (refused, *rebuilt):
        assert each.code == 2
        assert (
            f"has {JOBS} jobs in the account {NUMBERS[0]}, and these credentials are of" in each.err
        )
        assert NUMBERS[1] in each.err
    assert (again.code, accounts.started) == (0, (JOBS, 0)), again.err
    assert len(accounts.run.tasks()) == JOBS


def test_check_says_what_a_run_under_another_account_would(accounts):
    """In the same words, before anything is begun; under the jobs' own account nothing is wrong."""
    nothing = accounts.checked()
    accounts.interrupt(RUN, JOBS)
    own = accounts.checked()

    accounts.use(1)
    verdict, message = accounts.checked()
    refused = accounts.run(*RUN)
    accounts.refuse_sts()
    unknown = accounts.checked()

    assert (nothing[0], own[0], verdict, unknown[0]) == ("ok", "ok", "problem", "ok")
    assert message in refused.err
    assert NUMBERS[0] in message


def test_with_nothing_in_flight_another_account_goes_on(accounts):
    """A new night under new credentials is nobody's fault: only what is new is started."""
    assert accounts.run(*RUN).code == 0
    accounts.of[0].put("calls/new.mp3", "new")
    accounts.use(1)

    assert accounts.run(*RUN).code == 0

    assert accounts.started == (JOBS, 1)


def test_without_results_another_account_can_not_rebuild_the_state(accounts):
    """It knows none of the jobs, so that all of them would be started and paid for again."""
    assert accounts.run(*RUN).code == 0
    accounts.use(1)

    refused = [accounts.run(*RUN, *flags, "--rebuild-state") for flags in ((), (), RESULTS)]

    assert [each.code for each in refused] == [2, 2, 2]
    assert all("It alone has the transcripts" in each.err for each in refused)
    assert accounts.started == (JOBS, 0)


def test_the_jobs_of_every_account_before_the_last_are_remembered(accounts):
    """After nights under two accounts neither can rebuild the state without paying again."""
    assert accounts.run(*RUN).code == 0
    accounts.of[0].put("calls/new.mp3", "new")
    accounts.use(1)
    assert accounts.run(*RUN).code == 0

    for number in range(2):
        accounts.use(number)
        refused = accounts.run(*RUN, "--rebuild-state")
        assert refused.code == 2
        assert f"in the account {NUMBERS[1 - number]}" in refused.err
    assert accounts.started == (JOBS, 1)


@pytest.mark.parametrize("before", [(), ("--results", "s3://audio/elsewhere/")])
def test_what_is_not_below_these_results_is_not_found_by_another_account(accounts, before):
    """Naming --results later, or others, brings no transcript there, however long one waits."""
    accounts.interrupt((*RUN, *before), JOBS)
    time.sleep(2)
    with sqlite3.connect(accounts.run.folder / "tasks.jsonl.state") as state:
        state.execute("UPDATE recordings SET changed = changed - 25 * 3600")
    accounts.use(1)

    outcome = accounts.run(*RUN, *RESULTS)

    assert (outcome.code, accounts.started) == (2, (JOBS, 0)), outcome.err


@pytest.mark.long
def test_a_night_in_which_sts_is_silent_forgets_no_account(accounts):
    """The account of the jobs in flight is known to the run behind it too."""
    accounts.interrupt(RUN, JOBS)
    accounts.refuse_sts()
    with accounts.run.start(*RUN) as process:
        time.sleep(1.0)
        process.kill()
        process.communicate(timeout=30)
    for door in accounts.doors:
        door.refused.clear()
    with sqlite3.connect(accounts.run.folder / "tasks.jsonl.state") as state:
        kept = state.execute("SELECT value FROM meta WHERE name = 'account'").fetchall()

    assert kept == [(NUMBERS[0],)]


def test_what_has_surely_ended_is_found_below_results_by_any_account(accounts):
    """After job_timeout_hours no job runs, and a transcript is read by whoever may."""
    accounts.interrupt((*RUN, *RESULTS), JOBS)
    time.sleep(2)
    with sqlite3.connect(accounts.run.folder / "tasks.jsonl.state") as state:
        state.execute("UPDATE recordings SET changed = changed - 25 * 3600")
    accounts.use(1)

    outcome = accounts.run(*RUN, *RESULTS)

    assert (outcome.code, accounts.started) == (0, (JOBS, 0)), outcome.err
    assert len(accounts.run.tasks()) == JOBS


@pytest.mark.parametrize("code", ["AccessDenied", "ServiceUnavailable"])
def test_an_account_that_can_not_be_told_is_no_other_one(accounts, code):
    """Where STS refuses, nothing is: a run goes on as it did, before and after."""
    accounts.refuse_sts(code)
    accounts.interrupt(RUN, JOBS)
    accounts.doors[0].refused.clear()

    outcome = accounts.run(*RUN)

    assert (outcome.code, accounts.started) == (0, (JOBS, 0)), outcome.err


@pytest.mark.long
def test_a_network_without_a_way_to_sts_holds_no_run_up_for_long(accounts):
    """Nobody answers there: the run waits for five seconds, once, and goes on."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accounts.run.use(AWS_ENDPOINT_URL_STS=f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()

        outcome = accounts.run(*RUN)

    assert (outcome.code, accounts.started) == (0, (JOBS, 0)), outcome.err
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("results", [(), RESULTS], ids=["kept by the service", "below --results"])
def test_a_rebuilt_state_that_came_to_no_recording_knows_the_jobs_in_flight(accounts, results):
    """What was in flight before stays so in the new state, for a run under another account."""
    accounts.interrupt((*RUN, *results), JOBS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = ("--metrics-port", str(taken.getsockname()[1]))
        half = accounts.run(*RUN, *results, *port, "--rebuild-state")

    accounts.use(1)
    refused = accounts.run(*RUN, *results)
    accounts.use(0)
    again = accounts.run(*RUN, *results)

    assert half.code == 2
    assert (accounts.run.folder / "tasks.jsonl.state.damaged").exists()
    assert refused.code == 2
    assert f"has {JOBS} jobs in the account {NUMBERS[0]}" in refused.err
    assert (again.code, accounts.started) == (0, (JOBS, 0)), again.err
    assert len(accounts.run.tasks()) == JOBS


@pytest.mark.long
def test_a_rebuild_that_is_killed_forgets_no_job_in_flight(accounts):
    """From the beginning of its run on the new state knows them."""
    accounts.interrupt(RUN, JOBS)
    path = accounts.run.folder / "tasks.jsonl.state"
    deadline = time.monotonic() + 30
    with accounts.run.start(*RUN, "--rebuild-state") as process:
        while not (path.with_name(f"{path.name}.damaged").exists() and _runs_of(path)):
            assert time.monotonic() < deadline
        process.kill()
        process.communicate(timeout=30)

    accounts.use(1)
    refused = accounts.run(*RUN)

    assert (refused.code, accounts.started) == (2, (JOBS, 0)), refused.err


def test_a_rebuild_over_another_place_takes_over_none_of_the_jobs_of_the_first(accounts):
    """Its output has its own recordings alone."""
    accounts.interrupt(RUN, JOBS)
    accounts.of[0].put("others/one.mp3", "one")

    outcome = accounts.run("run", "s3://audio/others/", "--quiet", "--rebuild-state")

    assert outcome.code == 0, outcome.err
    assert [each["data"]["audio"] for each in accounts.run.tasks()] == ["s3://audio/others/one.mp3"]


def _runs_of(path) -> int:
    """How many runs have begun with the state file there."""
    try:
        with read_state(path) as state:
            return state.facts.run
    except StateUnusable:
        return 0


def test_a_state_file_of_an_earlier_format_guards_its_jobs(accounts):
    """It is brought up to date before it is asked which account has them."""
    path = accounts.run.folder / "tasks.jsonl.state"
    shutil.copy(OLD_STATE, path)
    facts = {
        "source": "s3://audio/calls/",
        "names": job_name_prefix("transcribe-pipeline", "audio"),
        "account": NUMBERS[0],
    }
    with closing(sqlite3.connect(path)) as state, state:
        state.execute("UPDATE recordings SET status = 2")
        state.execute("DELETE FROM meta WHERE name LIKE 'output%'")
        state.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts.items())
    accounts.use(1)

    refused = accounts.run(*RUN)

    assert (refused.code, accounts.started) == (2, (0, 0)), refused.err
    assert f"has 4 jobs in the account {NUMBERS[0]}" in refused.err


CLEAN = ("clean", "--older-than", "0h", "--yes", "--json")
ELSEWHERE = "perhaps in another account"


def state_of(accounts) -> Path:
    """The state file of the runs."""
    return Path(accounts.run.folder, "tasks.jsonl.state")


def noted(accounts) -> tuple[str, ...]:
    """Under which accounts the state file says that jobs were started."""
    with read_state(state_of(accounts)) as state:
        return accounts_in(state.facts)


def test_the_jobs_of_before_accounts_were_noted_are_in_one_that_is_not_known(accounts):
    """Their own account is refused nothing after a night under another one."""
    assert accounts.run(*RUN).code == 0
    with closing(sqlite3.connect(state_of(accounts))) as state, state:
        state.execute("DELETE FROM meta WHERE name = 'account'")
    accounts.of[0].put("calls/new.mp3", "new")
    accounts.use(1)
    assert accounts.run(*RUN).code == 0
    known = noted(accounts)
    accounts.use(0)

    cleaned = accounts.run(*CLEAN)

    assert known == (NUMBERS[1], "")
    assert (cleaned.code, cleaned.summary["deleted"]) == (0, JOBS), cleaned.err
    assert cleaned.summary["left"] == {ELSEWHERE: 1}


@pytest.mark.parametrize("before", ["unreadable", "without accounts"])
def test_a_rebuilt_state_does_not_know_in_which_account_the_jobs_of_before_are(accounts, before):
    """Their own account is refused nothing after another one has rebuilt the state."""
    assert accounts.run(*RUN, *RESULTS).code == 0
    if before == "unreadable":
        state_of(accounts).write_bytes(b"damaged")
    else:
        with closing(sqlite3.connect(state_of(accounts))) as state, state:
            state.execute("DELETE FROM meta WHERE name = 'account'")
    accounts.use(1)
    assert accounts.run(*RUN, *RESULTS, "--rebuild-state").code == 0
    known = noted(accounts)
    accounts.use(0)

    cleaned = accounts.run(*CLEAN)

    assert (known, accounts.started) == ((NUMBERS[1], ""), (JOBS, 0))
    assert (cleaned.code, cleaned.summary["deleted"]) == (0, JOBS), cleaned.err


def test_what_every_account_has_forgotten_by_now_is_gone_whoever_asks(accounts):
    """The service keeps a job for 90 days: until then another account may have it."""
    assert accounts.run(*RUN, *RESULTS).code == 0
    accounts.of[0].put("calls/new.mp3", "new")
    accounts.use(1)
    assert accounts.run(*RUN, *RESULTS).code == 0
    cleaned = []
    for days in (89, 2, 0):
        with closing(sqlite3.connect(state_of(accounts))) as state, state:
            state.execute(f"UPDATE recordings SET changed = changed - {days} * 86400")
        cleaned.append(accounts.run(*CLEAN, "--results-too").summary)

    young, old, again = cleaned
    assert (young["deleted"], young["left"], young["results"]) == (1, {ELSEWHERE: JOBS}, 1)
    assert (old["gone"], old["left"], old["results"]) == (JOBS, {}, JOBS)
    assert again["calls"] == {}
