"""A command that asks an account about another one's jobs takes none of them for gone or lost."""

from __future__ import annotations

import pytest

from tests.s3_output.conftest import FLAGS
from tests.support.two_accounts import NUMBERS, two_accounts

pytestmark = pytest.mark.usefixtures("in_this_process")

RUN = ("run", "s3://audio/calls/", "--quiet")
RESULTS = ("--results", "s3://audio/results/")
JOBS = 3


@pytest.fixture
def accounts(run, cloud):
    """Two accounts; the first has recordings of its own, and both can read them."""
    with two_accounts(run, cloud) as both:
        for n in range(JOBS):
            both.of[0].put(f"calls/{n}.mp3", f"number {n}")
        yield both


CLEAN = ("clean", "--older-than", "0h", "--yes", "--json")


def add_one_of_the_second(accounts) -> None:
    """The first account has run all jobs but one, which is the second's."""
    assert accounts.run(*RUN).code == 0
    accounts.of[0].put("calls/new.mp3", "new")
    accounts.use(1)
    assert accounts.run(*RUN).code == 0


@pytest.mark.parametrize(
    "flags", [(), RESULTS, FLAGS], ids=["kept by the service", "below --results", "output on S3"]
)
def test_the_jobs_of_another_account_are_not_gone(accounts, flags):
    """Not found there says nothing: none is noted as gone, and their own account deletes them."""
    assert accounts.run(*RUN, *flags).code == 0
    accounts.use(1)

    refused = accounts.run(*CLEAN, *flags[2:])
    accounts.use(0)
    cleaned = accounts.run(*CLEAN, *flags[2:]).summary

    assert refused.code == 2
    assert f"have their jobs in the account {NUMBERS[0]}, and these credentials" in refused.err
    assert NUMBERS[1] in refused.err
    assert (cleaned["deleted"], cleaned["gone"]) == (JOBS, 0)


def test_each_of_two_accounts_deletes_its_own_jobs(accounts):
    """What one does not find is left to the other, and is told."""
    add_one_of_the_second(accounts)

    cleaned = []
    for number in (1, 0):
        accounts.use(number)
        cleaned.append(accounts.run(*CLEAN).summary)

    assert [each["deleted"] for each in cleaned] == [1, JOBS]
    assert [each["gone"] for each in cleaned] == [0, 0]
    assert cleaned[0]["left"] == {"perhaps in another account": JOBS}


def test_where_sts_is_silent_what_is_not_found_is_gone(accounts):
    """Unknown is never another: without STS `clean` does as it always did."""
    assert accounts.run(*RUN).code == 0
    accounts.refuse_sts()

    assert accounts.run(*CLEAN).summary["deleted"] == JOBS


@pytest.mark.parametrize(
    "command",
    [
        (*RUN, "--rebuild-output"),
        ("tasks", "rebuild", "--task", "segments", "--quiet"),
        ("transcripts", "--to", "texts", "--quiet"),
        ("search", "number"),
    ],
    ids=lambda command: command[-1 if "run" in command else 0],
)
def test_transcripts_that_another_account_keeps_are_not_lost(accounts, command):
    """Who reads them is refused with both accounts named, and their own account reads them."""
    assert accounts.run(*RUN).code == 0
    before = (accounts.run.folder / "tasks.jsonl").read_bytes()
    accounts.use(1)

    refused = accounts.run(*command)
    after = (accounts.run.folder / "tasks.jsonl").read_bytes()
    accounts.use(0)
    again = accounts.run(*command)

    assert refused.code == 2, refused.err
    assert f"in the account {NUMBERS[0]}, and these credentials are of {NUMBERS[1]}" in refused.err
    assert after == before
    assert again.code == 0, again.err
    assert accounts.started == (JOBS, 0)
    assert len(accounts.run.tasks()) == JOBS


def test_of_two_accounts_each_reads_the_transcripts_that_it_keeps(accounts):
    """The others' recordings are told as perhaps in the other one, and come under its own."""
    add_one_of_the_second(accounts)

    outcomes = [accounts.run("transcripts", "--to", "texts", "--json")]
    accounts.use(0)
    outcomes.append(accounts.run("transcripts", "--to", "texts", "--json"))

    assert outcomes[0].summary["failed"] == {"perhaps in another account": JOBS}
    assert [each.summary["written"] for each in outcomes] == [1, JOBS]
    assert [each.code for each in outcomes] == [1, 0]


def test_a_search_takes_nothing_for_lost_that_another_account_keeps(accounts):
    """It finds what this account keeps, and under the other one all of it."""
    add_one_of_the_second(accounts)

    some = accounts.run("search", "new", "--json").summary
    accounts.use(0)
    found = accounts.run("search", "number", "--json").summary

    assert some["not_searched"] == {"perhaps in another account": JOBS}
    assert found["not_searched"] == {}
