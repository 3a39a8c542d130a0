"""What the doctor's lines mean, and how they are asked: beside each other, each within its time."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.error_codes import meaning
from pipeline.doctor.account import of_quotas, of_skew, skew
from pipeline.doctor.findings import (
    Line,
    Verdict,
    conclusion,
    finding_of,
    ok,
    report,
)
from pipeline.doctor.machine import of_space
from pipeline.doctor.runner import Check, constant, once, run_checks
from pipeline.errors import (
    BadSettings,
    Denied,
    ServiceUnreachable,
    Unavailable,
)
from pipeline.naming import S3Uri, parse_job_name, trial_place

LIST = "s3:ListBucket on s3://b"


def line(verdict: Verdict) -> Line:
    return Line("x", verdict, "Said.", "")


async def lines_of(*checks: Check, seconds: float = 5.0) -> list[Line]:
    return [line async for line in run_checks(checks, seconds)]


async def test_lines_come_in_their_order_however_long_each_takes():
    """The order is that of a run's needs, and not of the answers."""
    second_was_asked = asyncio.Event()

    async def first():
        await second_was_asked.wait()
        return ok("First.")

    async def second():
        second_was_asked.set()
        return ok("Second.")

    lines = await lines_of(Check("a", first), Check("b", second))

    assert [(each.check, each.message) for each in lines] == [("a", "First."), ("b", "Second.")]


async def test_what_takes_too_long_hides_no_other_line():
    """A line that never ends is given up after its time; the others have theirs."""

    async def stuck():
        await asyncio.Event().wait()

    lines = await lines_of(
        Check("stuck", stuck), Check("well", constant(ok("Well."))), seconds=0.05
    )

    assert [each.verdict for each in lines] == [Verdict.PROBLEM, Verdict.OK]
    assert lines[0].message == "No answer within 0.05 seconds."
    assert "firewall" in lines[0].advice


async def test_what_no_run_needs_is_skipped_where_no_answer_comes():
    """A network may have no way to IAM or STS, and a run goes well there all the same."""

    async def stuck():
        await asyncio.Event().wait()

    [line] = await lines_of(Check("quotas", stuck, needed=False), seconds=0.05)

    assert line.verdict is Verdict.SKIPPED
    assert line.message == "No answer within 0.05 seconds; no run needs one."


@pytest.mark.parametrize("error", [Denied("No."), RuntimeError("a bug"), KeyError("a")])
async def test_what_fails_hides_no_other_line(error):
    """An error of ours, or one that should not happen, is the problem of its own line."""

    async def fails():
        raise error

    lines = await lines_of(Check("bad", fails), Check("well", constant(ok("Well."))))

    assert [each.verdict for each in lines] == [Verdict.PROBLEM, Verdict.OK]


async def test_what_several_lines_need_is_asked_for_once():
    """Two lines that need the same answer make one call, also when one of them is given up."""
    asked = []
    answered = asyncio.Event()

    async def ask():
        asked.append(1)
        await answered.wait()
        return "the answer"

    shared = once(ask)
    hurried = asyncio.ensure_future(shared())
    patient = asyncio.ensure_future(shared())
    await asyncio.sleep(0)
    hurried.cancel()
    answered.set()

    assert await patient == "the answer"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("error", "message", "advice"),
    [
        (
            meaning(LIST, "AccessDenied", "Access Denied"),
            "s3:ListBucket on s3://b is not allowed (AccessDenied: Access Denied).",
            "Allow it; `transcribe-pipeline iam policy`",
        ),
        (
            meaning("sts:GetCallerIdentity", "InvalidClientTokenId", "The token is invalid."),
            "the credentials are not valid here (InvalidClientTokenId: The token is invalid.).",
            "AWS_PROFILE",
        ),
        (
            meaning("sts:GetCallerIdentity", "ExpiredToken", "It has expired."),
            "the session token has expired (ExpiredToken: It has expired.).",
            "AWS_PROFILE",
        ),
        (Unavailable("No answer from a:1."), "No answer from a:1.", "firewall"),
        (BadSettings("There is no vocabulary x."), "There is no vocabulary x.", ""),
    ],
)
def test_an_error_says_what_is_wrong_and_apart_from_it_what_to_do(error, message, advice):
    """What to do stands on a line of its own, so it is taken out of the sentence."""
    found = finding_of(error)

    assert found.verdict is Verdict.PROBLEM
    assert found.message.endswith(message)
    assert advice in found.advice
    assert "run the same" not in found.message + found.advice


def test_of_many_tries_the_last_failure_is_told():
    """That a run could go on later is no news to who only asks."""
    error = ServiceUnreachable("Cut off. That was so 5 times; run the same command again.")
    error.__cause__ = Unavailable("Cut off.")

    assert finding_of(error).message == "Cut off."


@pytest.mark.parametrize(
    ("verdicts", "ready", "sentence"),
    [
        ([], True, "A run would go well: 0 problems, 0 warnings, 0 ok, 0 skipped."),
        (
            [Verdict.OK, Verdict.WARNING, Verdict.SKIPPED],
            True,
            "A run would go well: 0 problems, 1 warning, 1 ok, 1 skipped.",
        ),
        (
            [Verdict.OK, Verdict.OK, Verdict.PROBLEM],
            False,
            "A run would fail: 1 problem, 0 warnings, 2 ok, 0 skipped.",
        ),
    ],
)
def test_only_a_problem_stops_a_run(verdicts, ready, sentence):
    """Warnings and what was skipped let a run go."""
    found = report("s3://b/", [line(verdict) for verdict in verdicts])

    assert found.ready is ready
    assert conclusion(found) == sentence


@given(
    now=st.floats(1e9, 2e9),
    ahead=st.integers(-4000, 4000),
    latency=st.floats(0, 20),
    share=st.floats(0, 1),
)
def test_a_clock_is_never_accused_of_more_than_it_is_off(now, ahead, latency, share):
    """The answer's way and the whole seconds of its date are in favour of our clock."""
    date = formatdate(now + latency * share, usegmt=True)

    found = skew(now + ahead, now + ahead + latency, date)

    assert found is not None
    assert abs(found) <= abs(ahead) + 1e-6
    assert abs(found) >= abs(ahead) - latency - 1 - 1e-6


@pytest.mark.parametrize(
    ("seconds", "verdict", "word"),
    [
        (0.0, Verdict.OK, "agrees"),
        (7.0, Verdict.OK, "7 s ahead"),
        (-90.0, Verdict.WARNING, "1 min 30 s behind"),
        (299.0, Verdict.WARNING, "ahead"),
        (300.0, Verdict.PROBLEM, "5 min ahead"),
        (-3600.0, Verdict.PROBLEM, "1 h behind"),
        (None, Verdict.SKIPPED, "no date"),
    ],
)
def test_a_wrong_clock_is_a_problem_beyond_five_minutes(seconds, verdict, word):
    """AWS refuses signatures that are older or younger."""
    found = of_skew(seconds)

    assert found.verdict is verdict
    assert word in found.message


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 00:00:00 GMT"])
def test_an_answer_without_a_date_tells_nothing_of_the_clock(date):
    """A proxy may leave the header out, or write anything into it."""
    assert skew(1e9, 1e9 + 1, date) is None


@pytest.mark.parametrize(
    ("free", "verdict"),
    [
        (0, Verdict.PROBLEM),
        (10 * 2**20 - 1, Verdict.PROBLEM),
        (10 * 2**20, Verdict.WARNING),
        (2**30 - 1, Verdict.WARNING),
        (2**30, Verdict.OK),
    ],
)
def test_a_disk_that_is_nearly_full_is_told_in_time(free, verdict):
    """Under a gigabyte is a warning; what is as good as full would stop the run."""
    assert of_space(free, Path("/data")).verdict is verdict


SLOTS = {"QuotaCode": "L-6F7AB1C9", "QuotaName": "Number of concurrent batch", "Value": 400.0}
STARTS = {
    "QuotaCode": "L-0",
    "QuotaName": "Transactions per second, StartTranscriptionJob operation",
    "Value": 25.0,
}


@pytest.mark.parametrize(
    ("most", "queueing", "more"),
    [
        (1_000, False, "."),
        (100, False, "; max_in_flight takes 100 of them."),
        (1_000, True, "; the service queues up to 10,000 jobs beyond them."),
    ],
)
def test_quotas_are_told_beside_what_the_settings_make_of_them(most, queueing, more):
    """Who leaves slots to others, or has the service queue, sees it here."""
    expected = ok(f"400 jobs at once, 25 starts a second{more}")

    assert of_quotas([STARTS, SLOTS], most, queueing=queueing) == expected


def test_quotas_that_are_not_named_are_the_documented_ones():
    """A run finds the real ones, so that is no problem."""
    found = of_quotas([STARTS], 1_000, queueing=False)

    assert found.verdict is Verdict.SKIPPED
    assert "250 jobs at once" in found.message


@given(st.sampled_from(["", "t", "t/", "a/b/"]), st.text("abc-", max_size=9))
def test_the_trial_object_is_no_result_and_lies_where_results_do(prefix, name_prefix):
    """No run takes it for a transcript, and the permission that is tried is the one needed."""
    place = trial_place(S3Uri("b", prefix))

    assert place.key.startswith(prefix)
    assert parse_job_name(name_prefix, place.key.rpartition("/")[2]) is None
    assert not place.key.endswith(".json")
