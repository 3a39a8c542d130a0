"""Which of a source's recordings a run takes, and how it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.loading import resolve
from pipeline.config.shards import MOST_SHARDS, NO_SHARD, Shard, parse_shard, shard_of
from pipeline.errors import BadSettings

counts = st.integers(1, MOST_SHARDS)


@given(counts, st.binary(min_size=16, max_size=16))
def test_every_recording_is_in_one_shard(count, identity):
    """Whatever the number of shards, one has it and the others have not."""
    assert sum(Shard(n, count).has(identity) for n in range(count)) == 1


@given(counts, st.integers(0, MOST_SHARDS - 1))
def test_a_shard_is_told_by_its_name(count, number):
    """What lies in the bucket under its name is its own; another name is nobody's."""
    name = Shard(number, count).name

    assert parse_shard(name) == (Shard(number, count) if number < count else None)
    assert parse_shard(f"{name}x") is None


@given(counts)
def test_no_shard_is_empty(count):
    """Up to 256 shards, each has some first bytes of identities."""
    firsts = [bytes([n]) for n in range(256)]
    assert all(any(map(Shard(n, count).has, firsts)) for n in range(count))


@given(counts, st.integers(0, 10_000))
def test_the_shares_of_an_amount_add_up(count, amount):
    """No shard takes more than one over its part, and together they take the amount."""
    shares = [Shard(n, count).share(amount) for n in range(count)]
    assert sum(shares) == amount
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("number", "count", "environment", "shard"),
    [
        (NO_SHARD, 0, {}, Shard(0, 1)),
        (2, 8, {}, Shard(2, 8)),
        (NO_SHARD, 0, {"AWS_BATCH_JOB_ARRAY_INDEX": "3", "AWS_BATCH_JOB_ARRAY_SIZE": "8"},
         Shard(3, 8)),
        (NO_SHARD, 8, {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, Shard(3, 8)),
        (NO_SHARD, 4, {"JOB_COMPLETION_INDEX": "0"}, Shard(0, 4)),
        (NO_SHARD, 4, {"SLURM_ARRAY_TASK_ID": "2"}, Shard(2, 4)),
        (NO_SHARD, 4, {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "1",
                       "SLURM_ARRAY_TASK_COUNT": "1"}, Shard(1, 4)),  # run again alone
        (NO_SHARD, 4, {}, None),
        (1, 2, {"AWS_BATCH_JOB_ARRAY_INDEX": "3", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}, Shard(1, 2)),
    ],
)  # fmt: skip
def test_a_run_is_the_shard_that_it_is_told_or_that_its_scheduler_numbers(
    number, count, environment, shard
):
    """--shard first; else the variables of AWS Batch, of Kubernetes, of SLURM; else all of it."""
    assert shard_of(number, count, environment) == shard


@pytest.mark.parametrize(
    ("number", "count", "environment", "said"),
    [
        (NO_SHARD, 0, {"JOB_COMPLETION_INDEX": "0"},
         "JOB_COMPLETION_INDEX is 0, but nothing says how many there are."),
        (NO_SHARD, 0, {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, "nothing says how many there are"),
        (NO_SHARD, 4, {"AWS_BATCH_JOB_ARRAY_INDEX": "3", "AWS_BATCH_JOB_ARRAY_SIZE": "8"},
         "--shards is 4, but the array of AWS_BATCH_JOB_ARRAY_INDEX has 8."),
        (NO_SHARD, 0, {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "4"},
         "nothing says how many there are"),
        (4, 4, {}, "--shard is 4, but of 4 the last one is 3"),
        (1, 0, {}, "--shard is 1, but of 1 the last one is 0"),
        (NO_SHARD, 4, {"JOB_COMPLETION_INDEX": "4"}, "--shard is 4, but of 4 the last one is 3"),
        (NO_SHARD, 4, {"JOB_COMPLETION_INDEX": "one"}, "is 'one', which is no number"),
        (NO_SHARD, 0, {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "300"},
         "--shards is 300, but there can be 256 at most"),
    ],
)  # fmt: skip
def test_a_run_that_could_take_the_wrong_part_is_refused(number, count, environment, said):
    """Half of what says which shard it is would have every run take the whole, or none a part."""
    with pytest.raises(BadSettings) as refused:
        shard_of(number, count, environment)
    assert said in str(refused.value)


def test_an_array_is_heeded_for_an_output_on_s3_alone(tmp_path):
    """A run with a file of its own is no shard, wherever it runs."""
    array = {"AWS_BATCH_JOB_ARRAY_INDEX": "3", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}

    local = resolve({}, array)
    shard = resolve({"output": "s3://b/tasks"}, array)

    assert (local.shard, str(local.state_path)) == (Shard(0, 1), "tasks.jsonl.state")
    assert shard.shard == Shard(3, 8)
    assert str(shard.state_path) == "tasks.s0003-of-0008.jsonl.state"
    assert str(shard.failures_path) == "tasks.s0003-of-0008.failures.jsonl"


@pytest.mark.parametrize("output", ["s3://", "s3:/b/c", "s3:///key"])
def test_a_place_on_s3_that_is_none_is_refused(output):
    """A slip in the address would else become a file of that name."""
    with pytest.raises(BadSettings, match="write it as s3://bucket/prefix/"):
        resolve({"output": output}, {})
