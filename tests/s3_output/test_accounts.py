"""Without lanes too a shard's jobs are in one account: another one would pay for them again."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipeline.state.facts import accounts_in
from pipeline.state.reader import read_state
from tests.s3_output.conftest import FLAGS, OnS3
from tests.support.two_accounts import NUMBERS, two_accounts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.two_accounts import TwoAccounts

JOBS = 8


@pytest.fixture
def accounts(run, cloud):
    """Two accounts over one bucket, whose jobs take 2 seconds."""
    with two_accounts(run, cloud, "--seconds", "2") as both:
        yield both


@pytest.fixture
def runs(accounts) -> OnS3:
    """Runs over the bucket, with recordings in it."""
    found = OnS3(accounts.run, accounts.of[0])
    found.add(JOBS)
    return found


def beat_of(runs: OnS3, name: str = "s0000-of-0001") -> Path:
    """The last beat of a shard."""
    return runs.cloud.folder / "tasks" / "beats" / f"{name}.json"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_in_flight_are_not_started_in_another_account(accounts: TwoAccounts, runs, by):
    """On a machine with other credentials and a fresh disk the shard is refused, twice alike."""
    accounts.interrupt(runs.command(), JOBS, by)
    runs.lose_the_disk()
    before = beat_of(runs).read_bytes()

    accounts.use(1)
    verdict, message = accounts.checked(*FLAGS)
    refused = [runs.run(*runs.command(*flags)) for flags in ((), ("--rebuild-state",))]
    accounts.use(0)
    own = accounts.checked(*FLAGS)
    written = beat_of(runs).read_bytes()
    summary = runs()

    assert (own[0], verdict) == ("ok", "problem")
    for each in refused:
        assert each.code == 2
        assert message in each.err
        assert (
            "The shard s0000-of-0001 of s3://audio/tasks/ may have jobs in the account "
            f"{NUMBERS[0]}, and these credentials are of {NUMBERS[1]}" in each.err
        )
        assert "24 hours (job_timeout_hours)" in each.err
    assert written == before
    assert (summary["exit_code"], accounts.started) == (0, (JOBS, 0))
    assert set(runs.lines().values()) == {1}


def test_another_number_of_shards_moves_no_job_to_another_account(accounts, runs):
    """Their recordings are in other shards then, and their jobs where they were started."""
    accounts.interrupt(runs.command(), JOBS)
    os.utime(beat_of(runs), (time.time() - 200,) * 2)  # nobody takes it for one that goes on

    accounts.use(1)
    refused = runs.run(*runs.command("--shards", "2", "--shard", "0"))
    checked = accounts.checked(*FLAGS, "--shards", "2", "--shard", "0")

    assert refused.code == 2
    assert checked[0] == "problem"
    assert checked[1] in refused.err
    assert f"may have jobs in the account {NUMBERS[0]}" in refused.err
    assert accounts.started == (JOBS, 0)


def test_shards_under_two_accounts_each_go_on_under_their_own(accounts, runs):
    """One node has other credentials: its shard's jobs are there, the others' are not."""
    for number in range(2):
        accounts.use(number)
        assert runs("--shards", "2", "--shard", str(number))["exit_code"] == 0

    assert sum(accounts.started) == JOBS
    assert set(runs.lines().values()) == {1}


def test_with_nothing_in_flight_another_account_goes_on(accounts, runs):
    """A run that has ended holds nobody to its account."""
    assert runs()["exit_code"] == 0
    said = runs.add(1, begin=JOBS)
    runs.lose_the_disk()
    accounts.use(1)

    assert runs()["exit_code"] == 0
    assert accounts.started == (JOBS, 1)
    assert runs.lines()[next(iter(said))] == 1


def test_what_has_surely_ended_is_found_by_any_account(accounts, runs):
    """After job_timeout_hours no job runs; S3's clock says when the shard was heard of."""
    accounts.interrupt(runs.command(), JOBS)
    time.sleep(2)
    os.utime(beat_of(runs), (time.time() - 25 * 3600,) * 2)
    accounts.use(1)

    assert runs()["exit_code"] == 0
    assert accounts.started == (JOBS, 0)
    assert runs.lines() == Counter({f"s3://audio/calls/{n}.mp3": 1 for n in range(JOBS)})


@pytest.mark.parametrize("told", ["never", "later", "before"])
def test_an_account_that_can_not_be_told_is_no_other_one(accounts, runs, told):
    """Where STS refuses, nothing is: neither by the run that started jobs nor by the next one."""
    if told != "before":
        accounts.refuse_sts()
    accounts.interrupt(runs.command(), JOBS)
    accounts.refuse_sts() if told == "before" else None
    if told == "later":
        accounts.doors[0].refused.clear()

    assert runs()["exit_code"] == 0
    assert accounts.started == (JOBS, 0)


@pytest.mark.long
def test_a_night_in_which_sts_is_silent_forgets_no_account(accounts, runs):
    """Its beats tell the account of the jobs that there are, for the run behind it."""
    accounts.interrupt(runs.command(), JOBS)
    accounts.refuse_sts()
    before = beat_of(runs).read_bytes()
    with runs.run.start(*runs.command()) as process:
        deadline = time.monotonic() + 30
        while (beat := beat_of(runs).read_bytes()) == before or b'"claim"' not in beat:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.0)  # until the run itself tells, and no longer that it begins
        process.kill()
        process.communicate(timeout=30)

    assert json.loads(beat_of(runs).read_bytes())["account"] == NUMBERS[0]


def test_a_run_that_never_began_takes_the_jobs_of_nobody(accounts, runs):
    """Neither does it hold the shard to its account, nor does it forget whose the jobs are."""
    accounts.interrupt(runs.command(), JOBS)
    kept = json.loads(beat_of(runs).read_text())["account"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = ("--metrics-port", str(taken.getsockname()[1]))
        for has_jobs in (kept, ""):
            assert runs.run(*runs.command(*port)).code == 2
            assert json.loads(beat_of(runs).read_text())["account"] == has_jobs
            beat_of(runs).unlink()

    assert kept == NUMBERS[0]


def test_a_state_made_of_parts_does_not_know_in_which_account_their_jobs_are(accounts, runs):
    """Their own account is refused nothing after another one has made the state anew."""
    assert runs()["exit_code"] == 0
    runs.lose_the_disk()
    accounts.use(1)
    assert runs("--rebuild-state")["exit_code"] == 0
    [path] = runs.run.folder.rglob("*.state")
    with read_state(path) as state:
        known = accounts_in(state.facts)
    accounts.use(0)

    cleaned = runs.run("clean", *FLAGS[2:], "--older-than", "0h", "--yes", "--json")

    assert known == (NUMBERS[1], "")
    assert cleaned.code == 0, cleaned.err
    assert cleaned.summary["deleted"] >= JOBS
