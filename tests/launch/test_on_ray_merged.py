"""One summary of those of all shards of a cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from pipeline.launch.on_ray.merged import Command, ShardEnd, merged, worst
from pipeline.model import Cost
from pipeline.monitoring.summary import Balance, Counts, Failure, Failures, RunEnd, StageTotal
from tests.support.summaries import SUMMARY

BEGUN = datetime(2026, 11, 28, 2, tzinfo=UTC)
COMMAND = Command("s3://calls/", "s3://b/tasks/", BEGUN, BEGUN + timedelta(seconds=90))
FAILURES = Failures({"not audio": 1}, (Failure("a.mp3", "not audio", "no"),))
DONE = ShardEnd(0, SUMMARY)
FAILED = ShardEnd(
    1,
    replace(
        SUMMARY,
        exit_code=1,
        counts=Counts(listed=4, skipped={"empty": 1}, written=2, failed=1, tasks=2),
        balance=Balance(listed=4, written=2, failed=1, skipped=1, pending=0, tasks=2, contents=2),
        failures=FAILURES,
        cost=Cost(0.5, "USD", 60, "2026-10"),
        waits={"slots": 7.0},
        calls={"StartTranscriptionJob": 3},
        stages={"start": StageTotal(3, 2.0)},
        notes=("a note",),
    ),
)
OVER = ShardEnd(3, replace(SUMMARY, exit_code=3, stopped="until 06:00"))
REFUSED = ShardEnd(2, None, "The bucket is gone", "Make it again.")
INTERRUPTED = ShardEnd(130, replace(SUMMARY, exit_code=130, stopped="interrupted"))


def test_the_parts_of_all_shards_add_up():
    """Counts, calls, costs and stages are sums; who waited longest tells how long."""
    costly = replace(SUMMARY, cost=Cost(0.25, "USD", 30, "2026-10"), waits={"slots": 3.0})

    summary = merged(COMMAND, [ShardEnd(0, costly), FAILED], RunEnd())

    assert summary.counts.listed == 1_254
    assert summary.counts.skipped == {"empty": 1}
    assert summary.balance.listed == 1_254
    assert summary.balance.written == 1_202
    assert summary.calls == {"StartTranscriptionJob": 1_203}
    assert summary.waits == {"slots": 7.0}
    assert summary.cost == Cost(0.75, "USD", 90, "2026-10")
    assert summary.stages["start"] == StageTotal(1_203, 482.0)
    assert summary.failures == FAILURES
    assert summary.limits == SUMMARY.limits  # the account's, which they share
    assert summary.seconds == 90.0
    assert summary.files.failures == "s3://b/tasks/failures/"
    assert summary.notes == ("a note",)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([DONE, DONE], 0),
        ([DONE, FAILED], 1),
        ([FAILED, OVER], 3),
        ([OVER, INTERRUPTED], 130),
        ([INTERRUPTED, REFUSED], 2),
        ([DONE, ShardEnd(129)], 129),
    ],
)
def test_the_worst_of_all_shards_is_how_the_command_ends(ends, code):
    """As in one run, work that is left outweighs recordings that failed."""
    assert worst(ends).exit_code == code
    assert merged(COMMAND, ends[::-1], RunEnd()).exit_code == code


def test_shards_that_all_failed_alike_are_told_in_one_sentence():
    """What is wrong for one is mostly wrong for all: it is said once, with their numbers."""
    summary = merged(COMMAND, [REFUSED, DONE, REFUSED], RunEnd())

    assert (summary.problem, summary.advice) == ("The bucket is gone", "Make it again.")
    assert summary.stopped == "The bucket is gone. Make it again."
    assert summary.notes == (
        "Shards 0, 2 ended with exit code 2: The bucket is gone. Make it again.",
    )


def test_a_shard_of_which_nothing_is_known_is_no_success():
    """It may have work left: the command says so, and ends as one that could not go on."""
    summary = merged(COMMAND, [DONE, None], RunEnd())

    assert summary.exit_code == 2
    assert "did not tell how it ended; the same command goes on" in summary.stopped


def test_a_shard_that_was_told_to_end_is_no_news():
    """Only one that did not tell how it ended is, as nobody knows what it has sealed."""
    summary = merged(COMMAND, [INTERRUPTED, None, ShardEnd(130)], RunEnd(143, "interrupted"))

    assert (summary.exit_code, summary.stopped) == (143, "interrupted")
    assert summary.notes == ("Shard 1 did not tell how it ended; the same command goes on with it",)
