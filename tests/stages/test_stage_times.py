"""How long recordings spend in each stage."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.stages.stage_times import BOUNDS, Histogram, Stage, StageTimes


def counts(passage: StageTimes) -> dict[str, int]:
    """How many recordings have passed each stage."""
    return {stage.value: histogram.count for stage, histogram in passage.stages.items()}


def seconds(passage: StageTimes) -> dict[str, float]:
    return {stage.value: histogram.seconds for stage, histogram in passage.stages.items()}


@given(st.lists(st.floats(0, 10**6) | st.sampled_from(BOUNDS)))
def test_each_duration_is_in_the_first_bucket_that_can_hold_it(durations):
    """A bucket counts what is longer than the bound before it and not longer than its own."""
    histogram = Histogram()

    for each in durations:
        histogram.add(each)

    below = [-1.0, *BOUNDS]
    upto = [*BOUNDS, math.inf]
    expected = [
        sum(low < each <= high for each in durations) for low, high in zip(below, upto, strict=True)
    ]
    assert expected == histogram.buckets
    assert len(durations) == histogram.count
    assert histogram.seconds == pytest.approx(sum(durations))


def test_a_recording_spends_its_time_in_four_stages():
    """Each stage begins where the one before it ends."""
    passage = StageTimes()

    passage.taken("job", 10)
    passage.runs("job", 13)
    passage.seems_ended("job", 73)
    passage.handed_over("job", 75)
    passage.written("job", 76)

    assert seconds(passage) == {"start": 3, "wait": 60, "collect": 2, "write": 1}
    assert counts(passage) == {"start": 1, "wait": 1, "collect": 1, "write": 1}


def test_a_listing_that_lags_is_part_of_the_wait():
    """Where a job runs on after it seemed to have ended, its end is the last one seen."""
    passage = StageTimes()

    passage.taken("job", 0)
    passage.runs("job", 1)
    passage.seems_ended("job", 20)
    passage.seems_ended("job", 31)
    passage.handed_over("job", 32)

    assert seconds(passage) == {"start": 1, "wait": 30, "collect": 1, "write": 0}


def test_what_an_earlier_run_began_is_not_counted():
    """Of a job that was in flight already only what this run saw from its beginning counts."""
    passage = StageTimes()

    passage.seems_ended("resumed", 5)
    passage.handed_over("resumed", 7)
    passage.taken("found", 7)
    passage.handed_over("found", 8)

    assert counts(passage) == {"start": 0, "wait": 0, "collect": 2, "write": 0}
    assert seconds(passage)["collect"] == 3


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["taken", "runs", "seems_ended", "handed_over", "written", "left"]),
        st.sampled_from("abc"),
    )
)


@example([("seems_ended", "a"), ("taken", "a"), ("handed_over", "a")])
@example([("seems_ended", "a"), ("runs", "a"), ("handed_over", "a")])
@given(STEPS)
def test_nothing_is_remembered_of_recordings_that_have_ended(steps):
    """Whatever happened before, what has left or is written takes no memory and no time is lost."""
    passage = StageTimes()

    for moment, (step, job) in enumerate(steps):
        getattr(passage, step)(job, *([] if step == "left" else [moment]))
    for job in "abc":
        passage.left(job)
        passage.written(job, len(steps))

    held = [value for name, value in vars(passage).items() if name != "stages"]
    assert not any(held)
    assert set(passage.stages) == set(Stage)
    assert all(each.seconds >= 0 for each in passage.stages.values())
