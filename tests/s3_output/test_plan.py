"""`plan` over an output on S3: what the runs of all shards have done, on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.s3_output.conftest import FLAGS

if TYPE_CHECKING:
    from tests.s3_output.conftest import OnS3


def planned(runs: OnS3, *flags: str) -> Any:
    """The plan of what is left to do, on a machine that has run nothing."""
    runs.lose_the_disk()
    outcome = runs.run("plan", "s3://audio/calls/", *FLAGS, "--json", *flags)
    assert outcome.code == 0, outcome.err
    return outcome.summary


def counted(plan: Any) -> tuple[int, ...]:
    """How many recordings are written, failed before, found and to be started."""
    names = ("written", "failed_before", "found", "to_start")
    return tuple(plan[name] for name in names)


def test_a_plan_before_the_first_run_is_of_the_whole_source(on_s3):
    """Nobody has left anything there yet, and the plan leaves nothing there either."""
    runs = on_s3()
    runs.add(5)

    plan = planned(runs)

    assert counted(plan) == (0, 0, 0, 5)
    assert not (runs.cloud.folder / "tasks").exists()


def test_a_plan_knows_what_the_runs_of_all_shards_have_done(on_s3):
    """Written and failed recordings count as in a local plan, whichever shard they are of."""
    runs = on_s3()
    runs.add(12)
    runs.cloud.put("calls/bad.mp3", "!Unsupported media format")
    for n in range(2):
        runs("--shards", "2", "--shard", str(n))
    runs.add(3, begin=12)

    plan = planned(runs)

    assert counted(plan) == (12, 1, 0, 3)
    assert plan["recordings"] == 16


def test_a_plan_without_the_states_reads_the_parts(on_s3):
    """A copy that is older than the parts, cut or lost: what is in a part is written."""
    runs = on_s3()
    runs.add(12)
    shards = [("--shards", "2", "--shard", str(n)) for n in range(2)]
    for each in shards:
        runs(*each)
    copies = sorted((runs.cloud.folder / "tasks" / "state").iterdir())
    old = copies[0].read_bytes()
    runs.add(6, begin=12)
    for each in shards:
        runs(*each)

    for content in (old, b"no gzip", old[:2000]):
        copies[0].write_bytes(content)
        assert counted(planned(runs)) == (18, 0, 0, 0)
    for each in copies:
        each.unlink()
    assert counted(planned(runs)) == (18, 0, 0, 0)


def test_a_plan_after_another_number_of_shards_counts_each_recording_once(on_s3):
    """Parts of three shards and of two; the copies of three are not asked any more."""
    runs = on_s3()
    runs.add(9)
    for n in range(3):
        runs("--shards", "3", "--shard", str(n))
    runs.add(4, begin=9)
    runs("--shards", "2", "--shard", "1")
    new = len(runs.lines()) - 9

    assert counted(planned(runs)) == (9 + new, 0, 0, 4 - new)


def test_a_plan_of_another_source_is_refused_as_a_run_would_be(on_s3):
    """What is written there says nothing of it."""
    runs = on_s3()
    runs.add(1)
    runs()

    outcome = runs.run("plan", "s3://audio/other/", *FLAGS)

    assert outcome.code == 2
    assert "is of SOURCE s3://audio/calls/, not s3://audio/other/" in outcome.err


def test_a_plan_over_touched_parts_is_refused(on_s3):
    """A run would stop there too, and what the part held is unknown."""
    runs = on_s3()
    runs.add(1)
    runs()
    (runs.cloud.folder / "tasks" / "parts" / "s0000-of-0001" / "00000000.jsonl").write_text("{}\n")

    outcome = runs.run("plan", "s3://audio/calls/", *FLAGS)

    assert outcome.code == 2
    assert "is not what was written there" in outcome.err
